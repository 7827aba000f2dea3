/**
 * Requests in an open loop: each is due at its moment, whatever became of those before. Warm ones go to functions that always have
 * sandboxes; cold ones each to the next function of a long list, which has gone to zero since it was called last.
 */
import { systemClock } from '../../src/adapters/system/clock.ts';
import { distribution, type Distribution } from '../lib/figures.ts';
import type { Answer, Caller } from './caller.ts';

export interface ColdCall {
  readonly dataPlane: number;
  readonly function: string;
  readonly sentMs: number;
  isOver: boolean;
  /** 0, and no sandbox: not over, failed, or not cold. */
  firstByteMs: number;
  sandbox: string;
}

export interface LoadOptions {
  /** One for each data plane: they take turns. */
  readonly callers: readonly Caller[];
  readonly warmFunctions: readonly string[];
  readonly coldFunctions: readonly string[];
  readonly warmPerSecond: number;
  readonly coldPerSecond: number;
}

export interface LoadFigures {
  readonly sent: number;
  readonly failed: number;
  readonly latencyMs: Distribution;
}

const TICK_MS = 2;
/** Said in full; the others are counted. */
const FAILURES_TOLD = 20;

export class Load {
  readonly failures: string[] = [];
  /** Since the last `take`; a call is answered in place. */
  #calls: ColdCall[] = [];
  readonly #options: LoadOptions;
  readonly #warm = new Stream();
  readonly #cold = new Stream();
  /** What answered a function last: the same sandbox again is no cold start. */
  readonly #lastSandbox = new Map<string, string>();
  notCold = 0;
  #onCold: ((call: ColdCall) => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #tickedMs = 0;
  #tick = { n: 0, maxMs: 0 };

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  start(): void {
    const nowMs = systemClock.now();
    this.#warm.begin(nowMs, this.#options.warmPerSecond);
    this.#cold.begin(nowMs, this.#options.coldPerSecond);
    this.#tickedMs = nowMs;
    this.#timer = setInterval(() => this.#sendDue(), TICK_MS);
  }

  /** No more. */
  halt(): void {
    clearInterval(this.#timer);
  }

  /** No more; what is under way is waited for. */
  async stop(): Promise<void> {
    this.halt();
    await Promise.all([this.#warm.ended(), this.#cold.ended()]);
  }

  get sent(): number {
    return this.#warm.sent + this.#cold.sent;
  }

  get warm(): LoadFigures {
    return this.#warm.figures;
  }

  get cold(): LoadFigures {
    return this.#cold.figures;
  }

  /** Longest time between two looks at what is due: the generator's own delay. */
  get lateMs(): number {
    return this.#tick.maxMs;
  }

  /** Calls since the last time, and those that were not over then. */
  take(): readonly ColdCall[] {
    const calls = this.#calls;
    this.#calls = calls.filter(({ isOver }) => !isOver);
    return calls;
  }

  /** Resolves with the first cold call sent after `momentMs` that a new sandbox answers. */
  firstColdAfter(momentMs: number): Promise<ColdCall> {
    return new Promise((resolve) => {
      this.#onCold = (call) => {
        if (call.sentMs <= momentMs) return;
        this.#onCold = undefined;
        resolve(call);
      };
    });
  }

  #sendDue(): void {
    const nowMs = systemClock.now();
    this.#tick.maxMs = Math.max(this.#tick.maxMs, nowMs - this.#tickedMs);
    this.#tickedMs = nowMs;
    for (; this.#warm.isDue(nowMs);) this.#sendWarm();
    for (; this.#cold.isDue(nowMs);) this.#sendCold();
  }

  #sendWarm(): void {
    const { warmFunctions, callers } = this.#options;
    const { n, dueMs } = this.#warm.next();
    const name = warmFunctions[Math.floor(n / callers.length) % warmFunctions.length] ?? '';
    callers[n % callers.length]?.get(`/function/${name}`, (answer) =>
      this.#warm.end(this.#isServed(name, answer), systemClock.now() - dueMs),
    );
  }

  #sendCold(): void {
    const { coldFunctions, callers } = this.#options;
    const { n, dueMs } = this.#cold.next();
    const name = coldFunctions[n % coldFunctions.length] ?? '';
    const dataPlane = n % callers.length;
    const call = {
      dataPlane,
      function: name,
      sentMs: systemClock.now(),
      isOver: false,
      firstByteMs: 0,
      sandbox: '',
    };
    this.#calls.push(call);
    callers[dataPlane]?.get(`/function/${name}`, (answer) => {
      call.isOver = true;
      const isServed = this.#isServed(name, answer);
      this.#cold.end(isServed, systemClock.now() - dueMs);
      if (isServed) this.#answered(call, answer);
    });
  }

  #answered(call: ColdCall, { firstByteMs, body }: Answer): void {
    const { sandbox } = JSON.parse(body) as { sandbox: string };
    if (this.#lastSandbox.get(call.function) === sandbox) {
      this.notCold++;
      return;
    }
    this.#lastSandbox.set(call.function, sandbox);
    call.firstByteMs = firstByteMs;
    call.sandbox = sandbox;
    this.#onCold?.(call);
  }

  #isServed(name: string, { status, reason, body, error }: Answer): boolean {
    if (status === 200 && reason === '' && body.includes(`"function":"${name}"`)) return true;
    const what = error === '' ? `${status} ${reason} ${body.slice(0, 200)}` : error;
    if (this.failures.length < FAILURES_TOLD)
      this.failures.push(`${name} at ${systemClock.now().toFixed(0)} ms: ${what.trim()}`);
    return false;
  }
}

/** One rate: what is due, and what became of it. */
class Stream {
  sent = 0;
  #failed = 0;
  readonly #latencies: number[] = [];
  #beganMs = 0;
  #everyMs = Number.POSITIVE_INFINITY;
  #onAll: (() => void) | undefined;

  begin(nowMs: number, perSecond: number): void {
    this.#beganMs = nowMs;
    this.#everyMs = 1_000 / perSecond;
  }

  #dueMs(): number {
    return this.#beganMs + this.sent * this.#everyMs;
  }

  isDue(nowMs: number): boolean {
    return this.#dueMs() <= nowMs;
  }

  next(): { n: number; dueMs: number } {
    const dueMs = this.#dueMs();
    return { n: this.sent++, dueMs };
  }

  end(isServed: boolean, tookMs: number): void {
    this.#latencies.push(tookMs);
    if (!isServed) this.#failed++;
    if (this.#latencies.length === this.sent) this.#onAll?.();
  }

  ended(): Promise<void> {
    if (this.#latencies.length === this.sent) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onAll = resolve;
    });
  }

  get figures(): LoadFigures {
    return { sent: this.sent, failed: this.#failed, latencyMs: distribution(this.#latencies) };
  }
}
