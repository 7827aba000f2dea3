/**
 * A replica whose disk fills up: its data directory becomes a small tmpfs in a mount namespace of its own (no privileges are
 * needed where user namespaces are allowed), a ballast file takes what is left, and goes again.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, cpSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { BatonError } from '../../src/lib/errors.ts';
import type { Stage, Wrap } from '../stage.ts';
import { until } from '../until.ts';

const SPARE_KIB = 8_192;
const MOUNT_TIMEOUT_MS = 10_000;
const STEP_DOWN_TIMEOUT_MS = 20_000;
const LEAD_TIMEOUT_MS = 20_000;
const REJOIN_TIMEOUT_MS = 30_000;

/** The holder keeps the namespace alive until its input closes, so none outlives this process. */
const HOLD = `set -e
mkdir -p "$1.small"
used=$(du -sk "$1" | cut -f1)
mount -t tmpfs -o size=$((used + $2))k,mode=700 tmpfs "$1.small"
cp -a "$1/." "$1.small/"
mount --move "$1.small" "$1"
echo mounted
exec cat`;

class SmallDisk {
  readonly #holder: ChildProcess;
  readonly #directory: string;

  private constructor(holder: ChildProcess, directory: string) {
    this.#holder = holder;
    this.#directory = directory;
  }

  /** @throws BatonError `unsupported` where the system allows no user namespaces */
  static async mount(directory: string, signal: AbortSignal): Promise<SmallDisk> {
    const holder = spawn('unshare', ['-Urm', 'sh', '-c', HOLD, 'sh', directory, String(SPARE_KIB)], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let said = '';
    holder.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    holder.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    holder.on('error', (error) => (said += error.message));
    const disk = new SmallDisk(holder, directory);
    await until(`a small disk at ${directory}`, MOUNT_TIMEOUT_MS, signal, () => {
      if (said.includes('mounted')) return true;
      if (holder.exitCode === null && holder.pid !== undefined) return false;
      throw new BatonError('unsupported', `no small disk can be mounted: ${said.trim()}`, {
        hint: 'allow user namespaces (unshare -Urm), or leave the full disk out',
      });
    });
    return disk;
  }

  readonly wrap: Wrap = ({ file, args }) => ({
    file: 'nsenter',
    args: ['--preserve-credentials', '-U', '-m', '-t', String(this.#holder.pid), '--', file, ...args],
  });

  /** A path of the replica's directory as the replica sees it. */
  #inside(...path: string[]): string {
    return join('/proc', String(this.#holder.pid), 'root', this.#directory, ...path);
  }

  /** Writes until the system says that nothing more fits. @returns bytes of ballast */
  fill(): number {
    const file = openSync(this.#inside('ballast'), 'w');
    try {
      for (let piece = 65_536; piece >= 512; piece /= 2) {
        const zeros = Buffer.alloc(piece);
        while (fits(file, zeros));
      }
    } finally {
      closeSync(file);
    }
    return statSync(this.#inside('ballast')).size;
  }

  free(): void {
    rmSync(this.#inside('ballast'));
  }

  /** What the replica stored goes back to where it lives without this disk. */
  copyBack(): void {
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

/**
 * The disk fills under a leader. It must stop at the refused write and another must lead; on the full disk it must not come
 * back; once there is space it must, with the log that it had.
 */
export async function fillDisk(stage: Stage, id: string): Promise<string> {
  await stage.kill(id);
  const disk = await SmallDisk.mount(stage.replica(id).dataDirectory, stage.signal);
  try {
    await stage.start(id, disk.wrap);
    await untilLeads(stage, id);
    const mark = stage.logMark(id);
    const ballast = disk.fill();
    await stage.untilGone(id, STEP_DOWN_TIMEOUT_MS);
    demandLog(stage, id, mark, 'ENOSPC');
    const successor = await until('another leader', LEAD_TIMEOUT_MS, stage.signal, () => stage.leader());

    const again = stage.logMark(id);
    stage.launch(id, disk.wrap);
    await stage.untilGone(id, STEP_DOWN_TIMEOUT_MS);
    demandLog(stage, id, again, 'ENOSPC');

    disk.free();
    const freed = stage.logMark(id);
    await stage.start(id, disk.wrap);
    await until(`${id} votes again`, REJOIN_TIMEOUT_MS, stage.signal, async () => {
      return (await stage.status(id))?.voter === true;
    });
    if (stage.logSince(id, freed).includes('without a vote'))
      throw new BatonError('damaged', `${id}: the full disk damaged its log: ${stage.logEnd(id)}`);
    await stage.kill(id);
    disk.copyBack();
    await stage.start(id);
    return `ENOSPC under ${ballast} bytes of ballast, ${successor.id} led instead; refused to start until there was space`;
  } finally {
    disk.close();
  }
}

async function untilLeads(stage: Stage, id: string): Promise<void> {
  await until(`${id} leads`, LEAD_TIMEOUT_MS, stage.signal, async () => {
    const leader = await stage.leader();
    if (leader?.id === id) return true;
    const { client } = stage.replica(leader?.id ?? id);
    await client.call('transferLeadership', { to: id }, 2_000).catch(() => undefined);
    return false;
  });
}

function demandLog(stage: Stage, id: string, mark: number, text: string): void {
  if (stage.logSince(id, mark).includes(text)) return;
  throw new BatonError('io', `${id} ended, but not by a refused write: ${stage.logEnd(id)}`);
}
