/**
 * The load of one function between two reports: the mean number of requests in flight, as whole numbers whose sum over
 * time is exact. What a report rounds off is carried to the next one, so requests of a millisecond neither vanish between
 * two samples nor count as a whole quarter of a second each. Activity after a pause shows at once as 1, so that a
 * function that is called now and then is not taken for idle.
 */
const QUIET_MS = 5_000;

export class LoadMeter {
  #inFlight = 0;
  #area = 0;
  #sinceMs: number;
  #startMs: number;
  #carry = 0;
  #seen = false;
  #lastNonZeroMs = Number.NEGATIVE_INFINITY;
  /** As of the last sample. */
  value = 0;

  constructor(nowMs: number) {
    this.#sinceMs = nowMs;
    this.#startMs = nowMs;
  }

  set(inFlight: number, nowMs: number): void {
    this.#area += this.#inFlight * (nowMs - this.#sinceMs);
    this.#sinceMs = nowMs;
    this.#inFlight = inFlight;
    if (inFlight > 0) this.#seen = true;
  }

  sample(nowMs: number): number {
    this.set(this.#inFlight, nowMs);
    const span = nowMs - this.#startMs;
    const mean = span > 0 ? this.#area / span : this.#inFlight;
    const exact = mean + this.#carry;
    let value = Math.max(0, Math.floor(exact + 1e-9));
    if (value === 0 && this.#seen && nowMs - this.#lastNonZeroMs >= QUIET_MS) value = 1;
    this.#carry = Math.max(-1, exact - value);
    if (value > 0) this.#lastNonZeroMs = nowMs;
    this.#area = 0;
    this.#startMs = nowMs;
    this.#seen = this.#inFlight > 0;
    this.value = value;
    return value;
  }

  /** Nothing in flight and nothing left to say. */
  get idle(): boolean {
    return this.#inFlight === 0 && !this.#seen && this.value === 0;
  }
}
