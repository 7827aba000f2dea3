/** One data plane as a process. */
import { join } from 'node:path';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { NodeHttpFront } from '../../adapters/http/node-front.ts';
import { SocketUpstream } from '../../adapters/http/upstream.ts';
import { natsBus } from '../../adapters/nats/nats-bus.ts';
import { systemClock } from '../../adapters/system/clock.ts';
import { systemRandom } from '../../adapters/system/random.ts';
import { FileTable } from '../../adapters/table-file/file.ts';
import { loadDataPlaneFile } from '../../config/data-plane.ts';
import { DATA_PLANE_DEFAULTS } from '../../data-plane/config.ts';
import { DataPlane } from '../../data-plane/data-plane.ts';
import { beginProcess } from './lifecycle.ts';

export async function runDataPlane(path: string): Promise<void> {
  const file = loadDataPlaneFile(path);
  const { logger, untilStopped } = beginProcess(file.log.level, {
    component: 'data-plane',
    id: file.dataPlane,
  });
  const bus = natsBus({ ...file.nats, name: file.dataPlane, system: undefined }, systemClock, logger);
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const dataPlane = new DataPlane(
    {
      ...DATA_PLANE_DEFAULTS,
      cluster: file.cluster,
      id: file.dataPlane,
      caller: file.caller,
      peer: file.peer,
      advertiseHost: file.advertiseHost,
      domain: file.domain,
      peerToken: file.tokens.dataPlane,
      lookupTimeoutMs: file.lookupTimeoutMs,
      drainGraceMs: file.drainGraceMs,
    },
    {
      clock: systemClock,
      random: systemRandom(),
      bus,
      front: new NodeHttpFront({ portSetting: 'caller.port' }),
      peerFront: new NodeHttpFront({ portSetting: 'peer.port' }),
      upstream: new SocketUpstream({ idleMs: file.sandboxIdleMs }),
      tableFile: new FileTable(join(file.stateDir, 'tables')),
      logger,
      registry,
    },
  );
  await dataPlane.start();
  logger.info({ caller: dataPlane.callerPort, peer: dataPlane.peerPort }, 'data plane is up');
  await untilStopped(async () => {
    await dataPlane.stop();
    await bus.close();
  });
  process.exit(0);
}
