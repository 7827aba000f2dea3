/** Cold calls, one each 25 ms and each to the next function: what a client sees of a failover, and which of its stages took the time. */
import { call } from '../../cluster/demo/load.ts';
import { systemClock } from '../../src/adapters/system/clock.ts';
import { BatonError } from '../../src/lib/errors.ts';
import { Records } from '../failover/records.ts';
import { round } from '../lib/figures.ts';
import { coldFunction, COLD_FUNCTIONS, type Fleet } from './fleet.ts';

const COLD_EVERY_MS = 25;

export interface ColdAnswer {
  readonly sentMs: number;
  readonly answeredMs: number;
}

/** All moments are of the machine's monotonic clock, as those in the logs of the processes. */
export class ColdCalls {
  failed = 0;
  readonly #answers: ColdAnswer[] = [];
  readonly #under: Promise<void>[] = [];
  readonly #timer: NodeJS.Timeout;
  #next = 0;

  constructor(fleet: Fleet) {
    this.#timer = setInterval(() => {
      if (this.#next >= COLD_FUNCTIONS) return;
      this.#under.push(this.#call(`${fleet.dataPlaneUrl}/function/${coldFunction(this.#next++)}`));
    }, COLD_EVERY_MS);
  }

  get answered(): number {
    return this.#answers.length;
  }

  async #call(url: string): Promise<void> {
    const sentMs = systemClock.now();
    const status = await call(url).then(
      (answer) => answer.status,
      () => 0,
    );
    if (status === 200) this.#answers.push({ sentMs, answeredMs: systemClock.now() });
    else this.failed++;
  }

  /** @throws BatonError where there was none */
  firstAnswerAfter(momentMs: number): ColdAnswer {
    const later = this.#answers.filter(({ answeredMs }) => answeredMs >= momentMs);
    const first = later.toSorted((a, b) => a.answeredMs - b.answeredMs)[0];
    if (first === undefined) throw new BatonError('unavailable', 'no cold call was answered');
    return first;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#under);
  }
}

/**
 * Milliseconds after the new leader's no-op was applied. What nobody noted is left out; all of it, where a later term has begun since.
 *
 *   seen      this benchmark saw that it leads: from here `firstPlacementMs` counts
 *   sent      the call that was answered first (before the win: below 0)
 *   beacon    the leader has announced its term
 *   believed  a data plane has heard that
 *   hello     the first worker's report is at the leader
 *   demand    the first demand is at the leader
 *   placed    the first create leaves
 *   endpoint  its sandbox is up, and the leader tells data planes
 *   received  a data plane has a sandbox that it had not before
 *   answered  the first cold call
 */
export type PlacementStages = Readonly<Partial<Record<PlacementStage, number>>>;
type PlacementStage =
  | 'seen'
  | 'sent'
  | 'beacon'
  | 'believed'
  | 'hello'
  | 'demand'
  | 'placed'
  | 'endpoint'
  | 'received'
  | 'answered';

export function placementStages(
  fleet: Fleet,
  termBefore: number,
  seenMs: number,
  { sentMs, answeredMs }: ColdAnswer,
): PlacementStages {
  const { replicas, dataPlanes } = fleet.replicas.view;
  const records = new Records({
    replicas: replicas.map(({ id }) => id),
    dataPlanes,
    workers: [],
    logOf: (id) => fleet.replicas.logOf(id),
  });
  records.read();
  const leading = records.leadingAbove(termBefore);
  const wonMs = leading?.atMs['no-op'];
  if (leading === undefined || wonMs === undefined || wonMs > seenMs) return {};
  const atMs = records.story(leading.term)?.atMs ?? {};
  const hearing = records.heard(dataPlanes[0]?.id ?? '', leading.term);
  const moments: Record<PlacementStage, number | undefined> = {
    seen: seenMs,
    sent: sentMs,
    beacon: atMs['beacon'],
    believed: hearing?.heardMs,
    hello: atMs['hello'],
    demand: atMs['demand'],
    placed: atMs['placed'],
    endpoint: atMs['endpoint'],
    received: hearing?.sandboxMs,
    answered: answeredMs,
  };
  const told = Object.entries(moments).flatMap(([stage, ms]) =>
    ms === undefined || !Number.isFinite(ms) ? [] : [[stage, round(ms - wonMs)] as const],
  );
  return Object.fromEntries(told);
}
