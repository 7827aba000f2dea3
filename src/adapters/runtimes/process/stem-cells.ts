/** Generic JavaScript processes, booted ahead: a cold start takes one and costs a module load, not a boot. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { eachLine } from './lines.ts';
import { CHANNEL, decodeFromShim, encodeMessage, type FromShim, type ToShim } from './protocol.ts';

/** Beside this file: built, or in the sources. */
const built = fileURLToPath(new URL('./shim.js', import.meta.url));
const SHIM = existsSync(built) ? built : fileURLToPath(new URL('./shim.ts', import.meta.url));

type Answer = Exclude<FromShim, { kind: 'booted' }>;

export class Cell {
  readonly child: ChildProcess;
  /** Rejects when it ends first. */
  readonly booted: Promise<void>;
  /** The one answer to a start; pending for ever where the process ends first, which its owner sees. */
  readonly answered: Promise<Answer>;
  readonly #channel: Socket | undefined;
  #boot: () => void = () => undefined;
  #answer: (answer: Answer) => void = () => undefined;

  constructor(child: ChildProcess) {
    this.child = child;
    const channel = child.stdio[CHANNEL];
    this.#channel = channel instanceof Socket ? channel : undefined;
    this.booted = new Promise((resolve, reject) => {
      this.#boot = resolve;
      child.once('exit', (code, signal) => reject(new Error(`it ended: ${signal ?? `exit ${code ?? '?'}`}`)));
      child.once('error', reject);
    });
    this.booted.catch(() => undefined);
    this.answered = new Promise((resolve) => (this.#answer = resolve));
    if (this.#channel !== undefined) eachLine(this.#channel, (line) => this.#receive(line));
    child.once('exit', () => this.#channel?.destroy());
  }

  #receive(line: string): void {
    const message = decodeFromShim(line);
    if (message === undefined) return;
    if (message.kind === 'booted') return this.#boot();
    this.#answer(message);
    // C1: whatever else a function writes stays in its own pipe.
    this.#channel?.pause();
  }

  send(message: ToShim): void {
    this.#channel?.write(encodeMessage(message));
  }
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

  /** Resolves when the pool is full and booted, as far as that can be. */
  async fill(): Promise<void> {
    this.refill();
    await Promise.allSettled(this.#cells.map(({ booted }) => booted));
  }

  /** A booted cell where there is one, otherwise one that boots now. */
  take(): Cell {
    return this.#cells.shift() ?? this.#boot();
  }

  /** Called when a start is over: a boot beside it would take the processor from it. */
  refill(): void {
    while (!this.#closed && this.#cells.length < this.#options.keep) this.#cells.push(this.#boot());
  }

  close(): void {
    this.#closed = true;
    for (const { child } of this.#cells) child.kill('SIGKILL');
    this.#cells = [];
  }

  #boot(): Cell {
    const sources = SHIM.endsWith('.ts') ? ['--import', 'tsx'] : [];
    const node = [process.execPath, ...sources, '--enable-source-maps', '--no-warnings', SHIM];
    const [file = '', ...args] = this.#options.wrap(node);
    const child = spawn(file, args, {
      env: this.#options.env,
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      detached: true,
    });
    const cell = new Cell(child);
    const forget = (): void => {
      this.#cells = this.#cells.filter((other) => other !== cell);
    };
    child.once('exit', forget);
    child.once('error', forget);
    return cell;
  }
}
