/**
 * The leader's end of the commands to one life of one worker: numbered from 1, a bounded window unacknowledged, re-sent
 * until acknowledged (invariant R3: the worker applies each number once).
 */
import { assert } from '../../lib/assert.ts';
import { limits } from '../../lib/limits.ts';
import type { CommandEnvelope, WorkerCommand } from '../model/command.ts';
import type { Fence, Incarnation } from '../model/fence.ts';

const RESEND_MS = 150;
const RESEND_MAX_MS = 2_000;

export class CommandSession {
  readonly #fence: Fence;
  readonly incarnation: Incarnation;
  #nextSeq = 1;
  /** Sent and not acknowledged, oldest first. */
  #window: CommandEnvelope[] = [];
  #backlog: WorkerCommand[] = [];
  #resendAtMs: number = Number.POSITIVE_INFINITY;
  #resendMs = RESEND_MS;

  constructor(fence: Fence, incarnation: Incarnation) {
    this.#fence = fence;
    this.incarnation = incarnation;
  }

  get waiting(): number {
    return this.#window.length + this.#backlog.length;
  }

  /** @returns the number that it will carry; 0: too much waits for this worker, nothing was queued */
  submit(command: WorkerCommand): number {
    if (this.#backlog.length >= limits.commandBacklog) return 0;
    this.#backlog.push(command);
    return this.#nextSeq + this.#backlog.length - 1;
  }

  /** The worker applied everything up to here. */
  acknowledge(seq: number): void {
    assert(seq < this.#nextSeq, `a worker acknowledges command ${seq}, which was never sent`);
    const before = this.#window.length;
    while (this.#window.length > 0 && (this.#window[0]?.seq ?? 0) <= seq) this.#window.shift();
    if (this.#window.length === before) return;
    this.#resendMs = RESEND_MS;
    this.#resendAtMs = Number.POSITIVE_INFINITY;
  }

  /**
   * Its worker counts as dead: what it was to start is started elsewhere. A number that is on its way keeps its place, and ends a
   * sandbox that never began; where the worker did apply it before, the number is refused.
   */
  giveUpCreates(): void {
    const giveUp = (command: WorkerCommand): WorkerCommand =>
      command.kind === 'create' ? { kind: 'kill', sandbox: command.sandbox } : command;
    this.#window = this.#window.map((envelope) => ({ ...envelope, command: giveUp(envelope.command) }));
    this.#backlog = this.#backlog.map(giveUp);
  }

  /** True when `seq` could be an answer to this session. */
  hasSent(seq: number): boolean {
    return seq < this.#nextSeq;
  }

  /** New commands as far as the window allows, and the window again when its time has come. */
  take(nowMs: number): CommandEnvelope[] {
    const out = nowMs >= this.#resendAtMs ? this.#window.slice() : [];
    if (out.length > 0) {
      this.#resendMs = Math.min(2 * this.#resendMs, RESEND_MAX_MS);
      this.#resendAtMs = nowMs + this.#resendMs;
    }
    while (this.#backlog.length > 0 && this.#window.length < limits.commandWindow) {
      const command = this.#backlog.shift();
      assert(command !== undefined, 'the backlog is not empty');
      const envelope = { fence: this.#fence, incarnation: this.incarnation, seq: this.#nextSeq++, command };
      this.#window.push(envelope);
      out.push(envelope);
    }
    if (this.#window.length > 0 && this.#resendAtMs === Number.POSITIVE_INFINITY) {
      this.#resendAtMs = nowMs + this.#resendMs;
    }
    return out;
  }

  get nextDueMs(): number {
    return this.#window.length === 0 ? Number.POSITIVE_INFINITY : this.#resendAtMs;
  }
}
