/** `baton dev`: control plane, data plane and worker in one process over a bus in memory; the function again at each change. */
import { mkdtempSync, rmSync, statSync, watch } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ApiClient } from '../../api/client.ts';
import { ArtifactCache } from '../../adapters/artifact-cache/artifact-cache.ts';
import { FileArtifactStore } from '../../adapters/artifact-file/artifact-file.ts';
import { artifactHttp } from '../../adapters/artifact-http/artifact-http.ts';
import { NodeHttpFront } from '../../adapters/http/node-front.ts';
import { SocketUpstream } from '../../adapters/http/upstream.ts';
import { FileLogStore } from '../../adapters/log-file/log-file.ts';
import { MemoryBroker } from '../../adapters/memory-bus/broker.ts';
import { processRuntime } from '../../adapters/runtimes/process/process-runtime.ts';
import { freePort } from '../../adapters/system/free-port.ts';
import { systemClock } from '../../adapters/system/clock.ts';
import { systemLogger } from '../../adapters/system/logger.ts';
import { systemNonce, systemRandom } from '../../adapters/system/random.ts';
import { FileTable } from '../../adapters/table-file/file.ts';
import { workerStateFile } from '../../adapters/worker-state/worker-state.ts';
import { renderError, type Terminal } from '../../cli/output.ts';
import { packageFunction } from '../../cli/package-function.ts';
import { controlPlaneDefaults } from '../../control-plane/config.ts';
import { DATA_PLANE_DEFAULTS } from '../../data-plane/config.ts';
import { DataPlane } from '../../data-plane/data-plane.ts';
import { clusterId, dataPlaneId, functionName, replicaId, workerId } from '../../lib/ids.ts';
import type { Logger } from '../../ports/system.ts';
import { workerDefaults } from '../../worker/config.ts';
import { Worker } from '../../worker/worker.ts';
import { serveReplica } from './control-plane.ts';

const HOST = '127.0.0.1';
const SETTLE_MS = 100;
const LOG_EVERY_MS = 150;

interface DevCluster {
  readonly client: ApiClient;
  readonly url: string;
  stop(): Promise<void>;
}

export async function runDev(path: string, port: number, terminal: Terminal): Promise<void> {
  const source = resolve(path);
  // What cannot be packaged at all needs no cluster to say so.
  await packageFunction(source);
  const directory = mkdtempSync(join(tmpdir(), 'baton-dev-'));
  const logger = systemLogger(process.env['BATON_LOG'] === 'debug' ? 'debug' : 'silent');
  const stopping = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => stopping.abort());
  const cluster = await startCluster(directory, port, logger, (error) => {
    terminal.err(renderError(error));
    process.exit(1);
  });
  try {
    const name = functionName(
      basename(source, extname(source))
        .toLowerCase()
        .replaceAll(/[^a-z0-9-]+/g, '-'),
      'file',
    );
    const url = `${cluster.url}/function/${name}`;
    let generation = 0;
    const deploy = async (): Promise<void> => {
      try {
        generation = await deployOnce(cluster.client, source, name);
        terminal.err(`${generation === 1 ? 'serving' : `generation ${generation} at`} ${url}\n`);
      } catch (error) {
        terminal.err(renderError(error));
      }
    };
    await deploy();
    if (generation === 1) terminal.out(`${url}\n`);
    followLogs(cluster.client, name, terminal, stopping.signal);
    await watchSource(source, stopping.signal, deploy);
  } finally {
    cluster.client.close();
    await cluster.stop();
    rmSync(directory, { recursive: true, force: true });
  }
  process.exit(0);
}

async function deployOnce(client: ApiClient, source: string, name: string): Promise<number> {
  const packaged = await packageFunction(source);
  await client.upload(packaged.artifact, packaged.digest);
  const { generation } = await client.putFunction(
    {
      name,
      runtime: packaged.runtime,
      artifact: packaged.digest,
      artifactBytes: packaged.artifact.length,
      ...(packaged.runtime === 'javascript' ? { entry: packaged.entry } : { command: packaged.command }),
    },
    { ifGeneration: undefined, trial: true },
  );
  return generation;
}

async function watchSource(
  source: string,
  signal: AbortSignal,
  onChange: () => Promise<void>,
): Promise<void> {
  const isDirectory = statSync(source).isDirectory();
  const folder = isDirectory ? source : dirname(source);
  let changed = false;
  // Editors replace files: the folder is watched, and the name is looked at.
  const watcher = watch(folder, { recursive: isDirectory, signal }, (_event, name) => {
    if (isDirectory || name === basename(source)) changed = true;
  });
  watcher.on('error', () => undefined);
  while (!signal.aborted) {
    await delay(SETTLE_MS, undefined, { signal }).catch(() => undefined);
    if (!changed) continue;
    changed = false;
    await onChange();
  }
}

