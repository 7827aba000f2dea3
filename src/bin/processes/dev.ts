/** `baton dev`: control plane, data plane and worker in one process over a bus in memory; the function again at each change. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, extname, join, resolve } from 'node:path';
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
import { packageFunction, type PackagedFunction } from '../../cli/package-function.ts';
import { controlPlaneDefaults } from '../../control-plane/config.ts';
import { DATA_PLANE_DEFAULTS } from '../../data-plane/config.ts';
import { DataPlane } from '../../data-plane/data-plane.ts';
import { clusterId, dataPlaneId, functionName, replicaId, workerId } from '../../lib/ids.ts';
import type { Logger } from '../../ports/system.ts';
import { workerDefaults } from '../../worker/config.ts';
import { Worker } from '../../worker/worker.ts';
import { serveReplica } from './control-plane.ts';
import { ErrorNews } from './error-news.ts';
import { SourceWatch } from './source-watch.ts';

const HOST = '127.0.0.1';
/** Longer than a request that is under way may take to end. */
const STOP_LIMIT_MS = 10_000;
const LOG_EVERY_MS = 150;

interface DevCluster {
  readonly client: ApiClient;
  readonly url: string;
  stop(): Promise<void>;
}

export async function runDev(path: string, port: number, terminal: Terminal): Promise<void> {
  const source = resolve(path);
  // What cannot be packaged at all needs no cluster to say so.
  let { sources } = await packageFunction(source);
  const name = functionName(
    basename(source, extname(source))
      .toLowerCase()
      .replaceAll(/[^a-z0-9-]+/g, '-'),
    'file',
  );
  const directory = mkdtempSync(join(tmpdir(), 'baton-dev-'));
  // However it ends, nothing is left behind.
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  const signal = untilInterrupted();
  const logger = systemLogger(process.env['BATON_LOG'] === 'debug' ? 'debug' : 'silent');
  const cluster = await startCluster(directory, port, logger, (error) => {
    terminal.err(renderError(error));
    process.exit(1);
  });
  const url = `${cluster.url}/function/${name}`;
  const watch = new SourceWatch();
  watch.follow(sources);
  followLogs(cluster.client, name, terminal, signal);
  let served = 0;
  const news = new ErrorNews();
  for (let changed: readonly string[] = []; !signal.aborted; changed = await watch.settled(signal)) {
    try {
      const packaged = await packageFunction(source);
      ({ sources } = packaged);
      watch.follow(sources);
      const generation = await deploy(cluster.client, packaged, name);
      news.onSuccess();
      if (generation === served) continue;
      const of = changed.length === 0 ? '' : ` (${changed.join(', ')})`;
      terminal.err(served === 0 ? `serving ${url}\n` : `generation ${generation} at ${url}${of}\n`);
      if (served === 0) terminal.out(`${url}\n`);
      served = generation;
    } catch (error) {
      // Something that it needs may not be there yet, in whatever file.
      watch.follow(sources, true);
      const text = renderError(error);
      if (!signal.aborted && news.isNews(text, changed, sources.files)) terminal.err(text);
    }
  }
  watch.close();
  cluster.client.close();
  await cluster.stop();
  process.exit(0);
}

/** Asked a second time, or not through in time, it ends at once; sandboxes end with it. */
function untilInterrupted(): AbortSignal {
  const stopping = new AbortController();
  const { signal } = stopping;
  const stop = (): void => {
    if (signal.aborted) process.exit(1);
    stopping.abort();
    setTimeout(() => process.exit(1), STOP_LIMIT_MS).unref();
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, stop);
  return signal;
}

/** @returns the generation: the one that serves, if this is nothing new */
async function deploy(client: ApiClient, packaged: PackagedFunction, name: string): Promise<number> {
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
