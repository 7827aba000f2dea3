/** What a replica needs to know; config/ parses it from a file, the simulator and `baton dev` make it up. */
import type { ClusterId, ReplicaId } from '../lib/ids.ts';
import type { PlacementStrategy } from '../core/model/function.ts';
import type { ArtifactPeers } from '../ports/artifact-peers.ts';
import type { ArtifactStore } from '../ports/artifact-store.ts';
import type { Bus } from '../ports/bus.ts';
import type { LogStore } from '../ports/log-store.ts';
import type { Clock, Logger, Random } from '../ports/system.ts';

export interface MemberAddress {
  readonly id: ReplicaId;
  /** host:port */
  readonly grpc: string;
  /** Base URL. */
  readonly http: string;
}

export interface ControlPlaneConfig {
  readonly cluster: ClusterId;
  readonly replica: ReplicaId;
  readonly members: readonly MemberAddress[];
  readonly electionTimeoutMs: number;
  readonly heartbeatMs: number;
  readonly tickMs: number;
  /** How often a follower asks whether the leader's subject has a subscriber; 0 never. */
  readonly probeMs: number;
  /** Obey the server's disconnect advisories. */
  readonly advisories: boolean;
  readonly beaconMs: number;
  readonly suspicionMs: number;
  readonly leaseMs: number;
  readonly workerHeartbeatMs: number;
  /** For functions that choose none. */
  readonly placement: PlacementStrategy;
  readonly trialTimeoutMs: number;
  /** How long a mutation may take before the caller hears which replicas are missing. */
  readonly commitTimeoutMs: number;
  /** Applied entries between snapshots, at least. */
  readonly snapshotEvery: number;
}

export interface ControlPlanePorts {
  readonly clock: Clock;
  readonly random: Random;
  /** Raft's own connection, so that nothing bulky delays an election. */
  readonly raftBus: Bus;
  readonly bus: Bus;
  readonly store: LogStore;
  readonly artifacts: ArtifactStore;
  readonly peers: ArtifactPeers;
  readonly logger: Logger;
  /** Tells two processes apart that claim one life. */
  readonly nonce: number;
  /** The replica cannot go on: its disk failed, or its log holds what this build does not know. */
  readonly onFatal: (error: Error) => void;
}

export const controlPlaneDefaults: Omit<ControlPlaneConfig, 'cluster' | 'replica' | 'members'> = {
  electionTimeoutMs: 300,
  heartbeatMs: 50,
  tickMs: 10,
  probeMs: 25,
  advisories: true,
  beaconMs: 100,
  suspicionMs: 3_000,
  leaseMs: 3_000,
  workerHeartbeatMs: 1_000,
  placement: 'least-allocated',
  trialTimeoutMs: 20_000,
  commitTimeoutMs: 5_000,
  snapshotEvery: 10_000,
};
