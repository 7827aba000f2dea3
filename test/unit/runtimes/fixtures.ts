/** A clock that moves when told to, requests to start, and where to put files. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { FunctionSpec } from '../../../src/core/model/function.ts';
import { digest, functionName, functionUid, sandboxId } from '../../../src/lib/ids.ts';
import type { StartRequest } from '../../../src/ports/sandbox-runtime.ts';
import type { Clock } from '../../../src/ports/system.ts';

export interface ManualClock extends Clock {
  /** Runs what falls due on the way, in order. */
  advance(ms: number): void;
}

export function manualClock(): ManualClock {
  let nowMs = 1_000;
  let timers: { readonly atMs: number; readonly run: () => void }[] = [];
  return {
    now: () => nowMs,
    wall: () => nowMs,
    after(delayMs, run) {
      const timer = { atMs: nowMs + delayMs, run };
      timers.push(timer);
      return { cancel: () => void (timers = timers.filter((other) => other !== timer)) };
    },
    soon: (run) => setImmediate(run),
    advance(ms) {
      const untilMs = nowMs + ms;
      for (;;) {
        const due = timers.filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0];
        if (due === undefined) break;
        timers = timers.filter((other) => other !== due);
        nowMs = due.atMs;
        due.run();
      }
      nowMs = untilMs;
    },
  };
}

export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'baton-test-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export const BASE_SPEC: FunctionSpec = {
  name: functionName('greeter'),
  runtime: 'javascript',
  artifact: digest('a'.repeat(64)),
  artifactBytes: 1,
  entry: 'main.mjs',
  command: [],
  env: [],
  containerConcurrency: 0,
  scaling: {
    target: 100,
    targetUtilizationPct: 70,
    min: 0,
    max: 0,
    initial: 0,
    activation: 1,
    stableWindowMs: 60_000,
    panicWindowPct: 10,
    panicThresholdPct: 200,
    maxScaleUpRate: 1_000,
    maxScaleDownRate: 2,
    scaleDownDelayMs: 0,
    scaleToZeroGraceMs: 30_000,
    burstCapacity: 200,
  },
  timeoutMs: 30_000,
  queueTimeoutMs: 30_000,
  resources: { cpuMillis: 100, memoryMiB: 128 },
  loadBalancing: 'two-choices',
  placement: 'default',
  selector: [],
};

export function startRequest(id: string, spec: Partial<FunctionSpec> = {}, artifactDir = ''): StartRequest {
  return {
    sandbox: sandboxId(id),
    uid: functionUid(7),
    generation: 3,
    spec: { ...BASE_SPEC, ...spec },
    artifactDir,
  };
}
