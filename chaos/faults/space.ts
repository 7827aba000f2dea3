/**
 * A replica's disk with little space, in two ways. A small tmpfs over its data directory, in a mount namespace of its own, with a
 * ballast file that takes what is left: writes fail with ENOSPC. Where the system allows no user namespaces, a limit on the size
 * of the replica's files (RLIMIT_FSIZE): writes beyond it fail with EFBIG.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { closeSync, cpSync, openSync, readdirSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { BatonError, explain, isBatonError } from '../../src/lib/errors.ts';
import type { StageReplica, Wrap } from '../stage.ts';
import { until } from '../until.ts';

export interface Space {
  /** What a write gets that does not fit, as it appears in the replica's log. */
  readonly error: 'ENOSPC' | 'EFBIG';
  /** How a replica is started with this disk; ask again after each change. */
  readonly wrap: Wrap;
  /** Takes the space that is left, under the running replica. @returns what was done, in words */
  fill(pid: number): string;
  free(): void;
  /** What the replica stored, back to where it lives without any of this; it must not run. */
  settle(): void;
  close(): void;
}

const SPARE_KIB = 8_192;
const MOUNT_TIMEOUT_MS = 10_000;

/** The replica must not run. @throws BatonError where neither way is possible */
export async function smallSpace(replica: StageReplica, signal: AbortSignal): Promise<Space> {
  try {
    return await SmallDisk.mount(replica.dataDirectory, signal);
  } catch (error) {
    if (!isBatonError(error, 'unsupported')) throw error;
    return new FileSizeLimit(replica, explain(error));
  }
}

/** The holder keeps the namespace alive until its input closes, so none outlives this process. */
const HOLD = `set -e
mkdir -p "$1.small"
used=$(du -sk "$1" | cut -f1)
mount -t tmpfs -o size=$((used + $2))k,mode=700 tmpfs "$1.small"
cp -a "$1/." "$1.small/"
mount --move "$1.small" "$1"
echo mounted
exec cat`;

class SmallDisk implements Space {
  readonly error = 'ENOSPC';
  readonly #holder: ChildProcess;
  readonly #directory: string;

  private constructor(holder: ChildProcess, directory: string) {
    this.#holder = holder;
    this.#directory = directory;
  }

  static async mount(directory: string, signal: AbortSignal): Promise<SmallDisk> {
    const holder = spawn('unshare', ['-Urm', 'sh', '-c', HOLD, 'sh', directory, String(SPARE_KIB)], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let said = '';
    const hear = (chunk: Buffer): void => void (said += chunk.toString());
    holder.stdout.on('data', hear);
    holder.stderr.on('data', hear);
    holder.on('error', (error) => (said += error.message));
    const disk = new SmallDisk(holder, directory);
    try {
      await until(`a small disk at ${directory}`, MOUNT_TIMEOUT_MS, signal, () => {
        if (said.includes('mounted')) return true;
        if (holder.exitCode === null && holder.pid !== undefined) return false;
        throw new BatonError('unsupported', `no small disk can be mounted: ${said.trim()}`);
      });
      return disk;
    } catch (error) {
      disk.close();
      throw error;
    }
  }

  readonly wrap: Wrap = ({ file, args }) => ({
    file: 'nsenter',
    args: ['--preserve-credentials', '-U', '-m', '-t', String(this.#holder.pid), '--', file, ...args],
  });

  /** A path of the replica's directory as the replica sees it. */
  #inside(...path: string[]): string {
    return join('/proc', String(this.#holder.pid), 'root', this.#directory, ...path);
  }

  fill(): string {
    const file = openSync(this.#inside('ballast'), 'w');
    try {
      for (let piece = 65_536; piece >= 512; piece /= 2) {
        const zeros = Buffer.alloc(piece);
        while (fits(file, zeros));
      }
    } finally {
      closeSync(file);
    }
    return `${statSync(this.#inside('ballast')).size} bytes of ballast on a small tmpfs`;
  }

  free(): void {
    rmSync(this.#inside('ballast'));
  }

  settle(): void {
    const copy = `${this.#directory}.copy`;
    cpSync(this.#inside(), copy, { recursive: true });
    // In this order: without the directory that it is mounted on, the small disk is gone.
    rmSync(this.#directory, { recursive: true });
    renameSync(copy, this.#directory);
  }

  close(): void {
    this.#holder.stdin?.end();
    rmSync(`${this.#directory}.small`, { recursive: true, force: true });
  }
}

/** False when the disk is full. */
function fits(file: number, bytes: Buffer): boolean {
  try {
    return writeSync(file, bytes) === bytes.length;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return false;
    throw error;
  }
}

/** What the process may still write to its own log, which must tell what happened. */
const LOG_ROOM_BYTES = 65_536;

class FileSizeLimit implements Space {
  readonly error = 'EFBIG';
  readonly #replica: StageReplica;
  readonly #why: string;
  #limitBytes: number | undefined;

  constructor(replica: StageReplica, why: string) {
    this.#replica = replica;
    this.#why = why;
  }

  get wrap(): Wrap {
    const limit = this.#limitBytes;
    if (limit === undefined) return (command) => command;
    return ({ file, args }) => ({ file: 'prlimit', args: [`--fsize=${limit}`, file, ...args] });
  }

  /** The log segment cannot grow any more, at once or after a little while. */
  fill(pid: number): string {
    const { directory, dataDirectory } = this.#replica;
    const log = join(dataDirectory, 'log');
    const segments = readdirSync(log).filter((name) => /^log-\d+$/.test(name));
    const sizes = segments.map((name) => statSync(join(log, name)).size);
    this.#limitBytes = Math.max(...sizes, statSync(join(directory, 'log')).size + LOG_ROOM_BYTES);
    execFileSync('prlimit', ['--pid', String(pid), `--fsize=${this.#limitBytes}`]);
    return `no file above ${this.#limitBytes} bytes (${this.#why})`;
  }

  free(): void {
    this.#limitBytes = undefined;
  }

  /** Its files never left their place. */
  settle(): void {
    this.free();
  }

  close(): void {
    this.free();
  }
}
