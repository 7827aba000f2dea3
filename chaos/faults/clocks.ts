/**
 * Wall clocks that are wrong, and jump: a process that sees its time through libfaketime, which reads how wrong it is from a file,
 * again each second. Monotonic clocks stay as they are: they alone may decide anything.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { request } from 'undici';
import type { Prng } from '../../src/lib/prng.ts';
import type { Play } from '../play.ts';
import type { Stage, Wrap } from '../stage.ts';
import { pause, until } from '../until.ts';
import { ProcessLog } from '../histories/process-log.ts';

const HOUR_S = 3_600;
const MOST_HOURS = 24;
/** libfaketime looks at its file again after a second. */
const SKEWED_MS = { least: 1_500, spread: 1_500 } as const;
const SEEN_TIMEOUT_MS = 20_000;
/** Of the offset: what a line may be old. */
const SLACK_MS = 60_000;
const ANSWER_MS = 500;

/** Stopped in good order and started with its clock hours wrong; the clock jumps to the other side; started with the true one. */
export async function skewClock(play: Play, id: string, preload: string, random: Prng): Promise<void> {
  const { stage } = play;
  const file = join(stage.directory, `${id}.clock`);
  const seconds = HOUR_S + random.below(MOST_HOURS * HOUR_S);
  const offsets = random.below(2) === 0 ? [seconds, -seconds] : [-seconds, seconds];
  await play.fault('clock-skew', id, async () => {
    const log = new ProcessLog(stage.logPath(id));
    await stage.stop(id);
    log.read();
    for (const [jump, offset] of offsets.entries()) {
      writeFileSync(file, `${offset < 0 ? '' : '+'}${offset}\n`);
      if (jump === 0) await stage.start(id, through(preload, file));
      await pause(SKEWED_MS.least + random.below(SKEWED_MS.spread), stage.signal);
      await until(`${id} with its clock ${offset} s off`, SEEN_TIMEOUT_MS, stage.signal, async () => {
        const walls = await wallsOf(stage, id, log);
        return walls.some((wallMs) => Math.abs(wallMs - Date.now() - offset * 1_000) < SLACK_MS);
      });
    }
    await stage.stop(id);
    const told = offsets.join(' s, then ');
    return `its own time was seen ${told} s off; pid ${await stage.start(id)} with the true one in its place`;
  });
  await stage.untilServing();
}

/** What time it is by its answers, or for who answers nobody by what it writes. */
async function wallsOf(stage: Stage, id: string, log: ProcessLog): Promise<number[]> {
  const url = stage.httpOf(id);
  if (url === undefined) return log.read().map(({ atWallMs }) => atWallMs);
  try {
    const { headers, body } = await request(url, { headersTimeout: ANSWER_MS });
    await body.dump();
    return [Date.parse(String(headers['date']))];
  } catch {
    return [];
  }
}

const through =
  (preload: string, file: string): Wrap =>
  ({ file: program, args }) => ({
    file: 'env',
    args: [
      `LD_PRELOAD=${preload}`,
      `FAKETIME_TIMESTAMP_FILE=${file}`,
      'FAKETIME_CACHE_DURATION=1',
      'FAKETIME_DONT_FAKE_MONOTONIC=1',
      program,
      ...args,
    ],
  });
