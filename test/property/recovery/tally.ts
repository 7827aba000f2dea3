/** What histories amounted to. */
import type { History } from './histories.ts';
import { faultOf } from './steps.ts';

const LEAST_COMMANDS = 40;

export interface Counts {
  readonly runs: number;
  readonly failovers: number;
  readonly commands: number;
  readonly leastCommands: number;
  readonly leastFailovers: number;
  /** Steps that were faults, by kind. */
  readonly faults: Readonly<Record<string, number>>;
}

export class Tally {
  #runs = 0;
  #failovers = 0;
  #commands = 0;
  #leastCommands = Number.POSITIVE_INFINITY;
  #leastFailovers = Number.POSITIVE_INFINITY;
  readonly #faults: Record<string, number> = {};

  get runs(): number {
    return this.#runs;
  }

  /**
   * @param failovers during its steps, or demanded after them: those at rest do not count
   * @throws Error when the history shows nothing
   */
  note({ steps }: History, failovers: number): void {
    if (steps.length < LEAST_COMMANDS || failovers === 0)
      throw new Error(`vacuous: ${steps.length} commands and ${failovers} failovers`);
    this.#runs++;
    this.#commands += steps.length;
    this.#failovers += failovers;
    this.#leastCommands = Math.min(this.#leastCommands, steps.length);
    this.#leastFailovers = Math.min(this.#leastFailovers, failovers);
    for (const step of steps) {
      const kind = faultOf(step);
      if (kind !== undefined) add(this.#faults, kind, 1);
    }
  }

  get counts(): Counts {
    return {
      runs: this.#runs,
      failovers: this.#failovers,
      commands: this.#commands,
      leastCommands: this.#leastCommands,
      leastFailovers: this.#leastFailovers,
      faults: sorted(this.#faults),
    };
  }
}

export function add(counts: Record<string, number>, kind: string, more: number): void {
  counts[kind] = (counts[kind] ?? 0) + more;
}

export const sorted = (counts: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1)));
