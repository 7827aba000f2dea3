/** Ours against Knative's published algorithm, decision by decision: knative-table.json, computed by reference.ts. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { FunctionScaler } from '../../../src/core/autoscaler/function-scaler.ts';
import type { FunctionSpec } from '../../../src/core/model/function.ts';
import { specWith } from './fixtures.ts';
import type { ReferenceKnobs } from './reference.ts';
import { computeTable, loadOf, STEP_SECONDS, TABLE_FILE, type TableCase } from './table.ts';

const table = JSON.parse(readFileSync(TABLE_FILE, 'utf8')) as TableCase[];

function toSpec({ stableWindow, scaleDownDelay, scaleToZeroGrace, ...knobs }: ReferenceKnobs): FunctionSpec {
  return specWith({
    ...knobs,
    stableWindowMs: stableWindow * 1_000,
    scaleDownDelayMs: scaleDownDelay * 1_000,
    scaleToZeroGraceMs: scaleToZeroGrace * 1_000,
  });
}

function decisions({ knobs, load, found, ready }: TableCase): Pick<TableCase, 'desired' | 'panic'> {
  // Where nothing was found, it has watched for long enough (K2).
  const scaler = new FunctionScaler(toSpec(knobs), found > 0 ? 0 : -(knobs.stableWindow + 1) * 1_000);
  const desired: number[] = [];
  let panic = '';
  let now = 0;
  for (const { seconds, load: amount } of loadOf(load)) {
    for (const until = now + seconds; now < until; now++) {
      scaler.observe(now * 1_000, amount);
      if (now % STEP_SECONDS !== 0) continue;
      const decision = scaler.decide(now * 1_000, { ready: ready[desired.length] ?? 0, starting: 0 });
      desired.push(decision.desired);
      panic += decision.why.panicUntilMs === undefined ? '.' : 'P';
    }
  }
  return { desired, panic };
}

describe('the table', () => {
  test('is what the published algorithm computes', () => {
    expect(table).toEqual(computeTable());
  });

  test('has rows enough, in panic and out of it, and cases that follow the published text to the letter', () => {
    const rows = table.flatMap(({ panic }) => panic.split(''));
    expect(rows.length).toBeGreaterThan(3_000);
    expect(rows.filter((row) => row === 'P').length).toBeGreaterThan(500);
    expect(rows.filter((row) => row === '.').length).toBeGreaterThan(500);
    expect(table.filter(({ burst }) => !burst).length).toBeGreaterThan(30);
  });
});

test.each(table.filter(({ found }) => found <= 1))('$name', (row) => {
  const { desired, panic } = row;
  expect(decisions(row)).toEqual({ desired, panic });
});

// Knative begins in panic, ours keeps what there is without it (ADR 8): the scale is the same.
test.each(table.filter(({ found }) => found > 1))('$name', (row) => {
  expect(decisions(row).desired).toEqual(row.desired);
});
