/** Local clusters: up, down, start, stop, supervise; and the status of any. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import {
  down,
  start,
  stop,
  supervise,
  supervisorDirectory,
  untilStopped,
  up,
  viewOf,
  type ClusterView,
} from '../../../cluster/local/local-cluster.ts';
import { startDetached } from '../../../cluster/local/processes.ts';
import {
  checkTopology,
  hasCluster,
  topologyDefaults,
  type TopologyOptions,
} from '../../../cluster/local/topology.ts';
import { loadLocalCluster, type LocalCluster } from '../../config/cluster.ts';
import type { ClusterStatus, Reconstruction } from '../../api/client.ts';
import { Context, usage, wholeNumber } from '../context.ts';
import { renderTable, workerState, type Terminal } from '../output.ts';

interface UpFlags {
  readonly detach?: boolean;
  readonly supervise?: boolean;
  readonly replicas?: number;
  readonly dataPlanes?: number;
  readonly workers?: number;
  readonly nats?: number;
  readonly runtime?: string;
  readonly startMs?: number;
  readonly basePort?: number;
}

export function addClusterCommands(program: Command, terminal: Terminal, self: readonly string[]): void {
  program
    .command('up')
    .description('start a local cluster of real processes, or what is missing of one')
    .option('--detach', 'return once it can serve; baton down ends it')
    .option('--supervise', 'start again what ends')
    .option('--replicas <n>', 'control-plane replicas: 1, 3 or 5 (3)', wholeNumber('--replicas'))
    .option('--data-planes <n>', 'data planes (2)', wholeNumber('--data-planes'))
    .option('--workers <n>', 'workers (2)', wholeNumber('--workers'))
    .option('--nats <n>', 'NATS servers: 1, 3 or 5 (1)', wholeNumber('--nats'))
    .option('--runtime <name>', 'process or simulated (process)')
    .option('--start-ms <n>', 'simulated: mean start latency (10)', wholeNumber('--start-ms'))
    .option('--base-port <n>', 'ports from here on (any free ones)', wholeNumber('--base-port'))
    .addHelpText(
      'after',
      '\nExamples:\n  baton up --detach\n  baton up --dir /tmp/c --workers 4 --runtime simulated --start-ms 50\n',
    )
    .action(async (flags: UpFlags, command: Command) => runUp(new Context(terminal, command), flags, self));

  program
    .command('down')
    .description('end a local cluster; its state stays')
    .action(async (_flags: object, command: Command) => {
      const context = new Context(terminal, command);
      context.localCluster();
      const stopped = await down(context.directory);
      context.value(
        { stopped },
        () => `stopped ${stopped.length === 0 ? 'nothing: it was down' : stopped.join(', ')}\n`,
      );
    });

  program
    .command('start')
    .description('start single processes of a local cluster')
    .argument('<id...>', 'such as r1, dp2, w1, n1')
    .action(async (ids: string[], _flags: object, command: Command) => {
      const context = new Context(terminal, command);
      context.localCluster();
      const view = await start(context.directory, ids, context.progress);
      context.value(view, () => `started ${ids.join(', ')}\n`);
    });

  program
    .command('stop')
    .description('stop single processes of a local cluster')
    .argument('<id...>', 'such as r1, dp2, w1, n1')
    .action(async (ids: string[], _flags: object, command: Command) => {
      const context = new Context(terminal, command);
      context.localCluster();
      const stopped = await stop(context.directory, ids);
      context.value({ stopped }, () => `stopped ${stopped.join(', ') || 'nothing: it was down'}\n`);
    });

  program
    .command('supervise', { hidden: true })
    .description('start again what ends, until stopped')
    .action(async (_flags: object, command: Command) => {
      const context = new Context(terminal, command);
      const stopping = new AbortController();
      for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stopping.abort());
      await supervise(context.directory, stopping.signal, context.progress);
    });

  program
    .command('status')
    .description('the cluster: leader, replicas, data planes, workers, functions')
    .action(async (_flags: object, command: Command) => runStatus(new Context(terminal, command)));
}

function topologyOf(flags: UpFlags): TopologyOptions {
  const { runtime = topologyDefaults.runtime } = flags;
  if (runtime !== 'process' && runtime !== 'simulated')
    throw usage(
      '--runtime',
      `${JSON.stringify(runtime)} is not a runtime`,
      'use process or simulated; oci and containerd are not there yet',
    );
  return {
    replicas: flags.replicas ?? topologyDefaults.replicas,
    dataPlanes: flags.dataPlanes ?? topologyDefaults.dataPlanes,
    workers: flags.workers ?? topologyDefaults.workers,
    fleet: topologyDefaults.fleet,
    nats: flags.nats ?? topologyDefaults.nats,
    startMs: flags.startMs ?? topologyDefaults.startMs,
    basePort: flags.basePort,
    runtime,
  };
}

async function runUp(context: Context, flags: UpFlags, self: readonly string[]): Promise<void> {
  const options = topologyOf(flags);
  checkTopology(options);
  const directory = resolve(context.directory);
  if (hasCluster(directory)) demandSameTopology(flags, loadLocalCluster(directory));
  if (flags.detach === true) {
    const view = await up(directory, options, context.progress);
    if (flags.supervise === true) {
      const [file = process.execPath, ...args] = self;
      startDetached(supervisorDirectory(directory), {
        file,
        args: [...args, 'supervise', '--dir', directory],
      });
    }
    return context.value(view, () => renderView(view));
  }
  const stopping = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => stopping.abort());
  let isDown = false;
  try {
    const view = await up(directory, options, context.progress);
    context.value(view, () => renderView(view));
    if (context.format === 'table') context.terminal.err('Ctrl-C ends it\n');
    isDown = await stayUp(directory, flags.supervise === true, stopping, context.progress);
  } finally {
    if (!isDown) {
      context.progress('stopping …');
      await down(directory);
    }
  }
  if (isDown) context.progress('stopped from elsewhere');
}

/** Until it is told to stop, or the cluster was stopped from elsewhere: true then. */
async function stayUp(
  directory: string,
  isSupervised: boolean,
  stopping: AbortController,
  progress: (line: string) => void,
): Promise<boolean> {
  const [isDown] = await Promise.all([
    untilStopped(directory, stopping.signal).finally(() => stopping.abort()),
    isSupervised ? supervise(directory, stopping.signal, progress) : undefined,
  ]);
  return isDown;
}

