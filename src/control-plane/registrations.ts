/**
 * Functions are put and deleted: an artifact on a majority, a trial before the truth, a command in the log, and an answer that
 * stays what it is.
 */
import { BatonError, isBatonError } from '../lib/errors.ts';
import type { FunctionName, SandboxId } from '../lib/ids.ts';
import type { PutRequest, PutResult } from '../api/backend.ts';
import type { FunctionRecord, FunctionSpec } from '../core/model/function.ts';
import type { MetadataOutcome, RequestId } from '../core/model/metadata.ts';
import type { Clock } from '../ports/system.ts';
import type { Artifacts } from './artifacts.ts';
import type { Leadership } from './leadership.ts';
import type { RaftDriver } from './raft-driver.ts';

/** No function gets there: each put adds one. */
const GENERATION_OF_NONE = Number.MAX_SAFE_INTEGER;

/** A put that may be proposed, under the leadership that prepared it. */
interface Prepared {
  readonly leadership: Leadership;
  /** Of the trial, when there was one. */
  readonly sandbox: SandboxId | undefined;
  /** Why there was none though the caller wanted it. */
  readonly skipped: string;
}

/** What registrations need of their replica. */
export interface RegisteringReplica {
  readonly artifacts: Artifacts;
  readonly driver: () => RaftDriver;
  /** @throws BatonError `not-leader` */
  readonly leading: () => Leadership;
  /** Members that were not heard lately. */
  readonly missing: () => readonly string[];
}

export class Registrations {
  readonly #commitTimeoutMs: number;
  readonly #clock: Clock;
  readonly #replica: RegisteringReplica;

  constructor(commitTimeoutMs: number, clock: Clock, replica: RegisteringReplica) {
    this.#commitTimeoutMs = commitTimeoutMs;
    this.#clock = clock;
    this.#replica = replica;
  }

  async #propose(command: Parameters<RaftDriver['propose']>[0]): Promise<MetadataOutcome> {
    const commitTimeoutMs = this.#commitTimeoutMs;
    return new Promise((resolve, reject) => {
      const timer = this.#clock.after(commitTimeoutMs, () => {
        const missing = this.#replica.missing();
        reject(
          new BatonError('no-quorum', `not acknowledged by a majority in ${commitTimeoutMs} ms`, {
            fields: { missing },
            hint: `start ${missing.join(', ') || 'the missing replicas'}; retry with the same request id: it takes effect once`,
          }),
        );
      });
      this.#replica
        .driver()
        .propose(command)
        .then(resolve, reject)
        .finally(() => timer.cancel());
    });
  }

  async put(request: PutRequest): Promise<PutResult> {
    const { spec, requestId, ifGeneration } = request;
    let prepared: Prepared;
    try {
      prepared = await this.#prepare(request);
    } catch (error) {
      // What the state machine has decided under this id before is the answer, whatever was found now.
      if (!isRefusal(error) || (await this.#spend(request))) throw error;
      prepared = { leadership: this.#replica.leading(), sandbox: undefined, skipped: '' };
    }
    const { leadership, sandbox, skipped } = prepared;
    let outcome: MetadataOutcome;
    try {
      outcome = await this.#propose({ kind: 'put-function', requestId, spec, ifGeneration });
    } catch (error) {
      if (sandbox !== undefined) leadership.dropTrial(sandbox);
      throw error;
    }
    if (outcome.kind !== 'put') {
      if (sandbox !== undefined) leadership.dropTrial(sandbox);
      if (outcome.kind === 'request-id-reused' && (await this.#spend(request)))
        throw refusedBefore(spec.name);
      throw refusal(outcome, spec.name);
    }
    const record: FunctionRecord = { ...outcome, spec };
    if (sandbox !== undefined) leadership.adoptTrial(sandbox, record);
    const laggards = outcome.generation === 1 ? [] : await leadership.waitForSpec(outcome.specIndex);
    return { record, laggards, trialSkipped: skipped };
  }

  /** What must be so before the spec is proposed: its artifact on a majority and, when the caller wants it, a trial. */
  async #prepare(request: PutRequest): Promise<Prepared> {
    this.#replica.leading();
    await this.#replica.artifacts.secure(request.spec.artifact);
    // Without a trial there is nothing to spare: the state machine alone decides, and no read round is paid for.
    const wantsTrial = request.trial && !(await this.#refuseEarly(request));
    // Of now: while others were asked, another term may have begun.
    const leadership = this.#replica.leading();
    if (!wantsTrial) return { leadership, sandbox: undefined, skipped: '' };
    return this.#trial(leadership, request.spec);
  }

  /**
   * Before a refusal that the state machine has not made: puts a command under the request id that can never take effect.
   * Another attempt of the same request may still be on its way, held up in a follower or in its own trial, and find the
   * generation, the artifact or the luck that this one lacked: after the caller was told that nothing changed. Now it finds
   * its id taken. The put itself would not do for this: other commands may be ahead of it in the log, after which its
   * precondition holds, and it would take effect untried.
   * @returns false when the id was taken, or is too old to tell: the put, proposed, then hears the outcome of before and
   *   cannot take effect anew
   */
  async #spend({ spec, requestId }: PutRequest): Promise<boolean> {
    const outcome = await this.#propose({
      kind: 'delete-function',
      requestId,
      name: spec.name,
      ifGeneration: GENERATION_OF_NONE,
    });
    return outcome.kind === 'generation-mismatch';
  }

  /**
   * A precondition that fails anyway should not cost a trial. The generation is that of the read, at which the refusal is
   * linearized.
   * @returns whether this request has been decided before
   */
  async #refuseEarly({ spec, requestId, ifGeneration }: PutRequest): Promise<boolean> {
    await this.#replica.driver().readIndex();
    const { state } = this.#replica.driver();
    if (state.hasDecided(requestId)) return true;
    if (ifGeneration === undefined) return false;
    const generation = state.get(spec.name)?.generation ?? 0;
    if (generation !== ifGeneration) throw refusal({ kind: 'generation-mismatch', generation }, spec.name);
    return false;
  }

  async #trial(leadership: Leadership, spec: FunctionSpec): Promise<Prepared> {
    const schedulable = leadership.brain
      .workers()
      .some((worker) => worker.state === 'alive' && !worker.cordoned);
    if (!schedulable) return { leadership, sandbox: undefined, skipped: 'no worker is there to try it on' };
    const result = await leadership.trial(spec);
    if (result.ok) return { leadership, sandbox: result.sandbox, skipped: '' };
    if (result.reason === 'no-capacity') return { leadership, sandbox: undefined, skipped: result.message };
    throw new BatonError('trial-failed', `${spec.name} does not start: ${result.message}`, {
      fields: { log: result.log },
      hint: 'nothing was changed; the version before goes on serving',
    });
  }

  async delete(
    name: FunctionName,
    requestId: RequestId,
    ifGeneration: number | undefined,
  ): Promise<{ uid: number; laggards: readonly string[] }> {
    const leadership = this.#replica.leading();
    const outcome = await this.#propose({ kind: 'delete-function', requestId, name, ifGeneration });
    if (outcome.kind !== 'deleted') throw refusal(outcome, name);
    return { uid: outcome.uid, laggards: await leadership.waitForSpec(outcome.specIndex) };
  }
}