function followLogs(client: ApiClient, name: string, terminal: Terminal, signal: AbortSignal): void {
  const follow = async (): Promise<void> => {
    while (!signal.aborted) {
      try {
        for await (const page of client.followLogs(
          { function: name, sandbox: '', cursors: [], limit: 0 },
          signal,
        ))
          for (const { text } of page.rows) terminal.err(`${name} | ${text}\n`);
      } catch {
        // Not deployed yet, or just being replaced.
      }
      await delay(LOG_EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
  };
  void follow();
}

async function startCluster(
  directory: string,
  port: number,
  logger: Logger,
  onFatal: (error: Error) => void,
): Promise<DevCluster> {
  const clock = systemClock;
  const cluster = clusterId('dev');
  const broker = new MemoryBroker(clock, logger);
  const [grpcPort, httpPort] = [await freePort(HOST), await freePort(HOST)];
  const replica = replicaId('r1');
  const tokens = {
    api: undefined,
    replica: 'a'.repeat(16),
    worker: 'b'.repeat(16),
    dataPlane: 'c'.repeat(16),
  };
  const log = join(directory, 'log');
  const blank = new FileLogStore(log);
  await blank.create({ cluster, replica, epoch: 1, incarnationMs: 0, voter: true, votesAboveTerm: 0 });
  await blank.close();
  const artifacts = artifactHttp(tokens.replica);
  const members = [{ id: replica, grpc: `${HOST}:${grpcPort}`, http: `http://${HOST}:${httpPort}` }];
  const served = await serveReplica(
    { ...controlPlaneDefaults, cluster, replica, members },
    {
      file: { grpc: { host: HOST, port: grpcPort }, http: { host: HOST, port: httpPort }, tokens },
      logger,
      ports: {
        clock,
        random: systemRandom(),
        raftBus: broker.connect('replica-r1-raft'),
        bus: broker.connect('replica-r1'),
        store: new FileLogStore(log),
        artifacts: new FileArtifactStore(join(directory, 'artifacts')),
        peers: artifacts,
        logger,
        nonce: systemNonce(),
        onFatal,
      },
    },
  );
  const worker = new Worker(
    {
      ...workerDefaults,
      cluster,
      id: workerId('w1'),
      capacity: { cpuMillis: 16_000, memoryMiB: 16_384, sandboxes: 64 },
    },
    {
      clock,
      random: systemRandom(),
      bus: broker.connect('worker-w1'),
      runtime: processRuntime({
        directory: join(directory, 'w1'),
        stemCells: 1,
        ports: { from: 20_000, to: 29_999 },
        host: undefined,
        clock,
        random: systemRandom(),
        logger,
      }),
      artifacts: new ArtifactCache(
        join(directory, 'w1', 'unpacked'),
        new FileArtifactStore(join(directory, 'w1', 'artifacts')),
        artifacts,
      ),
      state: workerStateFile(join(directory, 'w1', 'worker.state')),
      logger,
      nonce: systemNonce(),
      onFatal,
    },
  );
  await worker.start();
  const dataPlane = new DataPlane(
    {
      ...DATA_PLANE_DEFAULTS,
      cluster,
      id: dataPlaneId('dp1'),
      caller: { host: HOST, port },
      peer: { host: HOST, port: 0 },
      peerToken: tokens.dataPlane,
      drainGraceMs: 500,
    },
    {
      clock,
      random: systemRandom(),
      bus: broker.connect('data-plane-dp1'),
      front: new NodeHttpFront({ portSetting: '--port' }),
      peerFront: new NodeHttpFront({ portSetting: 'peer' }),
      upstream: new SocketUpstream(),
      tableFile: new FileTable(join(directory, 'tables')),
      logger,
    },
  );
  await dataPlane.start();
  const client = new ApiClient({ servers: [`${HOST}:${grpcPort}`], token: undefined, timeoutMs: 30_000 });
  while (!dataPlane.isReady || (await client.call('listWorkers', {})).rows.length === 0) await delay(10);
  return {
    client,
    url: `http://${HOST}:${dataPlane.callerPort}`,
    async stop() {
      await dataPlane.stop();
      await worker.stop();
      await served.stop();
      await artifacts.close();
    },
  };
}
