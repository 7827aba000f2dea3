/** Codecs of the vocabulary that several messages share. */
import { digest, functionName, functionUid, sandboxId, workerId, dataPlaneId } from '../lib/ids.ts';
import type { Digest } from '../lib/ids.ts';
import { fromHex, toHex } from '../lib/hex.ts';
import { limits } from '../lib/limits.ts';
import type { Fence, Incarnation } from '../core/model/fence.ts';
import type {
  FunctionRecord,
  FunctionRuntime,
  FunctionSpec,
  Label,
  LoadBalancing,
} from '../core/model/function.ts';
import type {
  Endpoint,
  FunctionOwner,
  SandboxOwner,
  SandboxState,
  SandboxStatus,
} from '../core/model/sandbox.ts';
import type * as wire from './gen/baton/v1/common.ts';
import { enumeration, fieldsOf, required, WireError } from './wire-error.ts';

const runtimes = enumeration<FunctionRuntime>('runtime', { javascript: 1, program: 2 });
const balancing = enumeration<LoadBalancing>('loadBalancing', {
  'two-choices': 1,
  'round-robin': 2,
  random: 3,
  'least-loaded': 4,
});
/** 0 is what logs of before there was a choice hold. */
const placements = enumeration<FunctionSpec['placement']>('placement', {
  default: 0,
  'least-allocated': 1,
  'bin-packing': 2,
  random: 3,
  'round-robin': 4,
  'artifact-locality': 5,
});
const states = enumeration<SandboxState>('state', { starting: 1, ready: 2, draining: 3, gone: 4 });

export function fenceFrom(fence: wire.Fence | undefined): Fence {
  const { epoch, term } = required(fence, 'fence');
  return { epoch, term };
}

export function incarnationFrom(incarnation: wire.Incarnation | undefined): Incarnation {
  const { ms, nonce } = required(incarnation, 'incarnation');
  return { ms, nonce };
}

export const digestTo = (value: Digest): Uint8Array => fromHex(value);
export const digestFrom = (bytes: Uint8Array): Digest => digest(toHex(bytes));

export function specTo(spec: FunctionSpec): wire.FunctionSpec {
  return {
    name: spec.name,
    runtime: runtimes.to(spec.runtime) as wire.Runtime,
    artifact: digestTo(spec.artifact),
    artifactBytes: spec.artifactBytes,
    entry: spec.entry,
    command: spec.command,
    env: spec.env,
    containerConcurrency: spec.containerConcurrency,
    scaling: spec.scaling,
    timeoutMs: spec.timeoutMs,
    queueTimeoutMs: spec.queueTimeoutMs,
    resources: { cpuMillis: spec.resources.cpuMillis, memoryMib: spec.resources.memoryMiB },
    loadBalancing: balancing.to(spec.loadBalancing) as wire.LoadBalancing,
    placement: placements.to(spec.placement) as wire.Placement,
    selector: spec.selector,
  };
}

export function specFrom(message: wire.FunctionSpec | undefined): FunctionSpec {
  const spec = required(message, 'spec');
  if (spec.env.length > limits.envVars) throw new WireError('malformed', 'spec.env');
  const selector = labelsFrom(spec.selector, 'spec.selector');
  const scaling = fieldsOf(required(spec.scaling, 'spec.scaling'));
  const resources = required(spec.resources, 'spec.resources');
  return {
    name: functionName(spec.name),
    runtime: runtimes.from(spec.runtime),
    artifact: digestFrom(spec.artifact),
    artifactBytes: spec.artifactBytes,
    entry: spec.entry,
    command: spec.command,
    env: spec.env.map(({ name, value }) => ({ name, value })),
    containerConcurrency: spec.containerConcurrency,
    scaling,
    timeoutMs: spec.timeoutMs,
    queueTimeoutMs: spec.queueTimeoutMs,
    resources: { cpuMillis: resources.cpuMillis, memoryMiB: resources.memoryMib },
    loadBalancing: balancing.from(spec.loadBalancing),
    placement: placements.from(spec.placement),
    selector,
  };
}

export function labelsFrom(labels: readonly wire.Label[], what: string): Label[] {
  if (labels.length > limits.labels) throw new WireError('malformed', what);
  return labels.map(({ name, value }) => ({ name, value }));
}

export function recordTo(record: FunctionRecord): wire.FunctionRecord {
  return {
    uid: record.uid,
    generation: record.generation,
    specIndex: record.specIndex,
    spec: specTo(record.spec),
  };
}

export function recordFrom(record: wire.FunctionRecord): FunctionRecord {
  return {
    uid: functionUid(record.uid),
    generation: record.generation,
    specIndex: record.specIndex,
    spec: specFrom(record.spec),
  };
}

export function statusTo(status: SandboxStatus): wire.SandboxStatus {
  return { ...status, state: states.to(status.state) as wire.SandboxState };
}

export function statusFrom(status: wire.SandboxStatus): SandboxStatus {
  return {
    id: sandboxId(status.id),
    uid: functionUid(status.uid),
    generation: status.generation,
    specIndex: status.specIndex,
    state: states.from(status.state),
    version: status.version,
    address: status.address,
    pid: status.pid,
    trial: status.trial,
    owner: sandboxOwnerFrom(status.owner),
    reason: status.reason,
    log: status.log,
    startStages: status.startStages.map(({ name, micros }) => ({ name, micros })),
  };
}

export function endpointFrom(endpoint: wire.Endpoint): Endpoint {
  return {
    sandbox: sandboxId(endpoint.sandbox),
    uid: functionUid(endpoint.uid),
    generation: endpoint.generation,
    specIndex: endpoint.specIndex,
    worker: workerId(endpoint.worker),
    address: endpoint.address,
    owner: sandboxOwnerFrom(endpoint.owner),
  };
}

export function sandboxOwnerFrom(owner: wire.SandboxOwner | undefined): SandboxOwner | undefined {
  if (owner === undefined) return undefined;
  return { dataPlane: dataPlaneId(owner.dataPlane), incarnation: incarnationFrom(owner.incarnation) };
}

export function ownerFrom(owner: wire.FunctionOwner): FunctionOwner {
  return {
    dataPlane: dataPlaneId(owner.dataPlane),
    incarnation: incarnationFrom(owner.incarnation),
    peer: owner.peer,
  };
}
