/**
 * `npm run bench:scale [-- --workers 5000 --sandboxes 100000 --json FILE]`: three replicas and one data plane over a real NATS server,
 * and thousands of workers (the production role, its runtime simulated) in one process. What they cost the leader; then the leader is
 * killed. `--curve` measures smaller fleets first, with as many sandboxes a worker, and `--svg FILE` draws them.
 */
import { writeFileSync } from 'node:fs';
import { writable } from '../../cluster/result-file.ts';
import { describeMachine, loadAverage } from '../lib/machine.ts';
import { count, flagsOf, positive, runBench, writeJson, type Bench } from '../lib/program.ts';
import { killLeader } from './failover.ts';
import { Fleet, type FleetSize } from './fleet.ts';
import { holds, scaleSvg, scaleTable, type ScaleRow } from './report.ts';
import { measureSteady } from './steady.ts';

const CURVE = [500, 1_000, 2_500];

await runBench('bench:scale', async (bench) => {
  const flags = flagsOf({
    workers: { type: 'string', default: '5000' },
    sandboxes: { type: 'string', default: '100000' },
    seconds: { type: 'string', default: '15' },
    curve: { type: 'boolean', default: false },
    json: { type: 'string' },
    svg: { type: 'string' },
  });
  const workers = count('workers', flags.workers);
  const sandboxes = count('sandboxes', flags.sandboxes);
  const seconds = positive('seconds', flags.seconds);
  const [json, svg] = [writable('json', flags.json), writable('svg', flags.svg)];
  const sizes = flags.curve ? CURVE.filter((size) => size < workers) : [];
  const rows: ScaleRow[] = [];
  for (const size of [...sizes, workers]) {
    bench.say(`${size} workers`);
    rows.push(
      await measureFleet(
        bench,
        { workers: size, sandboxes: Math.round((sandboxes * size) / workers) },
        seconds,
      ),
    );
  }
  const machine = describeMachine(bench.directory);
  const last = rows.at(-1);
  if (last === undefined) return false;
  process.stdout.write(scaleTable(rows, machine));
  const result = { ...last, ok: holds(last), loadAverage: loadAverage(), machine, rows };
  writeJson(json, result);
  if (svg !== undefined) writeFileSync(svg, scaleSvg(rows, machine));
  return result.ok;
});

async function measureFleet(bench: Bench, size: FleetSize, seconds: number): Promise<ScaleRow> {
  const fleet = await Fleet.open(bench, size);
  await fleet.fill(bench);
  const steady = await measureSteady(fleet, seconds);
  bench.say(`leader: ${steady.leaderCpuPct} % of a core, ${steady.leaderRssMiB} MiB`);
  const failover = await killLeader(fleet, bench);
  await fleet.replicas.close();
  return { ...size, ...steady, ...failover };
}
