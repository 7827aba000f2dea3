/** One worker as a process; with the simulated runtime, many. */
import { join } from 'node:path';
import { ArtifactCache } from '../../adapters/artifact-cache/artifact-cache.ts';
import { FileArtifactStore } from '../../adapters/artifact-file/artifact-file.ts';
import { artifactHttp } from '../../adapters/artifact-http/artifact-http.ts';
import { natsBus } from '../../adapters/nats/nats-bus.ts';
import { processRuntime } from '../../adapters/runtimes/process/process-runtime.ts';
import { simulatedHttpServer } from '../../adapters/runtimes/simulated/http-server.ts';
import { SimulatedRuntime } from '../../adapters/runtimes/simulated/simulated.ts';
import { systemClock } from '../../adapters/system/clock.ts';
import { systemNonce, systemRandom } from '../../adapters/system/random.ts';
import { workerStateFile } from '../../adapters/worker-state/worker-state.ts';
import { loadWorkerFile, type WorkerFile } from '../../config/worker.ts';
import type { Bus } from '../../ports/bus.ts';
import type { SandboxRuntime } from '../../ports/sandbox-runtime.ts';
import type { Logger } from '../../ports/system.ts';
import { workerDefaults } from '../../worker/config.ts';
import { Worker } from '../../worker/worker.ts';
import { beginProcess } from './lifecycle.ts';

export async function runWorker(path: string): Promise<void> {
  const file = loadWorkerFile(path);
  const { logger, onFatal, untilStopped } = beginProcess(file.log.level, {
    component: 'worker',
    id: file.worker,
  });
  const artifacts = artifactHttp(file.tokens.worker);
  const buses: Bus[] = [];
  const workers: Worker[] = [];
  for (const { worker: id, nats } of [{ worker: file.worker, nats: file.nats }, ...file.also]) {
    const directory = id === file.worker ? file.stateDir : join(file.stateDir, id);
    const bus = natsBus({ ...nats, name: id, system: undefined }, systemClock, logger);
    buses.push(bus);
    const worker = new Worker(
      {
        ...workerDefaults,
        cluster: file.cluster,
        id,
        capacity: file.capacity,
        heartbeatMs: file.heartbeatMs,
      },
      {
        clock: systemClock,
        random: systemRandom(),
        bus,
        runtime: runtimeOf(file, directory, logger),
        artifacts: new ArtifactCache(
          join(directory, 'unpacked'),
          new FileArtifactStore(join(directory, 'artifacts')),
          artifacts,
        ),
        state: workerStateFile(join(directory, 'worker.json')),
        logger,
        nonce: systemNonce(),
        onFatal,
      },
    );
    await worker.start();
    workers.push(worker);
  }
  logger.info({ workers: workers.length, runtime: file.runtime }, 'worker is up');
  await untilStopped(async () => {
    await Promise.all(workers.map((worker) => worker.stop()));
    await Promise.allSettled([...buses.map((bus) => bus.close()), artifacts.close()]);
  });
  process.exit(0);
}

function runtimeOf(file: WorkerFile, directory: string, logger: Logger): SandboxRuntime {
  const clock = systemClock;
  const random = systemRandom();
  switch (file.runtime) {
    case 'process':
      return processRuntime({
        directory,
        stemCells: file.stemCells,
        ports: file.ports,
        host: file.host,
        clock,
        random,
        logger,
      });
    case 'simulated':
      return new SimulatedRuntime({
        startMs: file.startMs,
        drainMs: 10,
        clock,
        random,
        server: simulatedHttpServer(),
      });
    default:
      return file.runtime satisfies never;
  }
}
