/** The registrations that are measured: distinct functions of one shared artifact. */
import { createHash } from 'node:crypto';
import { distribution, type Distribution } from '../lib/figures.ts';

/** What is uploaded once; nothing ever runs it. */
export const ARTIFACT: Buffer = Buffer.from('one artifact, shared by every function of the benchmark');
export const ARTIFACT_DIGEST: string = createHash('sha256').update(ARTIFACT).digest('hex');

/** Beyond this many names the first are registered again: a cluster holds 100,000 functions. */
const NAMES = 40_000;

export interface Registration {
  readonly name: string;
  readonly runtime: 'javascript';
  readonly artifact: string;
  readonly entry: string;
}

/** Endless; `series` keeps the names of one measurement apart from another's. */
export function* registrations(series: string): Generator<Registration, never> {
  for (let i = 0; ; i++)
    yield {
      name: `${series}-${i % NAMES}`,
      runtime: 'javascript',
      artifact: ARTIFACT_DIGEST,
      entry: 'index.mjs',
    };
}

export interface LoadFigures {
  readonly perSecond: number;
  readonly latency: Distribution;
}

/** `callers` loops, each with one registration under way, for `seconds`; what a failing one throws ends the run. */
export async function runLoad(
  callers: number,
  seconds: number,
  register: (registration: Registration) => Promise<unknown>,
  source: Generator<Registration, never>,
): Promise<LoadFigures> {
  const samples: number[] = [];
  const beganMs = performance.now();
  const untilMs = beganMs + seconds * 1_000;
  const loop = async (): Promise<void> => {
    for (let nowMs = performance.now(); nowMs < untilMs;) {
      await register(source.next().value);
      const doneMs = performance.now();
      samples.push(doneMs - nowMs);
      nowMs = doneMs;
    }
  };
  await Promise.all(Array.from({ length: callers }, loop));
  const perSecond = Math.round(samples.length / ((performance.now() - beganMs) / 1_000));
  return { perSecond, latency: distribution(samples) };
}
