/** One replica of the control plane as a process. */
import { join } from 'node:path';
import { ApiService } from '../../api/service.ts';
import { Forwarder } from '../../api/forward.ts';
import { GrpcServer } from '../../api/grpc-server.ts';
import { HttpServer } from '../../api/http-server.ts';
import type { AccessTokens } from '../../api/access.ts';
import { FileArtifactStore } from '../../adapters/artifact-file/artifact-file.ts';
import { artifactHttp } from '../../adapters/artifact-http/artifact-http.ts';
import { FileLogStore } from '../../adapters/log-file/log-file.ts';
import { natsBus } from '../../adapters/nats/nats-bus.ts';
import { systemClock } from '../../adapters/system/clock.ts';
import { systemNonce, systemRandom } from '../../adapters/system/random.ts';
import { loadControlPlaneFile, type ControlPlaneFile } from '../../config/control-plane.ts';
import {
  controlPlaneDefaults,
  type ControlPlaneConfig,
  type ControlPlanePorts,
} from '../../control-plane/config.ts';
import { ControlPlane } from '../../control-plane/control-plane.ts';
import type { Logger } from '../../ports/system.ts';
import { batonVersion, beginProcess } from './lifecycle.ts';

const LEADER_WAIT_MS = 5_000;
const PEER_TIMEOUT_MS = 500;

export const logDirectory = (dataDir: string): string => join(dataDir, 'log');
const artifactDirectory = (dataDir: string): string => join(dataDir, 'artifacts');

export async function runControlPlane(path: string): Promise<void> {
  const file = loadControlPlaneFile(path);
  const { logger, onFatal, untilStopped } = beginProcess(file.log.level, {
    component: 'control-plane',
    id: file.replica,
  });
  const { nats } = file;
  const connection = { servers: nats.servers, user: nats.user, password: nats.password };
  const raftBus = natsBus(
    { ...connection, name: `${file.replica} raft`, system: nats.system },
    systemClock,
    logger,
  );
  const bus = natsBus({ ...connection, name: file.replica, system: undefined }, systemClock, logger);
  const artifacts = artifactHttp(file.tokens.replica);
  const replica = await serveReplica(configOf(file), {
    file,
    logger,
    ports: {
      clock: systemClock,
      random: systemRandom(),
      raftBus,
      bus,
      store: new FileLogStore(logDirectory(file.dataDir)),
      artifacts: new FileArtifactStore(artifactDirectory(file.dataDir)),
      peers: artifacts,
      logger,
      nonce: systemNonce(),
      onFatal,
    },
  });
  await untilStopped(async () => {
    await replica.stop();
    await Promise.allSettled([raftBus.close(), bus.close(), artifacts.close()]);
  });
  process.exit(0);
}

function configOf(file: ControlPlaneFile): ControlPlaneConfig {
  const { cluster, replica, members, raft, leader, placement } = file;
  return {
    ...controlPlaneDefaults,
    cluster,
    replica,
    members: members.map(({ id, grpc, http }) => ({ id, grpc, http: `http://${http}` })),
    electionTimeoutMs: raft.electionTimeoutMs,
    heartbeatMs: raft.heartbeatMs,
    probeMs: raft.hints.includes('probe') ? raft.probeMs : 0,
    advisories: raft.hints.includes('advisory'),
    ...leader,
    placement,
  };
}

export interface ServedReplica {
  readonly controlPlane: ControlPlane;
  stop(): Promise<void>;
}

/** The role with its API in front; ports are listened on before it takes part in anything. */
export async function serveReplica(
  config: ControlPlaneConfig,
  parts: {
    readonly file: Pick<ControlPlaneFile, 'grpc' | 'http' | 'tokens'>;
    readonly logger: Logger;
    readonly ports: ControlPlanePorts;
  },
): Promise<ServedReplica> {
  const { file, logger, ports } = parts;
  const controlPlane = new ControlPlane(config, ports);
  const forwarder = new Forwarder(file.tokens.replica);
  const version = batonVersion();
  const service = new ApiService(controlPlane, forwarder.forward, systemClock, {
    pid: process.pid,
    version,
    leaderWaitMs: LEADER_WAIT_MS,
    peerTimeoutMs: PEER_TIMEOUT_MS,
  });
  const tokens: AccessTokens = file.tokens;
  const grpc = new GrpcServer(service, controlPlane, { ...file.grpc, tokens, logger });
  const http = new HttpServer(service, controlPlane, { ...file.http, tokens, version, logger });
  await grpc.listen();
  await http.listen();
  await controlPlane.start();
  logger.info({ grpc: config.members.find(({ id }) => id === config.replica)?.grpc }, 'replica is up');
  return {
    controlPlane,
    async stop() {
      // Leadership goes first, so that whoever is told to ask elsewhere finds somebody.
      await controlPlane.stop();
      await Promise.all([grpc.close(), http.close()]);
      forwarder.close();
    },
  };
}
