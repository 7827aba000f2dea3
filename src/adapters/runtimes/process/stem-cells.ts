/** Generic JavaScript processes, booted ahead: a cold start takes one and costs a module load, not a boot. */
import { fork, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { FromShim } from './protocol.ts';

/** Beside this file: built, or in the sources. */
const built = fileURLToPath(new URL('./shim.js', import.meta.url));
const SHIM = existsSync(built) ? built : fileURLToPath(new URL('./shim.ts', import.meta.url));

export interface Cell {
  readonly child: ChildProcess;
  readonly booted: Promise<void>;
}

export interface StemCellOptions {
  readonly keep: number;
  readonly env: Readonly<Record<string, string>>;
  readonly wrap: (command: readonly string[]) => readonly string[];
}

export class StemCells {
  readonly #options: StemCellOptions;
  #cells: Cell[] = [];
  #closed = false;

  constructor(options: StemCellOptions) {
    this.#options = options;
  }

  /** Resolves when the pool is full and booted. */
  async fill(): Promise<void> {
    while (!this.#closed && this.#cells.length < this.#options.keep) this.#add();
    await Promise.allSettled(this.#cells.map(({ booted }) => booted));
  }

  /** A booted cell where there is one, otherwise one that boots now; the pool is filled up behind it. */
  take(): Cell {
    const cell = this.#cells.shift() ?? this.#boot();
    setImmediate(() => {
      if (!this.#closed && this.#cells.length < this.#options.keep) this.#add();
    });
    return cell;
  }

  close(): void {
    this.#closed = true;
    for (const { child } of this.#cells) child.kill('SIGKILL');
    this.#cells = [];
  }

  #add(): void {
    const cell = this.#boot();
    this.#cells.push(cell);
    cell.child.once('exit', () => {
      this.#cells = this.#cells.filter((other) => other !== cell);
    });
  }

  #boot(): Cell {
    const sources = SHIM.endsWith('.ts') ? ['--import', 'tsx'] : [];
    const [file = '', ...args] = this.#options.wrap([
      process.execPath,
      ...sources,
      '--enable-source-maps',
      '--no-warnings',
      SHIM,
    ]);
    const child = fork(args[0] ?? '', args.slice(1), {
      execPath: file,
      execArgv: [],
      env: this.#options.env,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      detached: true,
      serialization: 'json',
    });
    const booted = new Promise<void>((resolve, reject) => {
      child.once('message', (message: FromShim) => {
        if (message.kind === 'booted') resolve();
      });
      child.once('exit', (code, signal) => reject(new Error(`the shim ended: ${signal ?? `exit ${code}`}`)));
      child.once('error', reject);
    });
    booted.catch(() => undefined);
    child.on('error', () => undefined);
    return { child, booted };
  }
}
