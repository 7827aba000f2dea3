/**
 * `npm run test:recovery -- --runs 5000 [--seed N] [--json FILE]`: the properties of lazy reconstruction (R1–R7) over histories of forty
 * steps and more, each with a failover; a counterexample is shrunk and told as a script.
 */
import { writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { Flags } from '../../setup/flags.ts';
import { longHistory, type History } from './histories.ts';
import { whatIsWrong } from './rest.ts';
import type { Cluster } from './cluster.ts';
import { run, counterexampleOf } from './run.ts';
import { faultOf } from './steps.ts';

const PROGRESS_EVERY = 250;
const LEAST_COMMANDS = 40;

const flags = new Flags('test:recovery');
const values = flags.parse({
  runs: { type: 'string', default: '1000' },
  seed: { type: 'string', default: '1' },
  json: { type: 'string' },
});
const wanted = flags.whole('runs', values.runs, 1);
const seed = flags.whole('seed', values.seed);
const json = flags.writable('json', values.json);

const seen = {
  runs: 0,
  failovers: 0,
  commands: 0,
  leastCommands: Number.POSITIVE_INFINITY,
  leastFailovers: Number.POSITIVE_INFINITY,
  registrations: 0,
  requests: 0,
  sandboxesStarted: 0,
};
/** Steps that were faults, and messages that were struck, by kind. */
const faults: Record<string, number> = {};
const messages: Record<string, number> = {};
/** A counterexample is being shrunk: its histories are not counted, and may be as short as they like. */
let isShrinking = false;
const beganMs = performance.now();

function add(counts: Record<string, number>, kind: string, more: number): void {
  counts[kind] = (counts[kind] ?? 0) + more;
}

const RECOVERY_MS = 5_000;
const ATTEMPTS = 3;

/** Its faults may have left nobody who could lead: a run without a failover shows nothing, so it ends them a little earlier. */
function demandFailover(cluster: Cluster): void {
  if (cluster.failovers > 0) return;
  cluster.endFaults();
  for (let i = 0; i < ATTEMPTS && cluster.failovers === 0; i++) {
    cluster.run(RECOVERY_MS);
    cluster.failOver('dead', 0);
  }
}

/** One history to its rest; the failovers of the rest are not counted. */
function check(history: History): void {
  try {
    const cluster = run(history);
    demandFailover(cluster);
    if (!isShrinking) note(history, cluster.failovers);
    const wrong = whatIsWrong(cluster);
    if (wrong !== undefined) throw new Error(wrong);
    if (isShrinking) return;
    seen.registrations += cluster.registrar.mutations.length;
    seen.requests += cluster.requests.length;
    seen.sandboxesStarted += cluster.promises.started.size;
    for (const [kind, count] of Object.entries(cluster.network.struck)) add(messages, kind, count);
  } catch (error) {
    isShrinking = true;
    throw error;
  }
}

/** @throws Error when the history shows nothing */
function note({ steps }: History, failovers: number): void {
  if (steps.length < LEAST_COMMANDS || failovers === 0)
    throw new Error(`vacuous: ${steps.length} commands and ${failovers} failovers`);
  seen.runs++;
  seen.commands += steps.length;
  seen.failovers += failovers;
  seen.leastCommands = Math.min(seen.leastCommands, steps.length);
  seen.leastFailovers = Math.min(seen.leastFailovers, failovers);
  for (const step of steps) {
    const kind = faultOf(step);
    if (kind !== undefined) add(faults, kind, 1);
  }
  if (seen.runs % PROGRESS_EVERY === 0) process.stderr.write(`  ${seen.runs} of ${wanted} histories\n`);
}

const sorted = (counts: Record<string, number>): Record<string, number> =>
  Object.fromEntries(Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1)));

const details = fc.check(fc.property(longHistory, check), { seed, numRuns: wanted });
const counterexample = details.failed ? counterexampleOf(details, check) : undefined;
const wallSeconds = Number(((performance.now() - beganMs) / 1_000).toFixed(1));
const result = {
  ok: !details.failed && seen.runs === wanted,
  seed,
  ...seen,
  faults: sorted(faults),
  messages: sorted(messages),
  wallSeconds,
  counterexample: counterexample?.history,
};
process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
if (json !== undefined) writeFileSync(json, `${JSON.stringify(result, null, 2)}\n`);
if (counterexample !== undefined) process.stdout.write(`${counterexample.text}\n`);
process.exitCode = result.ok ? 0 : 1;
