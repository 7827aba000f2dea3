/** One worker as a process; with the simulated runtime, many. */
import { join } from 'node:path';
import { ArtifactCache } from '../../adapters/artifact-cache/artifact-cache.ts';
import { FileArtifactStore } from '../../adapters/artifact-file/artifact-file.ts';
import { artifactHttp } from '../../adapters/artifact-http/artifact-http.ts';
import { natsBus } from '../../adapters/nats/nats-bus.ts';
import { processRuntime } from '../../adapters/runtimes/process/process-runtime.ts';
import { simulatedHttpServer } from '../../adapters/runtimes/simulated/http-server.ts';
import { LoopbackServer } from '../../adapters/runtimes/simulated/loopback-server.ts';
import { SimulatedRuntime, type SimulatedServer } from '../../adapters/runtimes/simulated/simulated.ts';
import { sharedBus } from '../../adapters/shared-bus/shared-bus.ts';
import { systemClock } from '../../adapters/system/clock.ts';
import { systemNonce, systemRandom } from '../../adapters/system/random.ts';
import { FleetStateFile } from '../../adapters/worker-state/fleet-state.ts';
import { workerStateFile } from '../../adapters/worker-state/worker-state.ts';
import { fleetIds, loadWorkerFile, type WorkerFile } from '../../config/worker.ts';
import type { WorkerId } from '../../lib/ids.ts';
import { kindOf } from '../../wire/subjects.ts';
import type { SandboxRuntime } from '../../ports/sandbox-runtime.ts';
import type { Logger } from '../../ports/system.ts';
import type { WorkerStateFile } from '../../ports/worker-state.ts';
import { workerDefaults } from '../../worker/config.ts';
import { Worker } from '../../worker/worker.ts';
import { beginProcess } from './lifecycle.ts';

/** @param labels `NAME=VALUE`, beside those of the file or instead of them */
export async function runWorker(path: string, labels: readonly string[]): Promise<void> {
  const file = loadWorkerFile(path, labels);
  const { logger, onFatal, untilStopped } = beginProcess(file.log.level, {
    component: 'worker',
    id: file.worker,
  });
  const artifacts = artifactHttp(file.tokens.worker);
  const bus = natsBus({ ...file.nats, name: file.worker, system: undefined }, systemClock, logger);
  const loopback = file.fleet === undefined ? undefined : await LoopbackServer.listen();
  const selves = loopback === undefined ? [aloneIn(file, logger)] : fleetOf(file, loopback);
  const own = loopback === undefined ? bus : sharedBus(bus, systemClock, isUrgent);
  const workers = selves.map(
    ({ id, runtime, state, directory }) =>
      new Worker(
        {
          ...workerDefaults,
          cluster: file.cluster,
          id,
          capacity: file.capacity,
          labels: file.labels,
          heartbeatMs: file.heartbeatMs,
        },
        {
          clock: systemClock,
          random: systemRandom(),
          bus: own,
          runtime,
          artifacts: new ArtifactCache(
            join(directory, 'unpacked'),
            new FileArtifactStore(join(directory, 'artifacts')),
            artifacts,
          ),
          state,
          logger,
          nonce: systemNonce(),
          onFatal,
        },
      ),
  );
  await Promise.all(workers.map((worker) => worker.start()));
  logger.info({ workers: workers.length, runtime: file.runtime }, 'worker is up');
  await untilStopped(async () => {
    await Promise.all(workers.map((worker) => worker.stop()));
    loopback?.close();
    await Promise.allSettled([bus.close(), artifacts.close()]);
  });
  process.exit(0);
}

/** Of the messages of a fleet: a caller may wait for the sandbox that it is about. */
function isUrgent(subject: string): boolean {
  const kind = kindOf(subject);
  return kind === 'command' || kind === 'change';
}

/** What makes one worker of a process different from another. */
interface Self {
  readonly id: WorkerId;
  readonly directory: string;
  readonly runtime: SandboxRuntime;
  readonly state: WorkerStateFile;
}

function aloneIn(file: WorkerFile, logger: Logger): Self {
  const { worker: id, stateDir: directory } = file;
  return {
    id,
    directory,
    runtime: runtimeOf(file, logger),
    state: workerStateFile(join(directory, 'worker.state')),
  };
}

/** Real sandboxes die with their worker, so only simulated ones share a process. */
function fleetOf(file: WorkerFile, server: LoopbackServer): Self[] {
  const { worker, stateDir: directory, fleet = 1 } = file;
  const states = new FleetStateFile(join(directory, 'fleet.states'));
  return fleetIds(worker, fleet).map((id) => ({
    id,
    directory,
    runtime: simulated(file, server.share()),
    state: states.of(id),
  }));
}

function simulated(file: WorkerFile, server: SimulatedServer): SandboxRuntime {
  return new SimulatedRuntime({
    startMs: file.startMs,
    drainMs: 10,
    clock: systemClock,
    random: systemRandom(),
    server,
  });
}

function runtimeOf(file: WorkerFile, logger: Logger): SandboxRuntime {
  switch (file.runtime) {
    case 'process':
      return processRuntime({
        directory: file.stateDir,
        stemCells: file.stemCells,
        ports: file.ports,
        host: file.host,
        listenHost: file.listenHost,
        clock: systemClock,
        random: systemRandom(),
        logger,
      });
    case 'simulated':
      return simulated(file, simulatedHttpServer());
    default:
      return file.runtime satisfies never;
  }
}
