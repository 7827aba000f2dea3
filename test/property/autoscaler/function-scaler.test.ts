/** The production scaler over any history of loads, pauses, slow starts and losses, against what it promises. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FunctionScaler, type ScaleDecision } from '../../../src/core/autoscaler/function-scaler.ts';
import type { CurrentScale } from '../../../src/core/autoscaler/kpa.ts';
import type { FunctionSpec, ScalingSpec } from '../../../src/core/model/function.ts';
import { specWith } from '../../unit/autoscaler/fixtures.ts';
import { ReferenceAutoscaler, type ReferenceKnobs } from '../../unit/autoscaler/reference.ts';

const CYCLE_MS = 2_000;
const load = fc.constantFrom(0, 0, 0, 1, 2, 5, 12, 30, 75, 160, 400);

const knobs = fc
  .record({
    target: fc.constantFrom(0.5, 1, 10, 100),
    targetUtilizationPct: fc.constantFrom(50, 70, 100),
    concurrency: fc.constantFrom(0, 0, 1, 20),
    min: fc.constantFrom(0, 0, 1, 4),
    // Above the minimum; 0 is none.
    room: fc.constantFrom(undefined, undefined, 0, 1, 8, 60),
    activation: fc.constantFrom(1, 1, 3),
    stableWindowMs: fc.constantFrom(6_000, 10_000, 60_000),
    panicWindowPct: fc.constantFrom(1, 10, 100),
    panicThresholdPct: fc.constantFrom(110, 200, 400),
    maxScaleUpRate: fc.constantFrom(1.1, 2, 10, 1_000),
    maxScaleDownRate: fc.constantFrom(1.1, 2, 10),
    scaleDownDelayMs: fc.constantFrom(0, 0, 5_000, 90_000),
    scaleToZeroGraceMs: fc.constantFrom(0, 5_000, 30_000),
    burstCapacity: fc.constantFrom(-1, 0, 40, 200),
  })
  .map(({ room, ...rest }) => ({ ...rest, max: room === undefined ? 0 : Math.max(1, rest.min + room) }));

interface Step {
  readonly afterMs: number;
  /** Undefined: as it was. */
  readonly load: number | undefined;
  /** That a new leader had not heard of before. */
  readonly found: number;
  /** Of what was wanted last: how much of it is there, and how much of that is ready. */
  readonly therePct: number;
  readonly readyPct: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  afterMs: fc.oneof(
    fc.constant(250),
    fc.integer({ min: 0, max: 3_000 }),
    fc.integer({ min: 3_000, max: 100_000 }),
  ),
  load: fc.option(load, { nil: undefined, freq: 2 }),
  found: fc.constantFrom(0, 0, 1, 7, 40),
  therePct: fc.constantFrom(100, 100, 100, 100, 80, 0),
  readyPct: fc.constantFrom(100, 100, 100, 50, 0),
});

interface History {
  readonly spec: FunctionSpec;
  readonly steps: readonly Step[];
}

const history: fc.Arbitrary<History> = fc.record({
  spec: knobs.map(specWith),
  steps: fc.array(step, { minLength: 1, maxLength: 60 }),
});

/** One decision, and what whoever had watched from the beginning would know of it. */
interface Moment {
  readonly atMs: number;
  readonly scale: CurrentScale;
  readonly have: number;
  readonly load: number;
  /** When there was load last. */
  readonly busyMs: number;
  /** Ready when the cycle of the rates began. */
  readonly cycleReady: number;
  readonly decision: ScaleDecision;
  readonly before: ScaleDecision | undefined;
}

const BEGIN_MS = 1_000;
/** Within any stable window. */
const LEARNING_MS = 1_000;

function play({ spec, steps }: History): Moment[] {
  const scaler = new FunctionScaler(spec, BEGIN_MS);
  const moments: Moment[] = [];
  let atMs = BEGIN_MS;
  let now = 0;
  let busyMs = Number.NEGATIVE_INFINITY;
  let cycleMs = Number.NEGATIVE_INFINITY;
  let cycleReady = 0;
  let before: ScaleDecision | undefined;
  for (const { afterMs, load: next, found, therePct, readyPct } of steps) {
    atMs += afterMs;
    if (now > 0) busyMs = atMs;
    if (next !== undefined) scaler.observe(atMs, (now = next));
    if (now > 0) busyMs = atMs;
    const isLearning = atMs <= BEGIN_MS + LEARNING_MS;
    const have = Math.ceil(((before?.desired ?? 0) * therePct) / 100) + (isLearning ? found : 0);
    const ready = Math.floor((have * readyPct) / 100);
    if (atMs - cycleMs >= CYCLE_MS) [cycleMs, cycleReady] = [atMs, ready];
    const scale = { ready, starting: have - ready };
    const decision = scaler.decide(atMs, scale);
    moments.push({ atMs, scale, have, load: now, busyMs, cycleReady, decision, before });
    before = decision;
  }
  return moments;
}

