/**
 * `npm run chaos -- --scenario NAME | --all …`: faults on clusters of real processes (docs/chaos.md). Exit codes: 0 everything
 * held, 1 something did not or a run broke, 2 wrong usage, 130 interrupted.
 */
import { describeCommit } from '../cluster/commit.ts';
import { explain, isBatonError } from '../src/lib/errors.ts';
import { campaign, isUsage, planRuns } from './campaign.ts';
import { parseOptions } from './options.ts';
import { Progress } from './progress.ts';
import { writeReport } from './report/write.ts';
import { makeDirectory, type Results } from './results.ts';
import { run } from './runner.ts';
import { scenarios } from './scenarios/index.ts';

const say = (line: string): void => void process.stdout.write(`${line}\n`);

async function main(): Promise<number> {
  const drawn = Math.floor(Math.random() * 1_000_000);
  const names = scenarios.map(({ name }) => name);
  const options = parseOptions(process.argv.slice(2), names, drawn);
  const plan = planRuns(options, scenarios);
  const [first] = plan;
  if (plan.length === 1 && first !== undefined)
    say(`chaos: ${first.scenario.name}: ${first.scenario.about}; seed ${first.seed}`);
  else
    say(
      `chaos: ${options.scenarios.join(', ')}; seeds ${options.seeds[0]} to ${options.seeds.at(-1)}: ${plan.length} runs`,
    );
  const interruption = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => interruption.abort());
  // Nobody reads any more, as behind `| head`: no reason to leave a cluster behind.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => interruption.abort());
  const progress = new Progress(process.stderr);
  const { report } = options;
  if (report !== undefined) makeDirectory('--report', report);
  let page: string | undefined;
  const onRow = ({ rows }: Results): void => {
    if (report !== undefined) page = writeReport(report, rows);
  };
  const { signal } = interruption;
  const commit = describeCommit();
  try {
    const isGood = await campaign(options, plan, { run, signal, progress, commit, say, onRow });
    return isGood ? 0 : 1;
  } finally {
    progress.end();
    if (page !== undefined) say(`report: ${page}`);
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  const hint = isBatonError(error) && error.hint !== undefined ? ` — ${error.hint}` : '';
  process.stderr.write(`chaos: ${explain(error)}${hint}\n`);
  process.exitCode = isBatonError(error, 'canceled') ? 130 : isUsage(error) ? 2 : 1;
}
