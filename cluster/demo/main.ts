/** `npm run demo [-- --json FILE]`: the story of a failover on real processes, told with timings. Exit code 1: a promise broke. */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { explain, isBatonError } from '../../src/lib/errors.ts';
import { coldAndWarm, deployExamples, failover, scaleOut, scaleToZero } from './acts.ts';
import { demandPython } from './python.ts';
import { writable } from '../result-file.ts';
import { Stage } from './stage.ts';
import { failoverSvg } from './picture.ts';

async function play(
  stage: Stage,
  jsonFile: string | undefined,
  svgFile: string | undefined,
): Promise<boolean> {
  const say = (line: string): void => stage.say(line);
  say('1  a cluster: 3 control-plane replicas, 2 data planes, 2 workers, a NATS server');
  await demandPython(say);
  await stage.open();
  say('2  three functions: TypeScript, a stream, a Python program');
  const deployed = await deployExamples(stage);
  say('3  cold and warm, through both data planes');
  const { cold, warm } = await coldAndWarm(stage);
  say('4  more load than one sandbox should take');
  const scaled = await scaleOut(stage);
  say('5  the leader is killed');
  const fallen = await failover(stage);
  say('6  and then nobody calls');
  const zero = await scaleToZero(stage);
  const ok = stage.promises.every(({ kept }) => kept);
  const result = {
    ok,
    failover: fallen.failover,
    coldStartMs: cold.p50,
    coldStarts: cold,
    warmP50Ms: warm.p50,
    warm,
    ...deployed,
    ...scaled,
    ...zero,
    rows: stage.promises,
  };
  if (jsonFile !== undefined) writeFileSync(jsonFile, `${JSON.stringify(result, null, 2)}\n`);
  if (svgFile !== undefined)
    writeFileSync(svgFile, failoverSvg(fallen.samples, fallen.killAtMs, fallen.failover));
  summary(result.failover, cold.p50, warm.p50, stage);
  return ok;
}

function summary(
  fallen: Awaited<ReturnType<typeof failover>>['failover'],
  coldMs: number,
  warmMs: number,
  stage: Stage,
): void {
  const rows: readonly (readonly [string, string])[] = [
    ['warm request, median', `${warmMs} ms`],
    ['cold start, median', `${coldMs} ms`],
    ['kill to new leader', `${fallen.newLeaderMs} ms`],
    ['kill to first cold start served', `${fallen.firstColdStartMs} ms`],
    ['kill to registration acknowledged', `${fallen.registrationMs} ms`],
    ['warm requests across the kill', `${fallen.warmRequests}, ${fallen.warmFailures} failed`],
    ['killed replica caught up', `${Math.round(fallen.catchUpMs)} ms`],
    ['promises kept', `${stage.promises.filter(({ kept }) => kept).length} of ${stage.promises.length}`],
  ];
  process.stdout.write('\n');
  for (const [what, value] of rows) process.stdout.write(`  ${what.padEnd(36)} ${value}\n`);
}

function complain(error: unknown): void {
  const hint = isBatonError(error) && error.hint !== undefined ? ` — ${error.hint}` : '';
  process.stderr.write(`demo: ${explain(error)}${hint}\n`);
}

/** Before anything starts: what cannot be written at the end would be lost. */
function parse(): { readonly json: string | undefined; readonly svg: string | undefined } {
  try {
    const { values } = parseArgs({ options: { json: { type: 'string' }, svg: { type: 'string' } } });
    return { json: writable('json', values.json), svg: writable('svg', values.svg) };
  } catch (error) {
    complain(error);
    return process.exit(2);
  }
}

const values = parse();
const stage = new Stage();
let ended = false;
const end = async (): Promise<void> => {
  if (ended) return;
  ended = true;
  await stage.close();
};
for (const name of ['SIGINT', 'SIGTERM'] as const)
  process.once(name, () => void end().then(() => process.exit(1)));
try {
  if (!(await play(stage, values.json, values.svg))) process.exitCode = 1;
} catch (error) {
  process.exitCode = 1;
  complain(error);
  if (values.json !== undefined)
    writeFileSync(
      values.json,
      `${JSON.stringify({ ok: false, error: explain(error), rows: stage.promises }, null, 2)}\n`,
    );
} finally {
  await end();
}
