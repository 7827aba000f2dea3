/**
 * Histories of a load, and what Knative's published algorithm makes of each: a decision every two seconds, each with as many
 * replicas ready as the one before it wanted. `knative-table.json` is what this computes; `npx tsx test/unit/autoscaler/table.ts`
 * writes it again.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { prng } from '../../../src/lib/prng.ts';
import { ReferenceAutoscaler, type ReferenceKnobs } from './reference.ts';

export const TABLE_FILE: URL = new URL('knative-table.json', import.meta.url);
export const STEP_SECONDS = 2;

/** For how many seconds how much: `70:20 6:200`. */
export function loadOf(text: string): { seconds: number; load: number }[] {
  return text.split(' ').map((part) => {
    const [seconds, load] = part.split(':').map(Number);
    return { seconds: seconds ?? 0, load: load ?? 0 };
  });
}

interface Scenario {
  readonly name: string;
  readonly knobs?: Partial<ReferenceKnobs>;
  readonly load: string;
  /** Replicas that are there when the autoscaler starts: it has no memory of them. */
  readonly found?: number;
  /** While the excess burst capacity is negative, or nothing is ready, the present load counts at once (ADR 8). */
  readonly burst?: boolean;
}

export interface TableCase {
  readonly name: string;
  readonly knobs: ReferenceKnobs;
  readonly load: string;
  readonly found: number;
  /** Differs from the published algorithm in the way that ADR 8 gives the burst capacity a meaning. */
  readonly burst: boolean;
  /** A row each: ready when it was decided, and the decision. */
  readonly ready: readonly number[];
  readonly desired: readonly number[];
  /** A letter each: `P` in panic, `.` not. */
  readonly panic: string;
}

const DEFAULTS: ReferenceKnobs = {
  target: 10,
  targetUtilizationPct: 100,
  concurrency: 0,
  min: 0,
  max: 0,
  activation: 1,
  stableWindow: 60,
  panicWindowPct: 10,
  panicThresholdPct: 200,
  maxScaleUpRate: 1_000,
  maxScaleDownRate: 2,
  scaleDownDelay: 0,
  scaleToZeroGrace: 30,
  burstCapacity: 0,
};

const SCENARIOS: readonly Scenario[] = [
  { name: 'steady', load: '120:35' },
  {
    name: 'a target and its utilization',
    knobs: { target: 100, targetUtilizationPct: 70 },
    load: '90:350',
  },
  { name: 'a fraction of a request for each', knobs: { target: 0.5 }, load: '60:3 60:1' },
  {
    name: 'a hard limit below the target',
    knobs: { target: 100, concurrency: 5, targetUtilizationPct: 80 },
    load: '80:18 80:40',
  },
  { name: 'from nothing at once to much', load: '10:0 140:400' },
  { name: 'slow growth never panics', load: '20:40 40:50 40:60 40:70 60:80' },
  { name: 'a surge that stays', load: '70:20 150:160' },
  { name: 'a surge that goes', load: '70:20 6:200 160:20' },
  { name: 'panic is prolonged by the next surge', load: '70:10 10:60 30:10 10:200 130:10' },
  { name: 'a higher threshold', knobs: { panicThresholdPct: 400 }, load: '70:20 60:70 70:300' },
  { name: 'a lower threshold', knobs: { panicThresholdPct: 110 }, load: '70:100 20:118 100:90' },
  { name: 'a long panic window', knobs: { panicWindowPct: 50 }, load: '70:20 90:90 90:20' },
  { name: 'a panic window of a second', knobs: { panicWindowPct: 1 }, load: '70:20 4:90 90:20' },
  { name: 'the panic window is the stable one', knobs: { panicWindowPct: 100 }, load: '70:50 70:10' },
  { name: 'a window of five minutes', knobs: { stableWindow: 300 }, load: '200:50 300:120 350:10' },
  { name: 'little growth in a cycle', knobs: { maxScaleUpRate: 1.1 }, load: '20:20 100:300' },
  { name: 'growth by half', knobs: { maxScaleUpRate: 1.5 }, load: '10:30 100:1000' },
  { name: 'slow decline', knobs: { maxScaleDownRate: 1.1 }, load: '70:300 200:5' },
  { name: 'fast decline', knobs: { maxScaleDownRate: 100 }, load: '70:300 120:5' },
  { name: 'zero, and back', load: '70:5 170:0 70:25' },
  { name: 'zero without grace', knobs: { scaleToZeroGrace: 0 }, load: '70:5 140:0 30:5' },
  { name: 'zero with a long grace', knobs: { scaleToZeroGrace: 120 }, load: '70:5 200:0 30:5' },
  { name: 'a pause shorter than the window', load: '70:20 40:0 80:20' },
  { name: 'a minimum', knobs: { min: 3 }, load: '30:0 70:60 170:0' },
  { name: 'a maximum', knobs: { max: 4 }, load: '30:10 100:200 100:10' },
  { name: 'a minimum that is the maximum', knobs: { min: 2, max: 2 }, load: '30:0 60:100 60:1' },
  { name: 'an activation scale', knobs: { activation: 4 }, load: '80:5 80:60 120:5' },
  { name: 'an activation scale above the maximum', knobs: { activation: 9, max: 6 }, load: '120:5' },
  { name: 'a delay', knobs: { scaleDownDelay: 120 }, load: '70:40 40:30 250:10' },
  { name: 'a delay before zero', knobs: { scaleDownDelay: 100 }, load: '70:5 230:0' },
  { name: 'a delay that begins anew', knobs: { scaleDownDelay: 90 }, load: '70:40 60:10 20:40 200:10' },
  { name: 'seven are found by an autoscaler that has just started', found: 7, load: '150:10' },
  {
    name: 'seven are found, and more are needed',
    found: 7,
    burst: true,
    knobs: { burstCapacity: -1 },
    load: '20:10 30:200 120:30',
  },
  { name: 'one is found', found: 1, load: '100:25' },
  {
    name: 'there is room for the burst',
    knobs: { burstCapacity: 20, target: 10, min: 10 },
    load: '70:10 60:60',
  },
  {
    name: 'there is no room for the burst',
    burst: true,
    knobs: { burstCapacity: 200 },
    load: '70:20 8:130 90:40',
  },
  { name: 'the present always counts', burst: true, knobs: { burstCapacity: -1 }, load: '70:20 4:90 90:20' },
];

