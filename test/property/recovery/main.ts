/**
 * `npm run test:recovery -- --runs 5000 [--roles N] [--seed N] [--json FILE]`: the properties of lazy reconstruction (R1–R7) over histories of
 * forty steps and more, each with a failover. The production cores play every history, the production roles one in N (20; 1 is all); a
 * counterexample is cut down to what it needs and told as a script.
 */
import { writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { Flags } from '../../setup/flags.ts';
import { Cluster } from './cluster.ts';
import { longHistory, type History } from './histories.ts';
import { Players } from './roles/players.ts';
import { counterexampleOf, demandFailover, play, rest } from './run.ts';
import { finish } from './stage.ts';
import { add, sorted, Tally } from './tally.ts';

const PROGRESS_EVERY = 250;

const flags = new Flags('test:recovery');
const values = flags.parse({
  runs: { type: 'string', default: '1000' },
  seed: { type: 'string', default: '1' },
  json: { type: 'string' },
  /** One history in so many is played by the roles too. */
  roles: { type: 'string', default: '20' },
});
const wanted = flags.whole('runs', values.runs, 1);
const seed = flags.whole('seed', values.seed);
const json = flags.writable('json', values.json);
const every = flags.whole('roles', values.roles, 1);

const tally = new Tally();
const seen = { registrations: 0, requests: 0, sandboxesStarted: 0 };
/** What was struck, by kind. */
const messages: Record<string, number> = {};
/** A counterexample is being shrunk: its histories are not counted, and may be as short as they like. */
let isShrinking = false;
const beganMs = performance.now();

/** One history to its rest; the failovers of the rest are not counted. */
function check(history: History): void {
  try {
    const cluster = new Cluster(history.random, history.of);
    finish(play(cluster, history));
    finish(demandFailover(cluster));
    if (!isShrinking) tally.note(history, cluster.failovers);
    finish(rest(cluster));
    if (isShrinking) return;
    seen.registrations += cluster.registrar.mutations.list.length;
    seen.requests += cluster.requests.length;
    seen.sandboxesStarted += cluster.startedCount;
    for (const [kind, count] of Object.entries(cluster.network.struck)) add(messages, kind, count);
  } catch (error) {
    isShrinking = true;
    throw error;
  }
  if (tally.runs % PROGRESS_EVERY === 0)
    process.stderr.write(`  ${tally.runs} of ${wanted} histories played by the cores\n`);
}

const players = new Players();
const details = await fc.check(
  fc.asyncProperty(longHistory, async (history) => {
    check(history);
    if (!isShrinking && (tally.runs - 1) % every === 0) await players.play(history);
  }),
  { seed, numRuns: wanted },
);
const counterexample = details.failed ? counterexampleOf(details, check) : undefined;
const wallSeconds = Number(((performance.now() - beganMs) / 1_000).toFixed(1));
const byRoles = await players.end();
const { faults, ...counts } = tally.counts;
const result = {
  ok: !details.failed && counts.runs === wanted && byRoles.counterexample === undefined,
  seed,
  ...counts,
  ...seen,
  faults,
  messages: sorted(messages),
  wallSeconds,
  counterexample: counterexample?.history,
  roles: { ...byRoles.counts, counterexample: byRoles.counterexample?.history },
};
process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
if (json !== undefined) writeFileSync(json, `${JSON.stringify(result, null, 2)}\n`);
for (const found of [counterexample, byRoles.counterexample])
  if (found !== undefined) process.stdout.write(`${found.text}\n`);
process.exitCode = result.ok ? 0 : 1;
