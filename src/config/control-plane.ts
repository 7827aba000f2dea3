/**
 * The file of one control-plane replica (`baton control-plane --config FILE`, `baton bootstrap --config FILE`).
 *
 *   C1  `replica` is one of `members`;
 *   C2  ids and addresses of members are distinct, and their number is odd: 1 (development), 3 or 5;
 *   C3  a listener on an address that is not loopback demands `tokens.api`.
 */
import * as z from 'zod';
import type { ClusterId, ReplicaId } from '../lib/ids.ts';
import {
  addressField,
  complain,
  clusterField,
  isLoopback,
  listenField,
  logField,
  milliseconds,
  natsShape,
  orUndefined,
  pathField,
  replicaField,
  secretField,
  systemUserField,
  type Listen,
  type LogSettings,
  type NatsClient,
} from './common.ts';
import { load, type ParseContext } from './parse.ts';

export interface Member {
  readonly id: ReplicaId;
  /** HOST:PORT of the gRPC API, as other replicas and operators reach it. */
  readonly grpc: string;
  /** HOST:PORT of the HTTP API and of artifacts, as other replicas and workers reach it. */
  readonly http: string;
}

const PLACEMENTS = ['least-allocated', 'bin-packing', 'random', 'round-robin'] as const;
export type Placement = (typeof PLACEMENTS)[number];

/** Sources of a hint that the leader is gone, besides silence. */
export type LeaderHint = 'advisory' | 'probe';

export interface ControlPlaneFile {
  /** Names the cluster on the bus and on disk; never changes. */
  readonly cluster: ClusterId;
  /** This process; one of `members`. */
  readonly replica: ReplicaId;
  /** Raft's log, metadata and artifacts; relative to this file. Filled by `baton bootstrap` alone. */
  readonly dataDir: string;
  /** All replicas, the same list in the file of each. */
  readonly members: readonly Member[];
  readonly nats: NatsClient & {
    /** A user of the system account, for disconnect advisories; leave out where the deployment grants none. */
    readonly system: { readonly user: string; readonly password: string } | undefined;
  };
  /** Where the gRPC API listens. */
  readonly grpc: Listen;
  /** Where the HTTP API, artifacts, health and metrics listen. */
  readonly http: Listen;
  readonly tokens: {
    /** What callers of the API must present; may be left out while everything listens on loopback. */
    readonly api: string | undefined;
    /** Presented by replicas to each other for artifacts. */
    readonly replica: string;
    /** Presented by workers that fetch artifacts. */
    readonly worker: string;
    /** Presented by data planes on internal routes. */
    readonly dataPlane: string;
  };
  readonly raft: {
    /** Base election timeout; short enough for silence, long enough for a pause. */
    readonly electionTimeoutMs: number;
    readonly heartbeatMs: number;
    /** How often a follower asks NATS whether anybody subscribes to the leader's subject. */
    readonly probeMs: number;
    readonly hints: readonly LeaderHint[];
  };
  readonly leader: {
    /** Silence, in time that the leader's own bus was up, after which a worker counts as dead. */
    readonly suspicionMs: number;
    /** A data plane is live until this long after its last report. */
    readonly leaseMs: number;
    readonly beaconMs: number;
    /** The interval at which workers are told to report; the same as theirs. */
    readonly workerHeartbeatMs: number;
  };
  /** Where functions start that choose no placement; the same in the file of each replica. */
  readonly placement: Placement;
  readonly log: LogSettings;
}

const memberField = z.strictObject({ id: replicaField, grpc: addressField, http: addressField });

function fields(context: ParseContext): z.ZodType<ControlPlaneFile> {
  return z
    .strictObject({
      cluster: clusterField,
      replica: replicaField,
      dataDir: pathField(context),
      members: z.array(memberField).min(1),
      nats: z.strictObject({ ...natsShape, system: orUndefined(systemUserField) }),
      grpc: listenField,
      http: listenField,
      tokens: z.strictObject({
        api: orUndefined(secretField),
        replica: secretField,
        worker: secretField,
        dataPlane: secretField,
      }),
      raft: z
        .strictObject({
          electionTimeoutMs: milliseconds(300, 50, 60_000),
          heartbeatMs: milliseconds(50, 5, 10_000),
          probeMs: milliseconds(25, 5, 10_000),
          hints: z
            .array(z.enum(['advisory', 'probe']))
            .max(2)
            .default(['advisory', 'probe']),
        })
        .prefault({}),
      leader: z
        .strictObject({
          suspicionMs: milliseconds(3_000, 100, 300_000),
          leaseMs: milliseconds(3_000, 100, 300_000),
          beaconMs: milliseconds(100, 10, 10_000),
          workerHeartbeatMs: milliseconds(1_000, 50, 60_000),
        })
        .prefault({}),
      placement: z.enum(PLACEMENTS).default('least-allocated'),
      log: logField,
    })
    .superRefine(relations);
}

function relations(file: ControlPlaneFile, context: z.core.$RefinementCtx): void {
  const { members, raft, leader } = file;
  if (members.length !== 1 && members.length !== 3 && members.length !== 5)
    complain(context, ['members'], `${members.length} replicas`, 'give 3 or 5 (or 1 for development)');
  if (!members.some((member) => member.id === file.replica))
    complain(
      context,
      ['replica'],
      `${file.replica} is not among the members`,
      `members: ${members.map((m) => m.id).join(', ')}`,
    );
  const seen = new Set<string>();
  members.forEach((member, i) => {
    for (const key of ['id', 'grpc', 'http'] as const) {
      if (seen.has(member[key]))
        complain(context, ['members', i, key], `${member[key]} is there twice`, 'give each its own');
      seen.add(member[key]);
    }
  });
  if (raft.heartbeatMs * 3 > raft.electionTimeoutMs)
    complain(
      context,
      ['raft', 'heartbeatMs'],
      'too slow',
      'at least three heartbeats must fit raft.electionTimeoutMs',
    );
  if (leader.workerHeartbeatMs * 2 > leader.suspicionMs)
    complain(context, ['leader', 'suspicionMs'], 'too short', 'at least two worker heartbeats must fit');
  if (leader.beaconMs * 3 > leader.leaseMs)
    complain(context, ['leader', 'leaseMs'], 'too short', 'at least three beacons must fit');
  for (const key of ['grpc', 'http'] as const) {
    if (!isLoopback(file[key].host) && file.tokens.api === undefined) {
      complain(
        context,
        ['tokens', 'api'],
        `missing, while ${key} listens on ${file[key].host}`,
        'set tokens.api, or listen on 127.0.0.1',
      );
    }
  }
}

/** @throws BatonError `invalid-argument` with the path of the key */
export function loadControlPlaneFile(file: string): ControlPlaneFile {
  return load(fields, file);
}