/** Undefined: in every moment of all histories `holds`. */
function counterexample(holds: (moment: Moment, scaling: ScalingSpec) => boolean): string | undefined {
  const everywhere = fc.property(history, (drawn) =>
    play(drawn).every((moment) => holds(moment, drawn.spec.scaling)),
  );
  return fc.defaultReportMessage(fc.check(everywhere, { numRuns: 300, seed: 1 }));
}

const most = ({ max }: ScalingSpec): number => (max === 0 ? Number.POSITIVE_INFINITY : max);
const panics = (decision: ScaleDecision | undefined): boolean => decision?.why.panicUntilMs !== undefined;

describe('for any history', () => {
  it('the scale is within its bounds', () => {
    const broken = counterexample(
      ({ decision: { desired } }, scaling) =>
        Number.isSafeInteger(desired) && desired >= scaling.min && desired <= most(scaling),
    );
    expect(broken).toBeUndefined();
  });

  it('the decisions are the same again', () => {
    fc.assert(
      fc.property(history, (drawn) => {
        expect(play(drawn)).toEqual(play(drawn));
      }),
      { numRuns: 100, seed: 2 },
    );
  });

  it('a request is given a sandbox', () => {
    const broken = counterexample(({ load: now, decision }) => now === 0 || decision.desired >= 1);
    expect(broken).toBeUndefined();
  });

  it('nothing falls before a whole stable window was watched (K2)', () => {
    const broken = counterexample(
      ({ atMs, have, decision }, scaling) =>
        atMs > BEGIN_MS + scaling.stableWindowMs || decision.desired >= Math.min(have, most(scaling)),
    );
    expect(broken).toBeUndefined();
  });

  it('nothing falls in panic (K1)', () => {
    const broken = counterexample(({ before, decision }, { scaleDownDelayMs }) => {
      // As published, the delay is applied to what panic wants: what it had kept from before ends in its own time.
      if (before === undefined || scaleDownDelayMs > 0) return true;
      return !panics(before) || !panics(decision) || decision.desired >= before.desired;
    });
    expect(broken).toBeUndefined();
  });

  it('zero comes after a stable window without load, and the grace (K3)', () => {
    const broken = counterexample(({ atMs, have, busyMs, decision }, scaling) => {
      const idleMs = atMs - Math.max(BEGIN_MS, busyMs);
      const mayBeZero = idleMs >= scaling.stableWindowMs + scaling.scaleToZeroGraceMs;
      return have === 0 || decision.desired > 0 || mayBeZero;
    });
    expect(broken).toBeUndefined();
  });

  it('a cycle adds no more than the rate of what was ready', () => {
    const broken = counterexample(({ before, have, cycleReady, decision: { desired } }, scaling) => {
      const allowed = Math.ceil(Math.max(1, cycleReady) * scaling.maxScaleUpRate);
      const ceiling = Math.max(have, allowed, scaling.activation, scaling.min);
      return desired <= (before?.desired ?? 0) || desired <= ceiling;
    });
    expect(broken).toBeUndefined();
  });

  it('a cycle takes away no more than the rate of what was ready, down to the activation scale', () => {
    const broken = counterexample(({ have, cycleReady, decision: { desired } }, scaling) => {
      const fewest = Math.min(have, Math.floor(cycleReady / scaling.maxScaleDownRate));
      // Nothing but zero is below it, and zero has its own conditions.
      return fewest < scaling.activation || desired >= Math.min(fewest, most(scaling));
    });
    expect(broken).toBeUndefined();
  });

  it('silence ends at the minimum, where nothing is decided any more (K4)', () => {
    fc.assert(
      fc.property(history, ({ spec, steps }) => {
        const { min, stableWindowMs, scaleDownDelayMs, scaleToZeroGraceMs } = spec.scaling;
        const afterMs = stableWindowMs + scaleDownDelayMs + scaleToZeroGraceMs;
        const silence: Step = { afterMs, load: 0, found: 0, therePct: 100, readyPct: 100 };
        const moments = play({ spec, steps: [...steps, ...Array.from({ length: 150 }, () => silence)] });
        expect(moments.at(-1)?.decision).toMatchObject({ desired: min, settled: true });
        const settled = moments.findIndex(({ decision }, n) => n >= steps.length && decision.settled);
        for (const { decision } of moments.slice(settled)) expect(decision.desired).toBe(min);
      }),
      { numRuns: 40, seed: 3 },
    );
  });
});

interface Part {
  readonly cycles: number;
  readonly load: number;
}

interface Published {
  readonly knobs: ReferenceKnobs;
  readonly parts: readonly Part[];
  /** Of what was wanted, in each step. */
  readonly lostPct: readonly number[];
}

