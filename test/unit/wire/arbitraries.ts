/** Any value of every message, within what the schema can hold. */
import fc, { type Arbitrary } from 'fast-check';
import type {
  Beacon,
  EndpointBatch,
  EndpointChange,
  EndpointSnapshot,
  SpecBatch,
  SpecSnapshot,
} from '../../../src/core/model/broadcast.ts';
import type { CommandEnvelope, WorkerCommand, WorkerNotice } from '../../../src/core/model/command.ts';
import type {
  DataPlaneMessage,
  DemandAck,
  FunctionLoad,
  Lookup,
  LookupReply,
  Pull,
  PullReply,
} from '../../../src/core/model/data-plane-report.ts';
import type { Fence, Incarnation } from '../../../src/core/model/fence.ts';
import type { FunctionRecord, FunctionSpec, ScalingSpec } from '../../../src/core/model/function.ts';
import type { MetadataCommand, MetadataOutcome, RequestId } from '../../../src/core/model/metadata.ts';
import type { MetadataSnapshot } from '../../../src/core/metadata/metadata-state.ts';
import type { LogQuery, LogReply } from '../../../src/core/model/query.ts';
import type {
  Endpoint,
  FunctionOwner,
  SandboxOwner,
  SandboxStatus,
} from '../../../src/core/model/sandbox.ts';
import type { WorkerHeartbeat, WorkerReport } from '../../../src/core/model/worker-report.ts';
import type { RaftBody, RaftMessage } from '../../../src/core/raft/types.ts';
import {
  dataPlaneId,
  digest,
  functionName,
  functionUid,
  replicaId,
  sandboxId,
  workerId,
} from '../../../src/lib/ids.ts';

/** As sums and differences of small and huge numbers are where encodings differ. */
const uint32 = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: 0xffff_ffff }), fc.constant(0xffff_ffff));
const uint64 = fc.oneof(
  fc.nat(300),
  fc.maxSafeNat(),
  fc.constantFrom(0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x1_0000_0000, Number.MAX_SAFE_INTEGER),
);
const double = fc.double({ min: 0, max: 1e12, noNaN: true });
const text = fc.string({ unit: 'grapheme', maxLength: 12 });
const bytes = fc.uint8Array({ maxLength: 20 });
const bool = fc.boolean();
const few = <T>(one: Arbitrary<T>): Arbitrary<T[]> => fc.array(one, { maxLength: 3 });
const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,9}[a-z0-9])?$/);
const sandbox = label.map((id) => sandboxId(id));
const worker = label.map((id) => workerId(id));
const dataPlane = label.map((id) => dataPlaneId(id));
const replica = label.map((id) => replicaId(id));
const replicaOrNone = fc.option(replica, { nil: '' as const });
const name = label.map((id) => functionName(id));
const uid = uint64.map(functionUid);
const anyDigest = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((hash) => digest(Buffer.from(hash).toString('hex')));

const fence: Arbitrary<Fence> = fc.record({ epoch: uint64, term: uint64 });
const incarnation: Arbitrary<Incarnation> = fc.record({ ms: uint64, nonce: uint32 });

const scaling: Arbitrary<ScalingSpec> = fc.record({
  target: double,
  targetUtilizationPct: double,
  min: uint32,
  max: uint32,
  initial: uint32,
  activation: uint32,
  stableWindowMs: uint32,
  panicWindowPct: double,
  panicThresholdPct: double,
  maxScaleUpRate: double,
  maxScaleDownRate: double,
  scaleDownDelayMs: uint32,
  scaleToZeroGraceMs: uint32,
  burstCapacity: fc.integer({ min: -1, max: 1_000_000 }),
});

