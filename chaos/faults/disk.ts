/** What happens to a replica's disk while the replica is down: lost, or one byte of the log changed. */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BatonError } from '../../src/lib/errors.ts';
import type { Prng } from '../../src/lib/prng.ts';
import type { Stage } from '../stage.ts';
import { until } from '../until.ts';

const REJOIN_TIMEOUT_MS = 30_000;
const WITHOUT_VOTE = 'starting without a vote';

/** kill -9, delete everything it stored, start: it must join without a vote, and earn it again. */
export async function wipeDisk(stage: Stage, id: string): Promise<string> {
  await stage.kill(id);
  const { dataDirectory } = stage.replica(id);
  rmSync(dataDirectory, { recursive: true });
  if (existsSync(dataDirectory)) throw new Error(`${dataDirectory} is still there`);
  return `directory gone; ${await rejoin(stage, id, 'empty')}`;
}

/** kill -9, change one byte of a log segment, start: it must see the damage, keep it aside, and join without a vote. */
export async function flipByte(stage: Stage, id: string, random: Prng): Promise<string> {
  await stage.kill(id);
  const log = join(stage.replica(id).dataDirectory, 'log');
  const segment = readdirSync(log)
    .filter((name) => /^log-\d+$/.test(name))
    .map((name) => ({ name, bytes: readFileSync(join(log, name)) }))
    .find(({ bytes }) => bytes.length > 0);
  if (segment === undefined) throw new BatonError('io', `${id} has no log to damage in ${log}`);
  const { name, bytes } = segment;
  const at = random.below(bytes.length);
  const before = bytes[at] ?? 0;
  bytes[at] = before ^ (1 << random.below(8));
  writeFileSync(join(log, name), bytes);
  if (readFileSync(join(log, name))[at] === before) throw new Error(`byte ${at} of ${name} did not change`);
  const told = await rejoin(stage, id, 'damaged');
  const aside = readdirSync(log).find((entry) => entry.startsWith('damaged-'));
  if (aside === undefined || readFileSync(join(log, aside, name))[at] !== bytes[at])
    throw new Error(`${id}: the damaged ${name} was not kept aside`);
  rmSync(join(log, aside), { recursive: true });
  return `${name}, byte ${at} of ${bytes.length}: ${before} → ${bytes[at]}; ${told}`;
}

/** Starts it; it must say in its log that it has no vote and why, and have its vote again in the end. */
async function rejoin(stage: Stage, id: string, why: 'empty' | 'damaged'): Promise<string> {
  const mark = stage.logMark(id);
  await stage.start(id);
  const line = stage
    .logSince(id, mark)
    .split('\n')
    .find((text) => text.includes(WITHOUT_VOTE) && text.includes(why));
  if (line === undefined) throw new BatonError('damaged', `${id} came back as if its disk were not ${why}`);
  const began = performance.now();
  await until(`${id} has its vote again`, REJOIN_TIMEOUT_MS, stage.signal, async () => {
    return (await stage.status(id))?.voter === true;
  });
  return `joined without a vote (${why}), voter again after ${Math.round(performance.now() - began)} ms`;
}
