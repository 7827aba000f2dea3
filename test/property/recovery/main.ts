/**
 * `npm run test:recovery -- --runs 5000 [--seed N] [--json FILE]`: the properties of lazy reconstruction (R1–R7) over histories of forty
 * steps and more, each with a failover; a counterexample is shrunk and told as a script.
 */
import { writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { Flags } from '../../setup/flags.ts';
import { Cluster, type ClusterSize } from './cluster.ts';
import { whatIsWrong } from './rest.ts';
import { longHistories, take, tell, type Step } from './steps.ts';

const PROGRESS_EVERY = 250;

const size: fc.Arbitrary<ClusterSize> = fc.record({
  workers: fc.integer({ min: 1, max: 6 }),
  dataPlanes: fc.integer({ min: 1, max: 3 }),
  servers: fc.integer({ min: 1, max: 2 }),
});

/** What is not a fault: the rest of a history is. */
const PEACEFUL: ReadonlySet<Step['do']> = new Set([
  'wait',
  'register',
  'unregister',
  'call',
  'heal',
  'start worker',
  'start data plane',
  'uncordon',
]);

const flags = new Flags('test:recovery');
const values = flags.parse({
  runs: { type: 'string', default: '1000' },
  seed: { type: 'string', default: '1' },
  json: { type: 'string' },
});
const wanted = flags.whole('runs', values.runs);
const seed = flags.whole('seed', values.seed);
const { json } = values;
const faults: Record<string, number> = {};
const seen = { runs: 0, failovers: 0, commands: 0, leastCommands: Number.POSITIVE_INFINITY };
const beganMs = performance.now();

function note(steps: readonly Step[]): void {
  seen.runs++;
  seen.commands += steps.length;
  seen.leastCommands = Math.min(seen.leastCommands, steps.length);
  for (const step of steps) {
    if (step.do === 'fail over') seen.failovers++;
    if (PEACEFUL.has(step.do) || (step.do === 'weather' && step.weather === 'clear')) continue;
    const kind = step.do === 'weather' ? `${step.weather} weather` : step.do;
    faults[kind] = (faults[kind] ?? 0) + 1;
  }
  if (seen.runs % PROGRESS_EVERY === 0) process.stderr.write(`  ${seen.runs} of ${wanted} histories\n`);
}

const details = fc.check(
  fc.property(fc.nat(), size, longHistories, (random, of, steps) => {
    // Histories that shrink a counterexample count as well: they ran.
    note(steps);
    const cluster = new Cluster(random, of);
    for (const step of steps) take(cluster, step);
    const wrong = whatIsWrong(cluster);
    if (wrong !== undefined) throw new Error(wrong);
  }),
  { seed, numRuns: wanted, endOnFailure: false },
);

const wallSeconds = Number(((performance.now() - beganMs) / 1_000).toFixed(1));
const result = { ok: !details.failed, seed, ...seen, faults, wallSeconds };
process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
if (json !== undefined) writeFileSync(json, `${JSON.stringify(result, null, 2)}\n`);
if (details.counterexample !== null) {
  const [random, of, steps] = details.counterexample;
  const error = details.errorInstance instanceof Error ? details.errorInstance.message : '';
  process.stdout.write(`${error}\nwith ${JSON.stringify(of)}, random ${random}:\n`);
  for (const step of steps) process.stdout.write(`  ${tell(step)}\n`);
}
process.exitCode = details.failed ? 1 : 0;