const spec: Arbitrary<FunctionSpec> = fc.record({
  name,
  runtime: fc.constantFrom('javascript', 'program'),
  artifact: anyDigest,
  artifactBytes: uint64,
  entry: text,
  command: few(text),
  env: few(fc.record({ name: text, value: text })),
  containerConcurrency: uint32,
  scaling,
  timeoutMs: uint32,
  queueTimeoutMs: uint32,
  resources: fc.record({ cpuMillis: uint32, memoryMiB: uint32 }),
  loadBalancing: fc.constantFrom('two-choices', 'round-robin', 'random', 'least-loaded'),
  placement: fc.constantFrom('default', 'least-allocated', 'bin-packing', 'random', 'round-robin'),
  selector: few(fc.record({ name: text, value: text })),
});

const record: Arbitrary<FunctionRecord> = fc.record({ uid, generation: uint64, specIndex: uint64, spec });

const sandboxOwner: Arbitrary<SandboxOwner | undefined> = fc.option(fc.record({ dataPlane, incarnation }), {
  nil: undefined,
});

export const endpoint: Arbitrary<Endpoint> = fc.record({
  sandbox,
  uid,
  generation: uint64,
  specIndex: uint64,
  worker,
  address: text,
  owner: sandboxOwner,
});

const owner: Arbitrary<FunctionOwner> = fc.record({ dataPlane, incarnation, peer: text });

export const status: Arbitrary<SandboxStatus> = fc.record({
  id: sandbox,
  uid,
  generation: uint64,
  specIndex: uint64,
  state: fc.constantFrom('starting', 'ready', 'draining', 'gone'),
  version: uint64,
  address: text,
  pid: uint32,
  trial: bool,
  owner: sandboxOwner,
  reason: text,
  log: text,
  startStages: few(fc.record({ name: text, micros: uint64 })),
});

const load: Arbitrary<FunctionLoad> = fc.record({ uid, inFlight: uint32, queued: uint32 });

export const beacon: Arbitrary<Beacon> = fc.record({
  fence,
  endpointSeq: uint64,
  digest: fc.record({ high: uint32, low: uint32 }),
  specIndex: uint64,
  complete: bool,
  http: text,
  grpc: text,
});

const change: Arbitrary<EndpointChange> = fc.oneof(
  fc.record({ kind: fc.constant('put' as const), endpoint }),
  fc.record({ kind: fc.constant('withdraw' as const), sandbox, uid }),
  fc.record({ kind: fc.constant('owner' as const), uid, owner: fc.option(owner, { nil: undefined }) }),
);

export const endpointBatch: Arbitrary<EndpointBatch> = fc.record({
  fence,
  seq: uint64,
  changes: few(change),
});
export const endpointSnapshot: Arbitrary<EndpointSnapshot> = fc.record({
  fence,
  seq: uint64,
  complete: bool,
  endpoints: few(endpoint),
  owners: few(fc.record({ uid, owner })),
  withdrawn: few(fc.record({ sandbox, uid })),
});
export const specBatch: Arbitrary<SpecBatch> = fc.record({
  fence,
  prevSpecIndex: uint64,
  specIndex: uint64,
  put: few(record),
  deleted: few(uid),
});
export const specSnapshot: Arbitrary<SpecSnapshot> = fc.record({
  fence,
  specIndex: uint64,
  functions: few(record),
});

/** A part and how many there are. */
const parts = fc.tuple(fc.nat(20), fc.nat(20)).map(([part, more]) => ({ part, parts: part + more + 1 }));