/** A cluster is what it was made: flags that say otherwise are told so, not ignored. */
function demandSameTopology(flags: UpFlags, cluster: LocalCluster): void {
  const given: readonly (readonly [flag: string, wanted: unknown, is: unknown])[] = [
    ['--replicas', flags.replicas, cluster.replicas.length],
    ['--data-planes', flags.dataPlanes, cluster.dataPlanes.length],
    ['--workers', flags.workers, cluster.workers.length],
    ['--nats', flags.nats, cluster.nats.length],
    ['--runtime', flags.runtime, cluster.runtime],
    ['--start-ms', flags.startMs, cluster.startMs],
    ['--base-port', flags.basePort, cluster.nats[0]?.port],
  ];
  for (const [flag, wanted, is] of given) {
    if (wanted === undefined || wanted === is) continue;
    throw usage(
      flag,
      `this cluster has ${String(is)}`,
      'leave the flag out, or make another cluster with --dir',
    );
  }
}

function renderView(view: ClusterView): string {
  const rows = [
    ...view.nats.map(({ id, pid, url }) => ({ id, role: 'nats-server', pid, address: url })),
    ...view.replicas.map(({ id, pid, grpc, http }) => ({
      id,
      role: 'control plane',
      pid,
      address: `grpc ${grpc}, ${http}`,
    })),
    ...view.dataPlanes.map(({ id, pid, url }) => ({ id, role: 'data plane', pid, address: url })),
    ...view.workers.map(({ id, pid }) => ({ id, role: 'worker', pid, address: '' })),
  ];
  return renderTable(
    rows,
    [
      { title: 'ID', value: ({ id }) => id },
      { title: 'ROLE', value: ({ role }) => role },
      { title: 'PID', value: ({ pid }) => pid },
      { title: 'ADDRESS', value: ({ address }) => address },
    ],
    false,
  );
}

export interface StatusView {
  readonly leader: string;
  readonly term: number;
  readonly commitIndex: number;
  readonly replicas: readonly {
    id: string;
    pid: number;
    role: string;
    term: number;
    appliedIndex: number;
    stateHash: string;
    voter: boolean;
  }[];
  readonly dataPlanes: readonly {
    id: string;
    pid: number;
    url: string;
    endpointSeq: number;
    live: boolean;
  }[];
  readonly workers: readonly {
    id: string;
    pid: number;
    sandboxes: number;
    state: string;
    cordoned: boolean;
    draining: boolean;
  }[];
  readonly functions: readonly { name: string; ready: number; desired: number; generation: number }[];
  /** Undefined without a leader. Times since the term began. */
  readonly reconstruction: ReconstructionShown | undefined;
}

type ReconstructionShown = Pick<
  Reconstruction,
  | 'phase'
  | 'ageMs'
  | 'cause'
  | 'electionMs'
  | 'knownWorkers'
  | 'reportedWorkers'
  | 'firstWorkerMs'
  | 'allReportedMs'
  | 'reconciledMs'
>;

