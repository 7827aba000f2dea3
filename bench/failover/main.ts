/**
 * `npm run bench:failover [-- --kills 300 --fault kill|pause --hints advisory,probe --json FILE --svg FILE]`: three replicas under warm and
 * cold requests lose their leader again and again. Measured from the kill call: a new leader, and the first cold start.
 */
import { randomInt } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { writable } from '../../cluster/result-file.ts';
import { systemClock } from '../../src/adapters/system/clock.ts';
import { BatonError } from '../../src/lib/errors.ts';
import { prng } from '../../src/lib/prng.ts';
import { round } from '../lib/figures.ts';
import { describeMachine, loadAverage } from '../lib/machine.ts';
import { count, flagsOf, positive, runBench, writeJson, type Bench } from '../lib/program.ts';
import { Caller } from './caller.ts';
import { FailoverCluster, until, type Hint } from './cluster.ts';
import { loseLeader, type FaultKind, type FaultRow, type FaultWorld } from './fault.ts';
import { Load } from './load.ts';
import { Records } from './records.ts';
import { failoverSvg, failoverTable } from './report.ts';
import { falseElections, resultOf, type FailoverResult } from './result.ts';

interface Plan {
  readonly kills: number;
  /** The run goes on until it has made as many. */
  readonly requests: number;
  readonly warmPerSecond: number;
  readonly coldPerSecond: number;
  readonly fault: FaultKind;
  readonly hints: readonly Hint[];
  readonly seed: number;
}

const WARM_FUNCTIONS = 4;
/** Each is called again after 20 s, and is at zero long before. */
const COLD_SECONDS = 20;
/** Longer than any failover: a request that takes longer has failed. */
const REQUEST_TIMEOUT_MS = 20_000;
const SETTLE_MS = 30_000;
const SAY_EVERY = 10;

await runBench('bench:failover', async (bench) => {
  const flags = flagsOf({
    kills: { type: 'string', default: '300' },
    requests: { type: 'string', default: '1' },
    'warm-rate': { type: 'string', default: '500' },
    'cold-rate': { type: 'string', default: '50' },
    fault: { type: 'string', default: 'kill' },
    hints: { type: 'string', default: 'advisory,probe' },
    seed: { type: 'string', default: String(randomInt(1, 1_000_000)) },
    json: { type: 'string' },
    svg: { type: 'string' },
  });
  const [json, svg] = [writable('json', flags.json), writable('svg', flags.svg)];
  const result = await run(bench, {
    kills: count('kills', flags.kills),
    requests: count('requests', flags.requests),
    warmPerSecond: positive('warm-rate', flags['warm-rate']),
    coldPerSecond: positive('cold-rate', flags['cold-rate']),
    fault: oneOf('fault', flags.fault, ['kill', 'pause']),
    hints: flags.hints.split(',').map((hint) => oneOf('hints', hint, ['advisory', 'probe'])),
    seed: count('seed', flags.seed),
  });
  process.stdout.write(failoverTable(result));
  writeJson(json, result);
  if (svg !== undefined) writeFileSync(svg, failoverSvg(result));
  return result.ok;
});

function oneOf<const T extends string>(flag: string, text: string, allowed: readonly T[]): T {
  const found = allowed.find((value) => value === text);
  if (found !== undefined) return found;
  throw new BatonError('invalid-argument', `--${flag}: ${JSON.stringify(text)} is not known`, {
    hint: `one of ${allowed.join(', ')}`,
  });
}

function names(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}-${i + 1}`);
}

async function run(bench: Bench, plan: Plan): Promise<FailoverResult> {
  const cluster = await FailoverCluster.open(bench.directory, plan.hints, bench.say);
  bench.atEnd(() => cluster.close());
  const coldFunctions = names('cold', Math.ceil(plan.coldPerSecond * COLD_SECONDS));
  const warmFunctions = names('warm', WARM_FUNCTIONS);
  bench.say(`seed ${plan.seed}; registering ${coldFunctions.length + warmFunctions.length} functions`);
  await cluster.register(coldFunctions, warmFunctions);
  const callers = cluster.dataPlanes.map(({ url }) => new Caller(url, REQUEST_TIMEOUT_MS));
  bench.atEnd(async () => callers.forEach((caller) => caller.close()));
  const load = new Load({ callers, warmFunctions, coldFunctions, ...plan });
  const records = new Records(cluster);
  const world = {
    cluster,
    records,
    load,
    random: prng(`failover ${plan.seed}`),
    kind: plan.fault,
    beganMs: systemClock.now(),
  };
  bench.atEnd(async () => load.halt());
  load.start();
  records.read();
  const firstTerm = records.leadingAbove(0)?.term ?? 0;
  const rows = await faults(bench, plan, world);
  await load.stop();
  const oneState = await isOneState(cluster);
  records.read();
  return resultOf({
    fault: plan.fault,
    hints: plan.hints,
    seed: plan.seed,
    warm: load.warm,
    cold: load.cold,
    notCold: load.notCold,
    falseElections: falseElections(firstTerm, world.beganMs, rows, records.terms),
    fencedActs: records.fences.seen,
    staleActs: records.fences.violations.length,
    refusedMessages: await cluster.fencedMessages(),
    oneState,
    failures: [...load.failures, ...records.fences.violations.slice(0, 20)],
    generatorLateMs: round(load.lateMs),
    beganMs: round(world.beganMs),
    seconds: Math.round((systemClock.now() - world.beganMs) / 1_000),
    loadAverage: loadAverage(),
    replicaNiceness: cluster.niceness(),
    machine: describeMachine(bench.directory),
    rows,
  });
}

async function faults(bench: Bench, { kills, requests }: Plan, world: FaultWorld): Promise<FaultRow[]> {
  const rows: FaultRow[] = [];
  while (rows.length < kills || world.load.sent < requests) {
    const row = await loseLeader(world, rows.length + 1);
    rows.push(row);
    if (rows.length % SAY_EVERY !== 0) continue;
    const { newLeaderMs, firstColdStartMs, cause } = row;
    bench.say(
      `${rows.length} faults, ${world.load.sent} requests, ${world.load.failures.length} failed; the last: ` +
        `${cause}, new leader ${newLeaderMs} ms, first cold start ${firstColdStartMs} ms`,
    );
  }
  return rows;
}

/** Equal hashes at one applied index. False: not within half a minute. */
async function isOneState(cluster: FailoverCluster): Promise<boolean> {
  const found = await until('one state', SETTLE_MS, async () => {
    const states = (await cluster.views()).map((view) => `${view?.appliedIndex} ${view?.stateHash}`);
    return new Set(states).size === 1 && !states[0]?.startsWith('undefined') ? true : undefined;
  }).catch(() => undefined);
  return found === true;
}
