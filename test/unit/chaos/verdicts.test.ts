/** LIN over a whole history: function by function, with a picture of each violation; and what a call's answer says. */
import { describe, expect, it } from 'vitest';
import { History } from '../../../chaos/histories/history.ts';
import { checkHistory } from '../../../chaos/histories/verdicts.ts';
import type { Attempt } from '../../../chaos/verifiers/registry-answers.ts';
import { attempt } from '../../../chaos/workloads/registry-calls.ts';
import type { ApiClient } from '../../../src/api/client.ts';
import { BatonError } from '../../../src/lib/errors.ts';

const put = { kind: 'put', version: 'v1', ifGeneration: undefined } as const;

it('judges each function alone and draws the one that is wrong', () => {
  const history = new History();
  const base = { client: 'a', callMs: 0, returnMs: 1 };
  history.record('good', { ...base, input: put, output: { kind: 'put', uid: 1, generation: 1 } });
  history.record('bad', { ...base, input: put, output: { kind: 'put', uid: 2, generation: 1 } });
  const late = { client: 'b', callMs: 2, returnMs: 3 };
  history.record('bad', { ...late, input: { kind: 'get' }, output: { kind: 'absent' } });
  history.record('good', { ...late, input: put, output: undefined, returnMs: Number.POSITIVE_INFINITY });
  const verdict = checkHistory(history, 'seed 1');
  expect(verdict).toMatchObject({ kind: 'violation', functions: 2, operations: 4, undecided: [] });
  expect(verdict.violations.map(({ name }) => name)).toEqual(['bad']);
  expect(verdict.violations[0]?.what).toContain('"get → absent" follows nothing');
  expect(verdict.violations[0]?.svg).toContain('seed 1, bad');
  expect(history.unknown).toBe(1);
  expect(history.latencies('put')).toEqual({ n: 2, p50: 1, p99: 1, max: 1 });
});

describe('an answer', () => {
  const answered = (error: BatonError): Promise<Attempt> => {
    const call = async (): Promise<never> => {
      throw error;
    };
    return attempt({ call } as unknown as ApiClient, { name: 'f', input: put, requestId: '1-x' }, 100);
  };

  it.each<[string, BatonError, Attempt]>([
    [
      'that there is none',
      new BatonError('not-found', 'no function f'),
      { kind: 'done', output: { kind: 'absent' } },
    ],
    [
      'of another generation',
      new BatonError('conflict', 'f is at 3', { fields: { generation: 3 } }),
      { kind: 'done', output: { kind: 'conflict', generation: 3 } },
    ],
    ['that is lost', new BatonError('unavailable', 'nobody there'), { kind: 'unclear', code: 'unavailable' }],
    ['that is late', new BatonError('timeout', 'no answer'), { kind: 'unclear', code: 'timeout' }],
    [
      'that may change',
      new BatonError('outcome-unknown', 'overtaken'),
      { kind: 'unclear', code: 'outcome-unknown' },
    ],
    [
      'that the artifact is missing is no outcome',
      new BatonError('not-found', 'artifact x', { fields: { path: 'artifact' } }),
      { kind: 'refused', code: 'not-found' },
    ],
  ])('%s', async (_what, error, expected) => {
    expect(await answered(error)).toEqual(expected);
  });

  it('that blames the request is a bug and ends the client', async () => {
    await expect(answered(new BatonError('conflict', 'request id in use'))).rejects.toThrow(
      'request id in use',
    );
    await expect(answered(new BatonError('internal', 'internal error'))).rejects.toThrow('internal error');
  });

  it.each(['no-leader', 'not-leader', 'no-quorum', 'disconnected', 'canceled', 'request-expired'] as const)(
    'of %s leaves the outcome open',
    async (code) => {
      expect(await answered(new BatonError(code, 'who knows'))).toEqual({ kind: 'unclear', code });
    },
  );

  it('that the registry is full is a refusal', async () => {
    const full = new BatonError('no-capacity', 'as many functions as it may');
    expect(await answered(full)).toEqual({ kind: 'refused', code: 'no-capacity' });
  });

  it.each(['io', 'damaged', 'fenced', 'trial-failed', 'not-synced', 'no-responders', 'too-large'] as const)(
    'of %s is none that a client of the registry should get, and ends it',
    async (code) => {
      await expect(answered(new BatonError(code, 'what is this'))).rejects.toThrow(`put f: ${code}`);
    },
  );
});
