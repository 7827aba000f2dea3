/**
 * Every bound of the system in one place, with the relations between them asserted at load. Units are in the names.
 * A role's configuration may lower some of these; nothing may raise one above what is written here.
 */
import { assert } from './assert.ts';

export const limits = {
  /** Largest message on the bus; asserted where messages are encoded. NATS' own default maximum is 1 MiB. */
  messageBytes: 524_288,
  /** Payload bytes in one chunk of a chunked transfer (Raft snapshot, inventory, specs, endpoints). */
  chunkBytes: 393_216,
  /** Largest single Raft command, so that an append with its framing always fits a message. */
  commandBytes: 262_144,

  functions: 100_000,
  requestIds: 100_000,
  artifactBytes: 67_108_864,
  envVars: 256,
  envBytes: 65_536,
  /** Of a worker, and of a function's selector. */
  labels: 32,
  sandboxesPerWorker: 4_096,
  /** Started at once in the place of sandboxes on workers that are drained, by one leader. */
  drainMoves: 32,
  /** Reasons that are named for a drain that waits. */
  drainReasons: 8,
  /** Unpacked artifacts that one worker reports: those used last. */
  artifactsPerWorker: 128,
  workers: 16_384,
  /** Simulated workers in one process. */
  fleet: 8_192,
  dataPlanes: 1_024,

  /** Commands sent to one worker and not yet acknowledged; more wait in the leader. */
  commandWindow: 256,
  /** Commands waiting behind the window of one worker. */
  commandBacklog: 8_192,

  /** Of one leader between two ticks, so that no decision holds up its heartbeats. */
  startsPerTick: 256,
  decisionsPerTick: 128,
  /** Workers that are asked at the same time whether they are there. */
  workerProbes: 64,
  /** Withdrawn in one look because their workers are silent, or little more: the next look goes on, and heartbeats go out between. */
  buriedSandboxes: 2_000,

  queuePerFunction: 10_000,
  requestHeaderBytes: 32_768,
  requestHeaderCount: 256,
  lookupsPerSecond: 200,
  lookupsInFlight: 1_000,
  /** Endpoints in one answer about a data plane's table. */
  tableViewRows: 10_000,

  /** Buckets of one function's load window; a longer window has longer buckets. */
  windowBuckets: 600,
  /** Steps that a scale-down delay remembers; steps of a longer delay are further apart. */
  delaySteps: 128,

  logLineBytes: 16_384,
  logBytesPerSandbox: 262_144,
  /** Last output of a sandbox that ended, as it travels with the news of its end. */
  exitLogBytes: 32_768,
  exitLogLines: 60,
  events: 2_000,
  /** Of an event's message: the output of a start that failed may be long. */
  eventChars: 2_000,

  /** Appends on their way to one peer. Few: while they are, what is proposed gathers, and goes as one with the next answer. */
  raftInflightAppends: 4,
  raftAppendBytes: 393_216,
  raftProposals: 4_096,
} as const;

assert(limits.chunkBytes + 64 * 1024 <= limits.messageBytes, 'a chunk and its framing must fit a message');
assert(
  limits.raftAppendBytes + 64 * 1024 <= limits.messageBytes,
  'an append and its framing must fit a message',
);
assert(limits.commandBytes < limits.raftAppendBytes, 'one command must fit an append');
assert(limits.fleet <= limits.workers, 'a fleet is of workers');
assert(limits.envBytes < limits.commandBytes, 'an environment must fit a command');
assert(limits.commandWindow < limits.commandBacklog, 'the backlog is behind the window');
assert(limits.logLineBytes <= limits.exitLogBytes, 'the last words must fit one line at least');
