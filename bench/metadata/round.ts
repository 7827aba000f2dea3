/** One round: a cluster of its own; 64 callers and one caller through gRPC, then load inside the leader. */
import { join } from 'node:path';
import { ApiClient } from '../../src/api/client.ts';
import { measureFdatasync, type FdatasyncFigures } from '../lib/fdatasync.ts';
import type { Distribution } from '../lib/figures.ts';
import { loadAverage } from '../lib/machine.ts';
import type { Bench } from '../lib/program.ts';
import { ReplicaSet, type Leader } from '../lib/replica-set.ts';
import { ReplicaProcesses } from '../replica/processes.ts';
import { measure, type Load, type Measured } from './measure.ts';
import {
  ARTIFACT,
  ARTIFACT_DIGEST,
  registrations,
  runLoad,
  type LoadFigures,
} from '../replica/registrations.ts';

export interface Options {
  /** Of each measurement, after its warm-up. */
  readonly seconds: number;
  /** Registrations under way at once inside the leader. */
  readonly inside: number;
  readonly profileDirectory: string | undefined;
}

export interface Round {
  readonly round: number;
  readonly loadAverage: number;
  readonly fdatasync: FdatasyncFigures;
  readonly one: Distribution;
  readonly grpc64: Measured;
  readonly leader: Measured;
}

const GRPC_CALLERS = 64;
/** Of measurements in processes that have just started. Inside the leader no longer than that: a cluster holds so many names. */
const GRPC_WARM_UP_SECONDS = 12;
const INSIDE_WARM_UP_SECONDS = 4;
const WARM_UP_AGAIN_SECONDS = 2;
const CALL_TIMEOUT_MS = 20_000;

export async function measureRound(round: number, options: Options, bench: Bench): Promise<Round> {
  const load = loadAverage();
  const replicas = await ReplicaSet.open(join(bench.directory, `round-${round}`), () => undefined);
  bench.atEnd(() => replicas.close());
  const fdatasync = measureFdatasync(bench.directory, Math.min(2, options.seconds));
  const { perSecond, p50, p99 } = fdatasync;
  bench.say(`fdatasync ${perSecond}/s, p50 ${p50} ms, p99 ${p99} ms; load average ${load}`);
  // Profiled processes are ours from the start: the cluster's own take no flags.
  const early = options.profileDirectory === undefined ? undefined : await takeOver(replicas, options, bench);
  const { one, grpc64 } = await throughGrpc(replicas, early, options.seconds, bench);
  const processes = early ?? (await takeOver(replicas, options, bench));
  const leader = await measure(insideLeader(processes, options), replicas, bench);
  await processes.close();
  await replicas.close();
  return { round, loadAverage: load, fdatasync, one, grpc64, leader };
}

async function takeOver(replicas: ReplicaSet, options: Options, bench: Bench): Promise<ReplicaProcesses> {
  const processes = await ReplicaProcesses.takeOver(replicas, options.profileDirectory);
  bench.atEnd(() => processes.close());
  return processes;
}

function insideLeader(processes: ReplicaProcesses, { seconds, inside }: Options): Load {
  return {
    label: 'leader',
    callers: inside,
    seconds,
    warmUpSeconds: INSIDE_WARM_UP_SECONDS,
    pidOf: (id) => processes.pidOf(id),
    run: ({ id }, callers, stretch, series) => processes.load(id, callers, stretch, series),
  };
}

async function throughGrpc(
  replicas: ReplicaSet,
  processes: ReplicaProcesses | undefined,
  seconds: number,
  bench: Bench,
): Promise<Pick<Round, 'one' | 'grpc64'>> {
  await withClient(await replicas.leader(), (client) => client.upload(ARTIFACT, ARTIFACT_DIGEST));
  const pids = new Map(replicas.view.replicas.map(({ id, pid }) => [id, pid]));
  const callers = (label: string, count: number, warmUpSeconds: number): Load => ({
    label,
    callers: count,
    seconds,
    warmUpSeconds,
    pidOf: (id) => processes?.pidOf(id) ?? pids.get(id) ?? 0,
    run: callLeader,
  });
  // The many first: one caller alone would spend the whole measurement on code that has not been compiled yet.
  const grpc64 = await measure(callers('grpc64', GRPC_CALLERS, GRPC_WARM_UP_SECONDS), replicas, bench);
  const { latency } = await measure(callers('one', 1, WARM_UP_AGAIN_SECONDS), replicas, bench);
  return { one: latency, grpc64 };
}

/** All callers share one connection, as they do in any process that uses the client. */
function callLeader(leader: Leader, callers: number, seconds: number, series: string): Promise<LoadFigures> {
  return withClient(leader, (client) =>
    runLoad(
      callers,
      seconds,
      (registration) => client.putFunction(registration, { ifGeneration: undefined, trial: false }),
      registrations(series),
    ),
  );
}

async function withClient<T>(leader: Leader, use: (client: ApiClient) => Promise<T>): Promise<T> {
  const client = new ApiClient({ servers: [leader.grpc], token: undefined, timeoutMs: CALL_TIMEOUT_MS });
  try {
    return await use(client);
  } finally {
    client.close();
  }
}
