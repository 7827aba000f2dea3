/** Which failures a fault must cause: no others are forgiven. */
import { expect, it } from 'vitest';
import { diedInHand, hadNoDescriptor } from '../../../chaos/verifiers/excuses.ts';
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
  for (const different of [{ cause: '502 sandbox-crashed' }, { via: 'dp2' }, { endMs: 3_001 }])
    expect(hadNoDescriptor([scarce], { ...lost, ...different })).toBe(false);
  expect(hadNoDescriptor([kill], lost)).toBe(false);
});

it('forgives nothing under any other fault', () => {
  expect(diedInHand([{ ...kill, kind: 'worker-kill' }], lost)).toBe(false);
  expect(diedInHand([], lost)).toBe(false);
});
