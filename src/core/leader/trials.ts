/** A trial before the truth: a new spec is started once before it is proposed; the trial becomes its generation's first sandbox. */
import type { FunctionUid, SandboxId } from '../../lib/ids.ts';
import type { FunctionRecord, FunctionSpec } from '../model/function.ts';
import type { SandboxStatus } from '../model/sandbox.ts';
import { ensureOwner, ownerOfNew } from './ownership.ts';
import type { LeaderState, Placed } from './state.ts';

export function startTrial(s: LeaderState, trial: number, spec: FunctionSpec): void {
  const fail = (message: string): void =>
    s.effect({ kind: 'trial', trial, result: { ok: false, reason: 'no-capacity', message, log: '' } });
  const worker = s.place(spec, s.placer.newTurn());
  if (typeof worker === 'string') return fail(`no worker has room for a trial (${worker})`);
  const sandbox = s.nextSandboxId(spec.name);
  const placed: Placed = {
    id: sandbox,
    uid: 0 as FunctionUid,
    generation: 0,
    specIndex: 0,
    worker,
    state: 'pending',
    address: '',
    pid: 0,
    resources: spec.resources,
    owner: undefined,
    withdrawSeq: 0,
    graceMs: 0,
  };
  const seq = s.command(worker, {
    kind: 'create',
    sandbox,
    uid: placed.uid,
    generation: 0,
    specIndex: 0,
    spec,
    trial: true,
    owner: undefined,
    artifactSources: s.options.artifactSources,
  });
  if (seq === 0) return fail('the worker has too many commands waiting');
  s.addCreated(placed, seq);
  const deadlineMs = s.nowMs + s.options.trialTimeoutMs;
  s.trials.set(sandbox, { trial, sandbox, spec, deadlineMs, placed, done: false });
  s.sandboxEvent('placed', placed, `trial on ${worker.id}`);
}

/** Its worker says what became of it; `status` undefined: the worker does not have it. */
export function settleTrial(s: LeaderState, sandbox: SandboxId, status: SandboxStatus | undefined): void {
  const trial = s.trials.get(sandbox);
  if (trial === undefined) return;
  const isReady = status?.state === 'ready';
  if (!isReady) s.trials.delete(sandbox);
  if (trial.done) return;
  trial.done = true;
  s.effect({
    kind: 'trial',
    trial: trial.trial,
    result: isReady
      ? { ok: true, sandbox, worker: trial.placed.worker.id }
      : {
          ok: false,
          reason: 'failed',
          message: status?.reason ?? 'the worker that ran the trial is gone',
          log: status?.log ?? '',
        },
  });
}

/** The registration is applied: the trial is the first sandbox of its generation. */
export function adoptTrial(s: LeaderState, sandbox: SandboxId, record: FunctionRecord): void {
  const trial = s.trials.get(sandbox);
  const node = s.functions.get(record.uid);
  if (trial === undefined) return;
  s.trials.delete(sandbox);
  const { placed } = trial;
  const { uid, generation, specIndex } = record;
  const isCurrent = node !== undefined && node.record.generation === generation;
  if (!isCurrent || !ensureOwner(s, node)) {
    // Overtaken by another generation, or nobody can own it yet: it will be started when it is needed.
    s.command(placed.worker, { kind: 'kill', sandbox });
    placed.state = 'draining';
    return;
  }
  const owner = ownerOfNew(s, node);
  if (s.command(placed.worker, { kind: 'adopt', sandbox, uid, generation, specIndex, owner }) === 0) return;
  placed.uid = uid;
  placed.generation = generation;
  placed.specIndex = specIndex;
  placed.owner = owner;
  placed.graceMs = record.spec.timeoutMs;
  node.placed.add(placed);
  s.active.add(uid);
  s.deciding.add(uid);
  if (placed.state === 'ready') s.writer.put(s.endpointOf(placed));
}

/** The registration did not happen. */
export function dropTrial(s: LeaderState, sandbox: SandboxId): void {
  const trial = s.trials.get(sandbox);
  if (trial === undefined) return;
  s.trials.delete(sandbox);
  s.command(trial.placed.worker, { kind: 'kill', sandbox });
  trial.placed.state = 'draining';
}

export function expireTrials(s: LeaderState): void {
  for (const trial of s.trials.values()) {
    if (trial.done || s.nowMs < trial.deadlineMs) continue;
    trial.done = true;
    s.effect({
      kind: 'trial',
      trial: trial.trial,
      result: {
        ok: false,
        reason: 'timeout',
        message: `did not become ready in ${s.options.trialTimeoutMs} ms`,
        log: '',
      },
    });
    dropTrial(s, trial.sandbox);
  }
}
