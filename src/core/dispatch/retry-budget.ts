/**
 * Retries of requests that a sandbox may have seen are paid for out of what the function's own traffic puts in, so that
 * a fleet that fails as a whole sees at most a tenth more requests (DESIGN, "Dispatch in the data plane").
 */
export class RetryBudget {
  /** In tenths of a retry: whole numbers, so that nothing drifts. */
  #tenths: number;
  readonly #maxTenths: number;

  /** Begins with one retry, so that a function that is called once an hour has one as well. */
  constructor(maxRetries = 10) {
    this.#tenths = 10;
    this.#maxTenths = maxRetries * 10;
  }

  /** A first attempt pays in a tenth of a retry. */
  deposit(): void {
    if (this.#tenths < this.#maxTenths) this.#tenths++;
  }

  withdraw(): boolean {
    if (this.#tenths < 10) return false;
    this.#tenths -= 10;
    return true;
  }
}
