/**
 * `npm run test:endpoints -- [--batches 1000000] [--seed N] [--json FILE]`: random histories of the endpoint stream until that many batches
 * were delivered, lost ones not counted, and every copy converged in each. A counterexample is shrunk.
 */
import { writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { Flags } from '../../setup/flags.ts';
import { step, World, type Step } from './world.ts';

const HISTORIES_AT_ONCE = 2_000;

const flags = new Flags('test:endpoints');
const values = flags.parse({
  batches: { type: 'string', default: '1000000' },
  seed: { type: 'string', default: '1' },
  json: { type: 'string' },
});
const wanted = flags.whole('batches', values.batches, 1);
const seed = flags.whole('seed', values.seed);
const json = flags.writable('json', values.json);
const seen = { histories: 0, batches: 0, fenceChanges: 0, pulls: 0, restarts: 0 };
const beganMs = performance.now();

function run(steps: readonly Step[]): void {
  const world = new World();
  for (const s of steps) {
    world.apply(s);
    world.check();
    if (s.do === 'elect') seen.fenceChanges++;
    else if (s.do === 'restart') seen.restarts++;
  }
  world.quiesce();
  seen.histories++;
  seen.batches += world.delivered;
  seen.pulls += world.pulls;
}

let failed: string | undefined;
const history = fc.array(step, { minLength: 60, maxLength: 200, size: 'max' });
for (let round = 0; seen.batches < wanted && failed === undefined; round++) {
  const details = fc.check(fc.property(history, run), { seed: seed + round, numRuns: HISTORIES_AT_ONCE });
  if (details.failed) failed = fc.defaultReportMessage(details);
  process.stderr.write(`  ${seen.batches} of ${wanted} batches\n`);
}

const wallSeconds = Number(((performance.now() - beganMs) / 1_000).toFixed(1));
const result = { ok: failed === undefined, seed, ...seen, wallSeconds };
process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
if (failed !== undefined) process.stdout.write(`${failed}\n`);
if (json !== undefined) writeFileSync(json, `${JSON.stringify(result, null, 2)}\n`);
process.exitCode = failed === undefined ? 0 : 1;
