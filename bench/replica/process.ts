/**
 * One replica that takes orders from its parent: the roles, adapters and configuration file of `baton control-plane`, and
 * beside them, in the same process, a generator of registrations and a way to hold the thread. Production code has neither.
 * Started with `fork`; ends when its parent does.
 *
 * Registrations go to the leader's service layer directly, so that what they cost without gRPC is seen.
 */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { FileArtifactStore } from '../../src/adapters/artifact-file/artifact-file.ts';
import { artifactHttp } from '../../src/adapters/artifact-http/artifact-http.ts';
import { FileLogStore } from '../../src/adapters/log-file/log-file.ts';
import { natsBus } from '../../src/adapters/nats/nats-bus.ts';
import { systemClock } from '../../src/adapters/system/clock.ts';
import { systemLogger } from '../../src/adapters/system/logger.ts';
import { systemNonce, systemRandom } from '../../src/adapters/system/random.ts';
import { parseFunctionDocument } from '../../src/api/spec.ts';
import { logDirectory, serveReplica } from '../../src/bin/processes/control-plane.ts';
import { loadControlPlaneFile } from '../../src/config/control-plane.ts';
import { controlPlaneDefaults } from '../../src/control-plane/config.ts';
import type { ControlPlane } from '../../src/control-plane/control-plane.ts';
import { BatonError, explain } from '../../src/lib/errors.ts';
import { functionName } from '../../src/lib/ids.ts';
import { registrations, runLoad, type LoadFigures, type Registration } from './registrations.ts';

export type Order =
  | { readonly kind: 'load'; readonly callers: number; readonly seconds: number; readonly series: string }
  | { readonly kind: 'block'; readonly ms: number };

export type Report =
  | { readonly kind: 'load'; readonly figures: LoadFigures }
  | { readonly kind: 'blocked'; readonly ms: number }
  | { readonly kind: 'failed'; readonly error: string };

/** A commit index is good as the base of request ids for a while: it is read again after as many registrations. */
const READ_BASE_EVERY = 1_000;
const LEAD_WAIT_MS = 2_000;

function end(error: Error): void {
  process.stderr.write(`${explain(error)}\n`);
  process.exit(1);
}

async function open(path: string): Promise<ControlPlane> {
  const file = loadControlPlaneFile(path);
  const { cluster, replica, members, nats, raft, leader } = file;
  const logger = systemLogger('warn', { component: 'control-plane', id: replica });
  const { servers, user, password, system } = nats;
  const { controlPlane } = await serveReplica(
    {
      ...controlPlaneDefaults,
      cluster,
      replica,
      members: members.map(({ id, grpc, http }) => ({ id, grpc, http: `http://${http}` })),
      electionTimeoutMs: raft.electionTimeoutMs,
      heartbeatMs: raft.heartbeatMs,
      ...leader,
    },
    {
      file,
      logger,
      ports: {
        clock: systemClock,
        random: systemRandom(),
        raftBus: natsBus({ servers, user, password, system, name: `${replica} raft` }, systemClock, logger),
        bus: natsBus({ servers, user, password, system: undefined, name: replica }, systemClock, logger),
        store: new FileLogStore(logDirectory(file.dataDir)),
        artifacts: new FileArtifactStore(join(file.dataDir, 'artifacts')),
        peers: artifactHttp(file.tokens.replica),
        logger,
        nonce: systemNonce(),
        onFatal: end,
      },
    },
  );
  return controlPlane;
}

/** Elected is not enough: the no-op of the term must be applied. @throws BatonError `no-leader` */
async function untilLeading(controlPlane: ControlPlane): Promise<void> {
  const deadline = performance.now() + LEAD_WAIT_MS;
  while (controlPlane.leader().kind !== 'self') {
    if (performance.now() > deadline) throw new BatonError('no-leader', 'this replica does not lead');
    await delay(5);
  }
}

/** Of this process: no request id is used twice. */
let loads = 0;

/** @throws BatonError when a registration is refused */
async function loadFrom(
  controlPlane: ControlPlane,
  order: Extract<Order, { kind: 'load' }>,
): Promise<LoadFigures> {
  await untilLeading(controlPlane);
  const load = ++loads;
  let base = 0;
  let sent = 0;
  const source = registrations(order.series);
  const template = parseFunctionDocument(source.next().value);
  const register = async ({ name }: Registration): Promise<void> => {
    if (sent++ % READ_BASE_EVERY === 0) base = controlPlane.raft().commit;
    await controlPlane.put({
      spec: { ...template, name: functionName(name) },
      requestId: { base, nonce: `${controlPlane.self.id}-${load}-${sent}` },
      ifGeneration: undefined,
      trial: false,
    });
  };
  return runLoad(order.callers, order.seconds, register, source);
}

/** Nothing else runs in this process meanwhile: no timer, no message, no heartbeat. */
function holdThread(ms: number): number {
  const beganMs = performance.now();
  while (performance.now() - beganMs < ms);
  return performance.now() - beganMs;
}

process.on('uncaughtException', end);
process.on('disconnect', () => process.exit(0));
// Ctrl-C reaches the whole process group: the parent hears it too, and ends this one in its turn.
process.on('SIGINT', () => undefined);
const controlPlane = await open(process.argv[2] ?? '');
process.on('message', (order: Order) => {
  const report = (answer: Report): void => void process.send?.(answer);
  if (order.kind === 'block') return report({ kind: 'blocked', ms: holdThread(order.ms) });
  void loadFrom(controlPlane, order).then(
    (figures) => report({ kind: 'load', figures }),
    (error: unknown) => report({ kind: 'failed', error: explain(error) }),
  );
});
