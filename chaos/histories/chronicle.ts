/**
 * What happened when, recorded once, in the shape that a report draws: throughput and errors in bins of time, who led, and
 * faults as bands. Times are milliseconds since the chronicle began, by one monotonic clock.
 */
export interface LeaderSpan {
  readonly id: string;
  readonly term: number;
  readonly fromMs: number;
  /** When the next one led; the last: when the chronicle was closed. */
  readonly toMs: number;
}

export interface FaultBand {
  readonly kind: string;
  readonly target: string;
  readonly fromMs: number;
  readonly toMs: number;
  /** What shows that it happened. */
  readonly proof: string;
}

export interface Timeline {
  readonly binMs: number;
  readonly endMs: number;
  /** Requests that ended in each bin. */
  readonly served: readonly number[];
  readonly failed: readonly number[];
  /** The slowest that ended in each bin, from when it was due. */
  readonly worstMs: readonly number[];
  readonly leaders: readonly LeaderSpan[];
  readonly faults: readonly FaultBand[];
}

const BIN_MS = 100;

interface Bin {
  served: number;
  failed: number;
  worstMs: number;
}

export class Chronicle {
  readonly faults: FaultBand[] = [];
  readonly #beganMs: number = performance.now();
  readonly #beganWallMs: number = Date.now();
  readonly #bins: Bin[] = [];
  readonly #leaders: { id: string; term: number; fromMs: number }[] = [];

  now(): number {
    return performance.now() - this.#beganMs;
  }

  /** Of what another process of this machine wrote with its wall clock. */
  atWall(wallMs: number): number {
    return wallMs - this.#beganWallMs;
  }

  ended(atMs: number, isServed: boolean, tookMs: number): void {
    const at = Math.max(0, Math.floor(atMs / BIN_MS));
    while (this.#bins.length <= at) this.#bins.push({ served: 0, failed: 0, worstMs: 0 });
    const bin = this.#bins[at];
    if (bin === undefined) return;
    if (isServed) bin.served++;
    else bin.failed++;
    bin.worstMs = Math.max(bin.worstMs, Math.round(tookMs * 10) / 10);
  }

  /** In any order; a term is told once. */
  led(id: string, term: number, atMs: number): void {
    if (this.#leaders.some((leader) => leader.term === term)) return;
    this.#leaders.push({ id, term, fromMs: Math.max(0, atMs) });
    this.#leaders.sort((a, b) => a.term - b.term);
  }

  /** The first leader of a higher term, and since when it leads. */
  leaderAfter(
    term: number,
  ): { readonly id: string; readonly term: number; readonly fromMs: number } | undefined {
    return this.#leaders.find((leader) => leader.term > term);
  }

  /** Of the highest term that anybody led in; term 0: nobody did. */
  get leader(): { readonly id: string; readonly term: number } {
    return this.#leaders.at(-1) ?? { id: '', term: 0 };
  }

  get leaderChanges(): number {
    return Math.max(0, this.#leaders.length - 1);
  }

  /** Now until the returned function is called with what shows that it happened. */
  fault(kind: string, target: string): (proof: string) => void {
    const fromMs = this.now();
    return (proof) => {
      this.faults.push({ kind, target, fromMs: Math.round(fromMs), toMs: Math.round(this.now()), proof });
    };
  }

  timeline(): Timeline {
    const endMs = Math.round(this.now());
    return {
      binMs: BIN_MS,
      endMs,
      served: this.#bins.map(({ served }) => served),
      failed: this.#bins.map(({ failed }) => failed),
      worstMs: this.#bins.map(({ worstMs }) => worstMs),
      leaders: this.#leaders.map(({ id, term, fromMs }, i) => ({
        id,
        term,
        fromMs: Math.round(fromMs),
        toMs: Math.round(this.#leaders[i + 1]?.fromMs ?? endMs),
      })),
      faults: this.faults,
    };
  }
}
