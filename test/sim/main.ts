/** `npm run sim -- [--seed N] [--runs N] [--json FILE]`: simulated clusters under faults, each run reproducible by its seed. */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { drawOptions } from './options.ts';
import { simulate, type SimResult } from './run.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    runs: { type: 'string', default: '1' },
    json: { type: 'string' },
    story: { type: 'boolean', default: false },
  },
});
const first = Number(values.seed ?? Math.floor(Math.random() * 1_000_000));
const runs = Number(values.runs);
if (!Number.isInteger(first) || !Number.isInteger(runs) || runs < 1) {
  process.stderr.write('sim: --seed and --runs take whole numbers\n');
  process.exit(2);
}
const rows: Omit<SimResult, 'story'>[] = [];
for (let seed = first; seed < first + runs; seed++) {
  const { faults, ...drawn } = drawOptions(seed);
  process.stdout.write(`seed ${seed}: ${JSON.stringify({ ...drawn, faults: [...new Set(faults)] })}\n`);
  const beganMs = performance.now();
  const { story, ...result } = await simulate(seed);
  rows.push(result);
  const { ok, traceHash, virtualMs, leaderChanges, registrations, calls, messages, settledMs } = result;
  process.stdout.write(
    `  ${ok ? 'ok' : 'FAILED'}  trace ${traceHash}  ${(virtualMs / 1_000).toFixed(1)} s in ${((performance.now() - beganMs) / 1_000).toFixed(1)} s, ${messages} messages, ${leaderChanges} leader changes, ${registrations} registrations, ${calls.ok} of ${calls.sent} calls, settled after ${settledMs} ms\n`,
  );
  if (!ok || values.story) for (const line of story) process.stdout.write(`  ${line}\n`);
  for (const violation of result.violations) process.stdout.write(`  violation at ${violation}\n`);
}
const failed = rows.filter(({ ok }) => !ok).length;
if (values.json !== undefined)
  writeFileSync(
    values.json,
    `${JSON.stringify({ ok: failed === 0, runs: rows.length, failed, rows }, null, 2)}\n`,
  );
process.exitCode = failed === 0 ? 0 : 1;
