/**
 * How a term begins at the replica that wins it: when each stage from the news that the leader is gone to the first cold start was
 * reached. For people who ask why a failover took as long as it did, and for the benchmark: moments of this machine's monotonic clock.
 */
import type { RaftStatus } from '../core/raft/types.ts';
import type { Clock } from '../ports/system.ts';

/** Who said that the leader is gone. */
export type HintSource = 'advisory' | 'probe';
/** `timeout`: nobody said so; `transfer`: the leader asked for it. */
export type Cause = HintSource | 'timeout' | 'transfer';

/**
 * gone: the hint is believed; campaign: PreVote is asked; candidacy: votes are asked; own-vote: it is on the disk; elected; no-op: applied;
 * beacon: sent; hello, demand: the first of each is here; placed: the first create is on its way; endpoint: data planes are told of it.
 */
export type Stage =
  | 'gone'
  | 'campaign'
  | 'candidacy'
  | 'own-vote'
  | 'elected'
  | 'no-op'
  | 'beacon'
  | 'hello'
  | 'demand'
  | 'placed'
  | 'endpoint';

export interface TermStory {
  readonly cause: Cause;
  /** PreVotes that were asked. */
  readonly campaigns: number;
  readonly atMs: Readonly<Partial<Record<Stage, number>>>;
}

export class TermBeginning {
  readonly #clock: Clock;
  #cause: Cause = 'timeout';
  #campaigns = 0;
  #atMs: Partial<Record<Stage, number>> = {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The leader that is followed is gone. */
  hint(source: HintSource): void {
    if (this.reach('gone')) this.#cause = source;
  }

  changed({ role, leader }: Pick<RaftStatus, 'role' | 'leader'>): void {
    if (role === 'pre-candidate') this.#campaign();
    else if (role === 'candidate') this.#ask();
    else if (role === 'leader') this.reach('elected');
    // Without a leader the story goes on: a campaign that failed is tried again.
    else if (leader !== '' || this.#atMs.elected !== undefined) this.#forget();
  }

  #campaign(): void {
    this.#campaigns++;
    this.reach('gone');
    this.reach('campaign');
    delete this.#atMs.candidacy;
    delete this.#atMs['own-vote'];
  }

  #ask(): void {
    if (this.#campaigns === 0) this.#cause = 'transfer';
    this.reach('candidacy');
  }

  #forget(): void {
    this.#cause = 'timeout';
    this.#campaigns = 0;
    this.#atMs = {};
  }

  /** The first time counts. @returns whether this was it */
  reach(stage: Stage): boolean {
    if (this.#atMs[stage] !== undefined) return false;
    this.#atMs[stage] = this.#clock.now();
    return true;
  }

  /** From the news that the leader is gone, or its wish to hand over, until the no-op was applied. */
  get electionMs(): number | undefined {
    const { gone, candidacy } = this.#atMs;
    const [fromMs, toMs] = [gone ?? candidacy, this.#atMs['no-op']];
    return fromMs === undefined || toMs === undefined ? undefined : toMs - fromMs;
  }

  /** Milliseconds to a hundredth. */
  get story(): TermStory {
    const rounded = Object.entries(this.#atMs).map(([stage, ms]) => [stage, Math.round(ms * 100) / 100]);
    return {
      cause: this.#cause,
      campaigns: this.#campaigns,
      atMs: Object.fromEntries(rounded) as TermStory['atMs'],
    };
  }
}
