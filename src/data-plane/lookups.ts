/**
 * Names that this data plane does not know, asked of the leader: coalesced per name, rate-limited, without a negative
 * cache. Only a leader's "there is none" makes a 404, and only for requests that had arrived before the question was
 * sent: a function may have been registered, and its registration acknowledged, in between.
 */
import { decodeLookupReply, encodeLookup } from '../wire/data-plane-codec.ts';
import type { SpecReplica, SpecUpdate } from '../core/dispatch/spec-replica.ts';
import type { FunctionRecord } from '../core/model/function.ts';
import type { FunctionName } from '../lib/ids.ts';
import { limits } from '../lib/limits.ts';
import type { Clock, Timer } from '../ports/system.ts';
import type { LeaderLink } from './leader-link.ts';
import type { DataPlaneMetrics } from './metrics.ts';

export type LookupAnswer =
  | { readonly kind: 'found'; readonly record: FunctionRecord }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'no-leader' }
  | { readonly kind: 'too-many' };

export interface LookupWaiter {
  readonly deadlineMs: number;
  readonly answer: (answer: LookupAnswer) => void;
  gone: boolean;
}

interface Question {
  readonly name: FunctionName;
  /** A request to the leader is on its way; it may answer `unknown` for those who wait in `asked`. */
  sent: boolean;
  asked: LookupWaiter[];
  /** Arrived after the question was sent. */
  later: LookupWaiter[];
}

const RETRY_MS = 50;

export interface LookupsOptions {
  readonly clock: Clock;
  readonly link: LeaderLink;
  readonly specs: SpecReplica;
  readonly metrics: DataPlaneMetrics;
  readonly onUpdate: (update: SpecUpdate) => void;
}

export class Lookups {
  readonly #options: LookupsOptions;
  readonly #questions = new Map<FunctionName, Question>();
  #tokens: number = limits.lookupsPerSecond;
  #refilledMs: number;
  #timer: Timer | undefined = undefined;

  constructor(options: LookupsOptions) {
    this.#options = options;
    this.#refilledMs = options.clock.now();
  }

  /** The waiter is answered once, unless it says that it is gone. */
  ask(name: FunctionName, waiter: LookupWaiter): void {
    let question = this.#questions.get(name);
    if (question === undefined) {
      if (this.#questions.size >= limits.lookupsInFlight) {
        waiter.answer({ kind: 'too-many' });
        return;
      }
      question = { name, sent: false, asked: [], later: [] };
      this.#questions.set(name, question);
    }
    (question.sent ? question.later : question.asked).push(waiter);
    this.#send(question);
    this.#arm();
  }

  /** Somebody leads now: whatever waits for that is asked at once. */
  onLeader(): void {
    for (const question of this.#questions.values()) this.#send(question);
  }

  /** A function became known by another way. */
  onKnown(record: FunctionRecord): void {
    const question = this.#questions.get(record.spec.name);
    if (question !== undefined) this.#settle(question, { kind: 'found', record });
  }

  stop(): void {
    this.#timer?.cancel();
    for (const question of [...this.#questions.values()]) this.#settle(question, { kind: 'no-leader' });
  }

  #send(question: Question): void {
    const { link, clock, metrics } = this.#options;
    if (question.sent || !link.hasLeader || !this.#takeToken(clock.now())) return;
    question.sent = true;
    const payload = encodeLookup({ name: question.name });
    link.ask('lookup', payload, decodeLookupReply).then(
      (reply) => this.#onReply(question, reply),
      () => {
        metrics.lookups.inc({ answer: 'failed' });
        // Asked again at the next tick; whoever came meanwhile is as good as the first.
        question.sent = false;
        question.asked.push(...question.later.splice(0));
      },
    );
  }

  #onReply(question: Question, reply: ReturnType<typeof decodeLookupReply>): void {
    const { specs, metrics } = this.#options;
    question.sent = false;
    if (this.#questions.get(question.name) !== question) return;
    const { record, update } = specs.onLookup(reply);
    this.#options.onUpdate(update);
    // The update may have answered already.
    if (this.#questions.get(question.name) !== question || update.fenced) return;
    if (record !== undefined) {
      metrics.lookups.inc({ answer: 'found' });
      this.#settle(question, { kind: 'found', record });
      return;
    }
    metrics.lookups.inc({ answer: 'unknown' });
    const asked = question.asked;
    question.asked = question.later;
    question.later = [];
    if (question.asked.length === 0) this.#questions.delete(question.name);
    else this.#send(question);
    for (const waiter of asked) if (!waiter.gone) waiter.answer({ kind: 'unknown' });
  }

  #settle(question: Question, answer: LookupAnswer): void {
    this.#questions.delete(question.name);
    for (const waiter of [...question.asked, ...question.later]) if (!waiter.gone) waiter.answer(answer);
  }

  #takeToken(nowMs: number): boolean {
    const refill = ((nowMs - this.#refilledMs) * limits.lookupsPerSecond) / 1_000;
    this.#tokens = Math.min(limits.lookupsPerSecond, this.#tokens + refill);
    this.#refilledMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  /** One timer for all: asks again, and ends what has waited too long or has left. */
  #arm(): void {
    this.#timer ??= this.#options.clock.after(RETRY_MS, () => {
      this.#timer = undefined;
      const now = this.#options.clock.now();
      for (const question of this.#questions.values()) {
        question.asked = this.#stillWaiting(question.asked, now);
        question.later = this.#stillWaiting(question.later, now);
        if (question.asked.length + question.later.length === 0) this.#questions.delete(question.name);
        else this.#send(question);
      }
      if (this.#questions.size > 0) this.#arm();
    });
  }

  #stillWaiting(waiters: LookupWaiter[], nowMs: number): LookupWaiter[] {
    return waiters.filter((waiter) => {
      if (waiter.gone) return false;
      if (waiter.deadlineMs > nowMs) return true;
      waiter.answer({ kind: 'no-leader' });
      return false;
    });
  }
}