/** Tells the caller that the request did not take effect, so that it must not do so later either. */
function isRefusal(error: unknown): boolean {
  return (
    isBatonError(error, 'conflict') || isBatonError(error, 'not-found') || isBatonError(error, 'trial-failed')
  );
}

/** A retry of what was refused, and not by the state machine: that it was is all that is remembered. */
function refusedBefore(name: string): BatonError {
  return new BatonError('conflict', `${name}: this request was refused before`, {
    fields: { path: 'requestId' },
    hint: 'it will not take effect; send what you want now under a new request id',
  });
}

/** What the state machine's refusal is to the caller. */
export function refusal(
  outcome: Exclude<MetadataOutcome, { kind: 'put' | 'deleted' }> | MetadataOutcome,
  name: string,
): BatonError {
  switch (outcome.kind) {
    case 'not-found':
      return new BatonError('not-found', `no function ${name}`, { hint: 'baton get functions lists them' });
    case 'generation-mismatch':
      return new BatonError('conflict', `${name} is at generation ${outcome.generation}`, {
        fields: { path: 'ifGeneration', generation: outcome.generation },
        hint: 'read it again and decide on what is there now',
      });
    case 'too-many-functions':
      return new BatonError('no-capacity', 'the cluster holds as many functions as it may', {
        hint: 'delete functions that are not needed',
      });
    case 'request-expired':
      return new BatonError('request-expired', 'the request id is too old to tell whether it took effect', {
        hint: 'read the state, then send a new request id based on a current commit index',
      });
    case 'request-id-reused':
      return new BatonError('conflict', 'this request id was used for another request', {
        fields: { path: 'requestId' },
        hint: 'use a new request id for each mutation',
      });
    case 'put':
    case 'deleted':
      return new BatonError('internal', `an outcome that does not fit: ${outcome.kind}`);
    default:
      return outcome satisfies never;
  }
}
