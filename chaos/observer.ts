/**
 * Looks at all replicas, again and again, as an operator would, and keeps what no healthy cluster can show:
 *
 *   O1  two leaders of one term;
 *   O2  two state hashes at one applied index.
 */
import type { Replica as ReplicaStatus } from '../src/api/client.ts';
import type { Stage } from './stage.ts';
import { pause } from './until.ts';

const EVERY_MS = 100;

export class Observer {
  readonly violations: string[] = [];
  leaderChanges = 0;
  /** Of the highest term that anybody led in. */
  leader: { readonly id: string; readonly term: number } = { id: '', term: 0 };
  /** Who answered last time. */
  up: ReadonlySet<string> = new Set();
  readonly #stage: Stage;
  readonly #leaders = new Map<number, string>();
  readonly #hashes = new Map<number, { readonly hash: string; readonly id: string }>();
  #running: Promise<void> | undefined;
  #stopped = false;

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  start(): void {
    this.#running = this.#watch();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #watch(): Promise<void> {
    while (!this.#stopped && !this.#stage.signal.aborted) {
      const all = await Promise.all(this.#stage.replicas.map(({ id }) => this.#stage.status(id)));
      const answered = all.filter((status) => status !== undefined);
      this.up = new Set(answered.map(({ id }) => id));
      for (const status of answered) this.see(status);
      await pause(EVERY_MS, this.#stage.signal).catch(() => undefined);
    }
  }

  /** One replica's word about itself. */
  see(status: Pick<ReplicaStatus, 'id' | 'role' | 'term' | 'appliedIndex' | 'stateHash'>): void {
    const { id, role, term, appliedIndex, stateHash } = status;
    if (role === 'leader') {
      const other = this.#leaders.get(term) ?? id;
      this.#leaders.set(term, id);
      if (other !== id) this.violations.push(`O1: ${other} and ${id} both led in term ${term}`);
      if (term > this.leader.term) {
        if (this.leader.term > 0) this.leaderChanges++;
        this.leader = { id, term };
      }
    }
    const known = this.#hashes.get(appliedIndex);
    if (known === undefined) this.#hashes.set(appliedIndex, { hash: stateHash, id });
    else if (known.hash !== stateHash)
      this.violations.push(
        `O2: at index ${appliedIndex} ${known.id} has state ${known.hash} and ${id} has ${stateHash}`,
      );
  }
}
