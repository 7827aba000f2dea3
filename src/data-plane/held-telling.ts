/**
 * What a new leader is told of the endpoints that are held here and that it has not confirmed: before any load, for load alone would
 * make it start a second fleet, and again a second later, for what is told is lost like any message.
 *
 * Of a great table most is confirmed by its workers sooner than it could be told. Then the leader first hears of functions that
 * are asked for (only their scale is decided before reconciliation closes) and which workers there are (so that it waits for
 * them, and judges their silence together); the rest two seconds later, unless its function is asked for meanwhile, and later still
 * while it melts: a leader that is slow to hear thousands of workers is not helped by a second word for each of their sandboxes.
 */
import type { EndpointReplica } from '../core/endpoints/endpoint-replica.ts';
import type { FunctionLoad } from '../core/model/data-plane-report.ts';
import type { FunctionUid } from '../lib/ids.ts';
import { splitHeld, type HeldPart } from '../wire/data-plane-codec.ts';

const AGAIN_MS = 1_000;
const REST_MS = 2_000;
/** The rest waits on for as long as each look finds less than this part of what the one before found. */
const LOOK_MS = 500;
const MELTING = 3 / 4;
const AT_ONCE = 4_096;

export class HeldTelling {
  readonly #table: () => EndpointReplica;
  readonly #atOnce: number;
  /** Tellings still to come, and when the next one is due. */
  #left = 0;
  #dueMs = 0;
  /** While the rest of a great table is left for later: functions that it is not left of. */
  #told: Set<FunctionUid> | undefined = undefined;
  /** Of the rest: functions whose turn has come early, and is being told. */
  #early: readonly FunctionUid[] = [];
  #isFirst = false;
  /** Unconfirmed at the last look. */
  #seen = 0;

  /** @param atOnce more endpoints are a great table */
  constructor(table: () => EndpointReplica, atOnce: number = AT_ONCE) {
    this.#table = table;
    this.#atOnce = atOnce;
  }

  /** A leader has heard nothing from us, or may have missed something. */
  begin(nowMs: number): void {
    this.#left = 2;
    this.#dueMs = nowMs;
    this.#isFirst = true;
    this.#told = undefined;
    this.#early = [];
  }

  /** What is told before these loads are, in parts; undefined: nothing. The same again until {@link done}. */
  next(loads: readonly FunctionLoad[], nowMs: number): HeldPart[] | undefined {
    if (this.#left > 0 && nowMs >= this.#dueMs && !this.#isMelting(nowMs)) return this.#telling(loads);
    const told = this.#told;
    if (told === undefined) return undefined;
    this.#early = loads.flatMap(({ uid }) => (told.has(uid) ? [] : [uid]));
    const endpoints = this.#early.flatMap((uid) => this.#table().unconfirmedOf(uid));
    if (endpoints.length > 0) return splitHeld(endpoints, []);
    // Under this fence no more of them become unconfirmed.
    for (const uid of this.#early) told.add(uid);
    this.#early = [];
    return undefined;
  }

  #isMelting(nowMs: number): boolean {
    if (this.#isFirst || this.#told === undefined) return false;
    const { unconfirmed } = this.#table();
    const isMelting = unconfirmed > this.#atOnce && unconfirmed < this.#seen * MELTING;
    this.#seen = unconfirmed;
    if (isMelting) this.#dueMs = nowMs + LOOK_MS;
    return isMelting;
  }

  #telling(loads: readonly FunctionLoad[]): HeldPart[] {
    const table = this.#table();
    this.#early = [];
    this.#told = undefined;
    this.#seen = table.unconfirmed;
    if (!this.#isFirst || this.#seen <= this.#atOnce) return splitHeld(table.unconfirmedEndpoints(), []);
    this.#told = new Set(loads.map(({ uid }) => uid));
    const asked = [...this.#told].flatMap((uid) => table.unconfirmedOf(uid));
    return splitHeld(asked, table.workers());
  }

  /** All parts have gone out. */
  done(nowMs: number): void {
    if (this.#early.length > 0) {
      for (const uid of this.#early) this.#told?.add(uid);
      this.#early = [];
      return;
    }
    // The rest is told twice too.
    if (this.#told === undefined) this.#left--;
    this.#dueMs = nowMs + (this.#told === undefined ? AGAIN_MS : REST_MS);
    this.#isFirst = false;
  }
}