/** Changes fall on decisions: theirs counts the second in which a load ended as an idle one. */
const cycles = (least: number, most: number): fc.Arbitrary<number> => fc.integer({ min: least, max: most });

/** Pauses are shorter than any stable window but for the last: after zero, ours does not average with the silence. */
function partsOf(mayIdle: boolean): fc.Arbitrary<Part[]> {
  const busy = fc.record({ cycles: cycles(1, 40), load: fc.constantFrom(1, 5, 12, 30, 31, 75, 160, 400) });
  const pause = fc.record({ cycles: cycles(0, mayIdle ? 25 : 0), load: fc.constant(0) });
  const silence = fc.record({ cycles: cycles(0, mayIdle ? 120 : 0), load: fc.constant(0) });
  return fc
    .tuple(fc.array(fc.tuple(pause, busy), { minLength: 1, maxLength: 5 }), silence)
    .map(([pairs, last]) => [...pairs.flat(), last]);
}

/**
 * Where ours is meant to be Knative's (ADR 8): a hard limit of no more than one request is aimed at otherwise, and so is the way to
 * zero where a step of the decline leads below the activation scale.
 */
const published: fc.Arbitrary<Published> = fc
  .record({
    target: fc.constantFrom(7, 10, 100),
    targetUtilizationPct: fc.constantFrom(50, 70, 100),
    concurrency: fc.constantFrom(0, 0, 2, 20),
    min: fc.constantFrom(0, 1, 4),
    room: fc.constantFrom(undefined, 0, 8, 60),
    activation: fc.constantFrom(1, 1, 3),
    stableWindow: fc.constantFrom(60, 90, 120),
    panicWindowPct: fc.constantFrom(5, 10, 25),
    panicThresholdPct: fc.constantFrom(110, 150, 200, 300),
    maxScaleUpRate: fc.constantFrom(1.2, 2, 10, 1_000),
    maxScaleDownRate: fc.constantFrom(1.1, 2, 3),
    scaleDownDelay: fc.constantFrom(0, 0, 20, 64),
    scaleToZeroGrace: fc.constantFrom(0, 30),
    burstCapacity: fc.constantFrom(0, 0, -1, 40),
  })
  .map(({ room, ...rest }) => ({ ...rest, max: room === undefined ? 0 : Math.max(1, rest.min + room) }))
  .chain((drawn) =>
    fc.record({
      knobs: fc.constant(drawn),
      parts: partsOf(drawn.activation === 1 && drawn.maxScaleDownRate <= 2),
      lostPct: fc.array(fc.constantFrom(0, 0, 0, 0, 30), { minLength: 1, maxLength: 20 }),
    }),
  );

interface Row {
  readonly second: number;
  readonly ready: number;
  readonly desired: number;
  readonly panics: boolean;
}

/** Both are asked every two seconds, with as many ready as theirs wanted before, less what is lost. */
function compare({ knobs: drawn, parts, lostPct }: Published): { ours: Row[]; theirs: Row[] } {
  const rows: { ours: Row[]; theirs: Row[] } = { ours: [], theirs: [] };
  const { stableWindow, scaleDownDelay, scaleToZeroGrace, ...rest } = drawn;
  const spec = specWith({
    ...rest,
    stableWindowMs: stableWindow * 1_000,
    scaleDownDelayMs: scaleDownDelay * 1_000,
    scaleToZeroGraceMs: scaleToZeroGrace * 1_000,
  });
  const theirs = new ReferenceAutoscaler(drawn, 0, 0, true);
  // It has watched for long enough (K2).
  const ours = new FunctionScaler(spec, -(stableWindow + 1) * 1_000);
  let [second, ready] = [0, 0];
  for (const part of parts) {
    for (const until = second + 2 * part.cycles; second < until; second++) {
      // Otherwise nothing is there to be measured.
      if (part.load > 0 || ready > 0) {
        theirs.record(second, part.load);
        ours.observe(second * 1_000, part.load);
      }
      if (second % 2 !== 0) continue;
      const expected = theirs.decide(second, ready);
      const decision = ours.decide(second * 1_000, { ready, starting: 0 });
      rows.ours.push({ second, ready, desired: decision.desired, panics: panics(decision) });
      rows.theirs.push({ second, ready, desired: expected.desired, panics: expected.panics });
      const lost = lostPct[rows.ours.length % lostPct.length] ?? 0;
      ready = Math.ceil((expected.desired * (100 - lost)) / 100);
    }
  }
  return rows;
}

it('decides as the published algorithm does, whatever is asked of it and is lost', () => {
  fc.assert(
    fc.property(published, (drawn) => {
      const { ours, theirs } = compare(drawn);
      expect(ours).toEqual(theirs);
    }),
    { numRuns: 150, seed: 4 },
  );
});