/** The leader's view, and for a local cluster also what it cannot see: processes that are not there. */
function statusView(status: ClusterStatus, local: ClusterView | undefined): StatusView {
  const pidOf = (list: readonly { id: string; pid: number }[] | undefined, id: string): number =>
    list?.find((entry) => entry.id === id)?.pid ?? 0;
  const planes = new Map(status.dataPlanes.map((plane) => [plane.id, plane]));
  const workers = new Map(status.workers.map((worker) => [worker.id, worker]));
  const planeIds = new Set([...(local?.dataPlanes ?? []).map(({ id }) => id), ...planes.keys()]);
  const workerIds = new Set([...(local?.workers ?? []).map(({ id }) => id), ...workers.keys()]);
  return {
    leader: status.leader,
    term: status.term,
    commitIndex: status.commitIndex,
    replicas: status.replicas.map(({ id, pid, role, term, appliedIndex, stateHash, voter }) => {
      return { id, pid, role, term, appliedIndex, stateHash, voter };
    }),
    dataPlanes: [...planeIds].map((id) => ({
      id,
      pid: pidOf(local?.dataPlanes, id),
      url: planes.get(id)?.url ?? local?.dataPlanes.find((plane) => plane.id === id)?.url ?? '',
      endpointSeq: planes.get(id)?.endpointSeq ?? 0,
      live: planes.get(id)?.live ?? false,
    })),
    workers: [...workerIds].map((id) => ({
      id,
      pid: pidOf(local?.workers, id),
      sandboxes: workers.get(id)?.sandboxes ?? 0,
      state: workers.get(id)?.state ?? 'unknown',
      cordoned: workers.get(id)?.cordoned ?? false,
      draining: workers.get(id)?.draining ?? false,
    })),
    functions: status.functions.map(({ name, ready, desired, generation }) => ({
      name,
      ready,
      desired,
      generation,
    })),
    reconstruction: status.reconstruction && shownReconstruction(status.reconstruction),
  };
}

function shownReconstruction(of: Reconstruction): ReconstructionShown {
  const { phase, ageMs, cause, electionMs, knownWorkers, reportedWorkers } = of;
  const { firstWorkerMs, allReportedMs, reconciledMs } = of;
  return {
    phase,
    ageMs,
    cause,
    electionMs,
    knownWorkers,
    reportedWorkers,
    firstWorkerMs,
    allReportedMs,
    reconciledMs,
  };
}

const CAUSES: Readonly<Record<string, string>> = {
  advisory: 'the server said that the leader before was gone',
  probe: 'nobody answered for the leader before',
  timeout: 'no leader was heard',
  transfer: 'leadership was handed over',
};

/** One line: since when it leads and why, and how far it has come. */
function termLine(term: number, of: ReconstructionShown): string {
  const ms = (value: number): string => `${Math.round(value)} ms`;
  const election = of.electionMs === undefined ? '' : `, could act ${ms(of.electionMs)} later`;
  const stages = [
    of.firstWorkerMs === undefined ? 'no worker known yet' : `first worker after ${ms(of.firstWorkerMs)}`,
    `${of.reportedWorkers} of ${of.knownWorkers} reported${of.allReportedMs === undefined ? '' : ` after ${ms(of.allReportedMs)}`}`,
    of.reconciledMs === undefined ? 'not reconciled yet' : `reconciled after ${ms(of.reconciledMs)}`,
  ];
  const cause = CAUSES[of.cause] ?? of.cause;
  return `term ${term} for ${Math.round(of.ageMs / 1_000)} s (${cause}${election}): ${stages.join(', ')}\n`;
}

async function runStatus(context: Context): Promise<void> {
  const cluster = context.localCluster();
  const status = await context.withClient((client) => client.call('getStatus', {}));
  const view = statusView(status, cluster === undefined ? undefined : viewOf(context.directory, cluster));
  context.value(view, () => renderStatus(view, status));
}

function renderStatus(view: StatusView, status: ClusterStatus): string {
  const table = <Row>(
    title: string,
    rows: readonly Row[],
    columns: readonly [string, (row: Row) => string | number][],
  ): string =>
    rows.length === 0
      ? ''
      : `\n${title}\n${renderTable(
          rows,
          columns.map(([name, value]) => ({ title: name, value })),
          false,
        )}`;
  const { reconstruction } = view;
  const leads = view.leader === '' ? 'no leader' : `leader ${view.leader}`;
  return [
    `${status.cluster}: ${leads}, term ${view.term}, commit ${view.commitIndex}${reconstruction === undefined ? '' : `, ${reconstruction.phase}`}\n`,
    reconstruction === undefined ? '' : termLine(view.term, reconstruction),
    table('REPLICAS', view.replicas, [
      ['ID', ({ id }) => id],
      ['ROLE', ({ role, voter }) => (voter ? role : `${role} (no vote)`)],
      ['TERM', ({ term }) => term],
      ['APPLIED', ({ appliedIndex }) => appliedIndex],
      ['STATE', ({ stateHash }) => stateHash.slice(0, 12)],
      ['PID', ({ pid }) => pid],
    ]),
    table('DATA PLANES', view.dataPlanes, [
      ['ID', ({ id }) => id],
      ['LIVE', ({ live }) => (live ? 'yes' : 'no')],
      ['URL', ({ url }) => url],
      ['SEQ', ({ endpointSeq }) => endpointSeq],
    ]),
    table('WORKERS', view.workers, [
      ['ID', ({ id }) => id],
      ['STATE', workerState],
      ['SANDBOXES', ({ sandboxes }) => sandboxes],
    ]),
    table('FUNCTIONS', view.functions, [
      ['NAME', ({ name }) => name],
      ['GENERATION', ({ generation }) => generation],
      ['READY', ({ ready, desired }) => `${ready}/${desired}`],
    ]),
  ].join('');
}
