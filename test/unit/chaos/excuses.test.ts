/** Which failures a fault must cause: no others are forgiven. */
import { describe, expect, it } from 'vitest';
import {
  diedInHand,
  diedWithSandbox,
  hadNoDescriptor,
  sentIntoSilence,
} from '../../../chaos/verifiers/excuses.ts';
import type { Failure } from '../../../chaos/verifiers/ledger.ts';

const kill = { kind: 'data-plane-kill', target: 'dp1', fromMs: 1_000, toMs: 3_000, proof: 'pid 7 gone' };
const lost: Failure = {
  workload: 'warm',
  function: 'warm-1',
  via: 'dp1',
  dueMs: 990,
  cause: 'UND_ERR_SOCKET',
  endMs: 1_001,
};

it('forgives a connection that was lost with the data plane that was killed', () => {
  for (const cause of ['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'])
    expect(diedInHand([kill], { ...lost, cause })).toBe(true);
});

it.each<[string, Partial<Failure>]>([
  ['through another data plane', { via: 'dp2' }],
  ['before the kill', { endMs: 999 }],
  ['after the data plane is back', { endMs: 3_001 }],
  ['that is an answer', { cause: '503 no-capacity' }],
  ['by a connection that was never made', { cause: 'ECONNREFUSED' }],
])('forgives no failure %s', (_name, different) => {
  expect(diedInHand([kill], { ...lost, ...different })).toBe(false);
});

it('forgives what met a data plane that could open nothing, and said so', () => {
  const scarce = { ...kill, kind: 'fd-exhaustion' };
  for (const cause of ['UND_ERR_SOCKET', '503 no-capacity'])
    expect(hadNoDescriptor([scarce], { ...lost, cause })).toBe(true);
  expect(hadNoDescriptor([scarce], { ...lost, dueMs: 3_000, endMs: 3_040 })).toBe(true);
  for (const different of [
    { cause: '502 sandbox-crashed' },
    { via: 'dp2' },
    { endMs: 999 },
    { endMs: 4_001 },
    { dueMs: 3_001, endMs: 3_040 },
  ])
    expect(hadNoDescriptor([scarce], { ...lost, ...different })).toBe(false);
  expect(hadNoDescriptor([kill], lost)).toBe(false);
});

it('forgives what a sandbox had in hand when it was killed, or when its worker was', () => {
  const crashed = { ...lost, cause: '502 sandbox-crashed' };
  for (const kind of ['worker-kill', 'sandbox-crash']) {
    expect(diedWithSandbox([{ ...kill, kind }], crashed)).toBe(true);
    expect(diedWithSandbox([{ ...kill, kind }], { ...crashed, dueMs: 1_250, endMs: 1_260 })).toBe(true);
    for (const different of [
      { cause: 'ECONNRESET' },
      { cause: '504 function-timeout' },
      { endMs: 999 },
      { dueMs: 1_251, endMs: 1_260 },
      { endMs: 3_001 },
    ])
      expect(diedWithSandbox([{ ...kill, kind }], { ...crashed, ...different })).toBe(false);
  }
  expect(diedWithSandbox([kill], crashed)).toBe(false);
});

describe('a request that went to a sandbox behind an ailing door', () => {
  const TIMEOUT_MS = 500;
  const silent = { ...kill, kind: 'sandbox-timeout', target: 'warm-1' };
  const unanswered = { ...lost, cause: '504 function-timeout', endMs: 1_500 };
  const isForgiven = (fault: Partial<typeof kill>, failure: Partial<Failure>): boolean =>
    sentIntoSilence([{ ...silent, ...fault }], { ...unanswered, ...failure }, TIMEOUT_MS);

  it('is forgiven that nobody answered it, also when it was there before the silence', () => {
    expect(isForgiven({}, {})).toBe(true);
    expect(isForgiven({}, { dueMs: 500 })).toBe(true);
    expect(isForgiven({ kind: 'sandbox-reset_peer' }, { cause: '502 sandbox-crashed' })).toBe(true);
  });

  it.each<[string, Partial<typeof kill>, Partial<Failure>]>([
    ['to another function', {}, { function: 'warm-2' }],
    ['that was over before', {}, { dueMs: 499 }],
    ['that came when the door was mended', {}, { dueMs: 3_001 }],
    ['that was answered so', {}, { cause: '503 no-capacity' }],
    ['behind a door that is only slow', { kind: 'sandbox-latency' }, {}],
    ['behind a door that is shut: it goes to another sandbox', { kind: 'sandbox-down' }, {}],
  ])('is not, %s', (_name, fault, failure) => {
    expect(isForgiven(fault, failure)).toBe(false);
  });
});

it('forgives nothing under any other fault', () => {
  expect(diedInHand([{ ...kill, kind: 'worker-kill' }], lost)).toBe(false);
  expect(diedInHand([], lost)).toBe(false);
});