export const dataPlaneMessage: Arbitrary<DataPlaneMessage> = fc.oneof(
  fc.record({
    kind: fc.constant('report' as const),
    incarnation,
    seq: uint64,
    natsServer: text,
    caller: text,
    peer: text,
    fence,
    endpointSeq: uint64,
    specIndex: uint64,
    loads: few(load),
    withdrawing: few(fc.record({ sandbox, inFlight: uint32 })),
    refused: few(sandbox),
    condemned: few(sandbox),
    owned: few(uid),
  }),
  fc
    .tuple(
      parts,
      fc.record({
        kind: fc.constant('held' as const),
        incarnation,
        endpoints: few(endpoint),
        workers: few(worker),
      }),
    )
    .map(([part, held]) => ({ ...held, ...part })),
  fc.record({ kind: fc.constant('demand' as const), incarnation, seq: uint64, loads: few(load) }),
);
export const demandAck: Arbitrary<DemandAck> = fc.record({ fence, seq: uint64 });
export const lookup: Arbitrary<Lookup> = fc.record({ name });
export const lookupReply: Arbitrary<LookupReply> = fc.record({
  fence,
  specIndex: uint64,
  record: fc.option(record, { nil: undefined }),
});
export const pull: Arbitrary<Pull> = fc.record({
  stream: fc.constantFrom('endpoints', 'specs'),
  bound: uint64,
  chunk: uint32,
});
export const pullReply: Arbitrary<PullReply> = fc.record({
  fence,
  bound: uint64,
  chunk: uint32,
  chunks: uint32,
  bytes,
  heard: fc.option(incarnation, { nil: undefined }),
});

const command: Arbitrary<WorkerCommand> = fc.oneof(
  fc.record({
    kind: fc.constant('create' as const),
    sandbox,
    uid,
    generation: uint64,
    specIndex: uint64,
    spec,
    trial: bool,
    owner: sandboxOwner,
    artifactSources: few(text),
  }),
  fc.record({
    kind: fc.constant('adopt' as const),
    sandbox,
    uid,
    generation: uint64,
    specIndex: uint64,
    owner: sandboxOwner,
  }),
  fc.record({ kind: fc.constant('drain' as const), sandbox, graceMs: uint32 }),
  fc.record({ kind: fc.constant('kill' as const), sandbox }),
  fc.record({ kind: fc.constant('cordon' as const), on: bool, drain: bool }),
  fc.record({ kind: fc.constant('forget-artifacts' as const), digests: few(anyDigest) }),
);
export const commandEnvelope: Arbitrary<CommandEnvelope> = fc.record({
  fence,
  incarnation,
  seq: uint64,
  command,
});
export const notice: Arbitrary<WorkerNotice> = fc.record({
  fence,
  incarnation,
  notice: fc.oneof(
    fc.record({ kind: fc.constant('send-inventory' as const), spreadMs: uint32 }),
    fc.record({ kind: fc.constant('duplicate-id' as const), other: incarnation }),
  ),
});

const heartbeat: Arbitrary<WorkerHeartbeat> = fc.record({
  kind: fc.constant('heartbeat' as const),
  incarnation,
  seq: uint64,
  natsServer: text,
  capacity: fc.record({ cpuMillis: uint32, memoryMiB: uint32, sandboxes: uint32 }),
  cordoned: bool,
  draining: bool,
  driver: text,
  isolation: text,
  labels: few(fc.record({ name: text, value: text })),
  fence,
  lastCommand: uint64,
  sinceVersion: uint64,
  version: uint64,
  changes: few(status),
  artifactsAdded: few(anyDigest),
  artifactsRemoved: few(anyDigest),
});
export const workerReport: Arbitrary<WorkerReport> = fc.oneof(
  heartbeat,
  fc.record({
    kind: fc.constant('hello' as const),
    heartbeat,
    counts: few(fc.record({ uid, generation: uint64, starting: uint32, ready: uint32 })),
    artifacts: few(anyDigest),
  }),
  fc
    .tuple(
      parts,
      fc.record({
        kind: fc.constant('inventory' as const),
        incarnation,
        version: uint64,
        sandboxes: few(status),
        artifacts: few(anyDigest),
      }),
    )
    .map(([part, inventory]) => ({ ...inventory, ...part })),
);