/** Loads and knobs drawn from a seed: what nobody thought of. */
function drawn(seed: number): Scenario {
  const random = prng(seed);
  const pick = <T>(list: readonly T[]): T => list[random.below(list.length)] as T;
  const part = (): string => `${2 * (1 + random.below(25))}:${pick([1, 5, 12, 30, 31, 75, 160, 400])}`;
  const load = Array.from({ length: 6 }, part).join(' ');
  const target = pick([1, 7, 10, 100]);
  return {
    name: `drawn from ${seed}`,
    knobs: {
      target,
      targetUtilizationPct: pick([50, 70, 100]),
      // Not below one request each: there ours aims at the whole (ADR 8).
      concurrency: target === 1 ? 0 : pick([0, 0, 2, 20]),
      min: pick([0, 1, 4]),
      max: pick([0, 0, 12, 60]),
      activation: pick([1, 1, 3]),
      stableWindow: pick([60, 60, 90, 120]),
      panicWindowPct: pick([5, 10, 25]),
      panicThresholdPct: pick([110, 150, 200, 300]),
      maxScaleUpRate: pick([1.2, 2, 10, 1_000]),
      maxScaleDownRate: pick([1.1, 2, 3]),
      scaleDownDelay: pick([0, 0, 20, 64]),
      burstCapacity: pick([0, 0, -1, 40]),
    },
    load,
    burst: true,
  };
}

function compute({ name, knobs: some, load, found = 0, burst = false }: Scenario): TableCase {
  const knobs = { ...DEFAULTS, ...some };
  const reference = new ReferenceAutoscaler(knobs, 0, found, burst);
  const ready: number[] = [];
  const desired: number[] = [];
  let panic = '';
  let now = 0;
  let scale = found;
  for (const { seconds, load: amount } of loadOf(load)) {
    for (const until = now + seconds; now < until; now++) {
      // Nothing is there to be measured.
      if (amount > 0 || scale > 0) reference.record(now, amount);
      if (now % STEP_SECONDS !== 0) continue;
      const decision = reference.decide(now, scale);
      ready.push(scale);
      desired.push(decision.desired);
      panic += decision.panics ? 'P' : '.';
      scale = decision.desired;
    }
  }
  return { name, knobs, load, found, burst, ready, desired, panic };
}

export function computeTable(): TableCase[] {
  return [...SCENARIOS, ...Array.from({ length: 20 }, (_, n) => drawn(n + 1))].map(compute);
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  writeFileSync(TABLE_FILE, `${JSON.stringify(computeTable(), undefined, 2)}\n`);
