/** One load on three replicas: warmed up, timed, with the CPU of every process; again when the leader changed under it. */
import { explain, isBatonError } from '../../src/lib/errors.ts';
import { CpuMeter } from '../lib/machine.ts';
import type { Bench } from '../lib/program.ts';
import type { Leader, ReplicaSet } from '../lib/replica-set.ts';
import type { LoadFigures } from '../replica/registrations.ts';

export interface CpuPerOp {
  readonly leader: number;
  readonly follower1: number;
  readonly follower2: number;
  readonly nats: number;
  /** The callers' own process; inside the leader there is none. */
  readonly client: number;
}

export interface Measured extends LoadFigures {
  readonly cpuUsPerOpBy: CpuPerOp;
  /** Attempts thrown away because leadership moved, as it may on a machine that is busy with other work. */
  readonly repeats: number;
}

export interface Load {
  readonly label: string;
  readonly callers: number;
  readonly seconds: number;
  /** Before it is measured: on slow cores Node goes on compiling what runs for as long as a measurement takes. */
  readonly warmUpSeconds: number;
  readonly pidOf: (replica: string) => number;
  /**
   * `series` keeps the names of one stretch apart from another's. An attempt that is made again takes those of the one before: a
   * cluster does not hold as many functions as four attempts would make.
   */
  readonly run: (leader: Leader, callers: number, seconds: number, series: string) => Promise<LoadFigures>;
}

const ATTEMPTS = 4;

/** @throws BatonError when no attempt came through */
export async function measure(load: Load, replicas: ReplicaSet, bench: Bench): Promise<Measured> {
  for (let attempt = 1; ; attempt++) {
    try {
      return { ...(await measureOnce(load, replicas, bench)), repeats: attempt - 1 };
    } catch (error) {
      if (!isBatonError(error) || attempt === ATTEMPTS || bench.isEnding()) throw error;
      bench.say(`${load.label}: measured again (${explain(error)})`);
    }
  }
}

async function measureOnce(
  { label, callers, seconds, warmUpSeconds, pidOf, run }: Load,
  replicas: ReplicaSet,
  bench: Bench,
): Promise<Omit<Measured, 'repeats'>> {
  const leader = await replicas.settled();
  // Few first: a cold process that meets all callers at once stalls for longer than an election waits, on a busy machine.
  const few = Math.ceil(callers / 16);
  await run(leader, few, warmUpSeconds / 2, `${label}-warm`);
  await run(leader, callers, warmUpSeconds / 2, `${label}-warm`);
  const [follower1 = '', follower2 = ''] = replicas.view.replicas
    .map(({ id }) => id)
    .filter((id) => id !== leader.id);
  const meter = new CpuMeter({
    leader: pidOf(leader.id),
    follower1: pidOf(follower1),
    follower2: pidOf(follower2),
    nats: replicas.natsPid,
    client: process.pid,
  });
  const figures = await run(leader, callers, seconds, label);
  const { perSecond, latency } = figures;
  const cpuUsPerOpBy = meter.perOperation(latency.n);
  const cpu = Object.entries(cpuUsPerOpBy).map(([name, us]) => `${name} ${us}`);
  bench.say(
    `${label.padEnd(7)} ${perSecond}/s, p50 ${latency.p50} ms, p99 ${latency.p99} ms; µs of CPU each: ${cpu.join(', ')}`,
  );
  return { ...figures, cpuUsPerOpBy };
}