export const logQuery: Arbitrary<LogQuery> = fc.record({
  uid,
  sandbox: fc.option(sandbox, { nil: '' as const }),
  after: uint64,
  limit: uint32,
});
export const logReply: Arbitrary<LogReply> = fc.record({
  lines: few(
    fc.record({
      cursor: uint64,
      sandbox,
      uid,
      wallMs: double,
      stream: fc.constantFrom('stdout', 'stderr'),
      text,
    }),
  ),
  cursor: uint64,
  dropped: uint64,
});

const requestId: Arbitrary<RequestId> = fc.record({ base: uint64, nonce: text });
const ifGeneration = fc.option(uint64, { nil: undefined });

export const metadataCommand: Arbitrary<Exclude<MetadataCommand, { kind: 'no-op' }>> = fc.oneof(
  fc.record({ kind: fc.constant('put-function' as const), requestId, spec, ifGeneration }),
  fc.record({ kind: fc.constant('delete-function' as const), requestId, name, ifGeneration }),
);

const outcome: Arbitrary<MetadataOutcome> = fc.oneof(
  fc.record({ kind: fc.constant('put' as const), uid, generation: uint64, specIndex: uint64 }),
  fc.record({ kind: fc.constant('deleted' as const), uid, specIndex: uint64 }),
  fc.record({ kind: fc.constant('generation-mismatch' as const), generation: uint64 }),
  fc.record({
    kind: fc.constantFrom(
      'not-found' as const,
      'too-many-functions' as const,
      'request-expired' as const,
      'request-id-reused' as const,
    ),
  }),
);
export const metadataSnapshot: Arbitrary<MetadataSnapshot> = fc.record({
  index: uint64,
  specIndex: uint64,
  functions: few(record),
  requests: few(fc.record({ id: requestId, index: uint64, fingerprint: uint32, outcome })),
  evictedIndex: uint64,
});

/** Those of an append follow one another. */
const appended = fc
  .record({
    prevIndex: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER - 1_000 }),
    rest: few(fc.record({ term: uint64, data: bytes })),
  })
  .map(({ prevIndex, rest }) => ({
    prevIndex,
    entries: rest.map((entry, i) => ({ index: prevIndex + 1 + i, ...entry })),
  }));
const body: Arbitrary<RaftBody> = fc.oneof(
  fc.record({
    kind: fc.constant('vote-request' as const),
    pre: bool,
    lastIndex: uint64,
    lastTerm: uint64,
    hint: bool,
    force: bool,
  }),
  fc.record({ kind: fc.constant('vote-reply' as const), pre: bool, granted: bool, asked: uint64 }),
  fc
    .record({
      kind: fc.constant('append' as const),
      prevTerm: uint64,
      commit: uint64,
      round: uint64,
      successor: replicaOrNone,
      log: appended,
    })
    .map(({ log, ...rest }) => ({ ...rest, ...log })),
  fc.record({
    kind: fc.constant('append-reply' as const),
    ok: bool,
    index: uint64,
    hintTerm: uint64,
    refused: uint64,
    round: uint64,
  }),
  fc.record({
    kind: fc.constant('snapshot' as const),
    index: uint64,
    lastTerm: uint64,
    offset: uint64,
    total: uint64,
    data: bytes,
    round: uint64,
  }),
  fc.record({
    kind: fc.constant('snapshot-reply' as const),
    index: uint64,
    offset: uint64,
    installed: bool,
    round: uint64,
  }),
  fc.constant<RaftBody>({ kind: 'timeout-now' }),
  fc.record({ kind: fc.constant('rejoin-request' as const), nonce: uint32 }),
  fc.record({
    kind: fc.constant('rejoin-reply' as const),
    nonce: uint32,
    confirmedCommit: uint64,
    knownIncarnationMs: uint64,
  }),
);
export const raftMessage: Arbitrary<RaftMessage> = fc.record({
  cluster: text,
  epoch: uint64,
  memberHash: uint32,
  from: replica,
  to: replica,
  term: uint64,
  incarnation,
  commandVersion: uint32,
  voter: bool,
  body,
});
