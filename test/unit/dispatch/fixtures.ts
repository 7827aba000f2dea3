/** Functions, endpoints and a dispatcher to try them on. */
import { type DispatchEffect } from '../../../src/core/dispatch/effects.ts';
import { Dispatcher, DISPATCHER_DEFAULTS } from '../../../src/core/dispatch/dispatcher.ts';
import type { Ticket } from '../../../src/core/dispatch/ticket.ts';
import type { FunctionRecord, LoadBalancing } from '../../../src/core/model/function.ts';
import type { Endpoint, FunctionOwner, SandboxOwner } from '../../../src/core/model/sandbox.ts';
import type { DataPlaneId } from '../../../src/lib/ids.ts';
import type { Incarnation } from '../../../src/core/model/fence.ts';
import { dataPlaneId, digest, functionName, functionUid, sandboxId, workerId } from '../../../src/lib/ids.ts';
import { unreachable } from '../../../src/lib/assert.ts';
import { prng } from '../../../src/lib/prng.ts';

export const SELF: { readonly dataPlane: DataPlaneId; readonly incarnation: Incarnation } = {
  dataPlane: dataPlaneId('dp-1'),
  incarnation: { ms: 1_000, nonce: 1 },
};

export interface RecordOptions {
  readonly uid?: number;
  readonly generation?: number;
  readonly hardLimit?: number;
  readonly balancing?: LoadBalancing;
  readonly queueTimeoutMs?: number;
  readonly timeoutMs?: number;
  readonly name?: string;
}

export function record(options: RecordOptions = {}): FunctionRecord {
  const uid = options.uid ?? 7;
  const generation = options.generation ?? 1;
  return {
    uid: functionUid(uid),
    generation,
    specIndex: uid + generation,
    spec: {
      name: functionName(options.name ?? `fn-${uid}`),
      runtime: 'javascript',
      artifact: digest('a'.repeat(64)),
      artifactBytes: 1,
      entry: 'index.js',
      command: [],
      env: [],
      containerConcurrency: options.hardLimit ?? 0,
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
        burstCapacity: 0,
      },
      timeoutMs: options.timeoutMs ?? 5_000,
      queueTimeoutMs: options.queueTimeoutMs ?? 10_000,
      resources: { cpuMillis: 100, memoryMiB: 128 },
      loadBalancing: options.balancing ?? 'two-choices',
      placement: 'default',
      selector: [],
    },
  };
}

export function endpoint(
  name: string,
  options: { uid?: number; generation?: number; address?: string; owner?: SandboxOwner } = {},
): Endpoint {
  const uid = options.uid ?? 7;
  const generation = options.generation ?? 1;
  return {
    sandbox: sandboxId(name),
    uid: functionUid(uid),
    generation,
    specIndex: uid + generation,
    worker: workerId('w-1'),
    address: options.address ?? `unix:/run/${name}.sock`,
    owner: options.owner ?? SELF,
  };
}

export function owner(
  dataPlane: string,
  incarnation: { ms: number; nonce: number } = SELF.incarnation,
): FunctionOwner {
  return { dataPlane: dataPlaneId(dataPlane), incarnation, peer: `127.0.0.1:1${dataPlane.length}` };
}

/** A dispatcher with a clock at hand, and what it asked for since the last look. */
export class Bench {
  readonly dispatcher: Dispatcher<string> = new Dispatcher({
    ...DISPATCHER_DEFAULTS,
    queuePerFunction: 4,
    random: prng(1),
    self: SELF,
  });
  nowMs = 0;

  submit(
    payload: string,
    options: { uid?: number; deadlineMs?: number; viaPeer?: boolean; ahead?: boolean } = {},
  ): Ticket<string> {
    return this.dispatcher.submit(
      functionUid(options.uid ?? 7),
      payload,
      {
        deadlineMs: options.deadlineMs ?? this.nowMs + 10_000,
        viaPeer: options.viaPeer ?? false,
        peerIsAhead: options.ahead ?? false,
      },
      this.nowMs,
    );
  }

  take(): DispatchEffect<string>[] {
    return this.dispatcher.effects.splice(0);
  }

  /** Effects as words: "a→s-1", "demand 7", "a rejected no-capacity". */
  said(): string[] {
    return this.take().map(describeEffect);
  }
}

function describeEffect(effect: DispatchEffect<string>): string {
  switch (effect.kind) {
    case 'dispatch':
      return `${effect.ticket.payload}→${effect.endpoint.endpoint.sandbox}`;
    case 'forward':
      return `${effect.ticket.payload}→${effect.owner.dataPlane}`;
    case 'reject':
      return `${effect.ticket.payload} rejected ${effect.reason}`;
    case 'demand':
      return `demand ${effect.uid}`;
    case 'drained':
      return `drained ${effect.sandbox}`;
    case 'forget':
      return `forget ${effect.address}`;
    default:
      return unreachable(effect, 'effect');
  }
}
