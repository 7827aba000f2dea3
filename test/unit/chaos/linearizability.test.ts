/** The checker is checked: on histories that one copy could have produced, on some that none could, and against brute force. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkLinearizable, type Model, type Operation } from '../../../chaos/verifiers/linearizability.ts';
import {
  registryModel,
  type RegistryInput,
  type RegistryOutput,
} from '../../../chaos/verifiers/registry-model.ts';
import { timelineSvg } from '../../../chaos/verifiers/timeline.ts';

type Op = Operation<RegistryInput, RegistryOutput>;

const never = Number.POSITIVE_INFINITY;
const op = (
  client: string,
  callMs: number,
  returnMs: number,
  input: RegistryInput,
  output?: RegistryOutput,
): Op => ({
  client,
  callMs,
  returnMs,
  input,
  output,
});
const put = (version: string, ifGeneration?: number): RegistryInput => ({
  kind: 'put',
  version,
  ifGeneration,
});
const get: RegistryInput = { kind: 'get' };
const found = (generation: number, version: string, uid = 7): RegistryOutput => ({
  kind: 'found',
  uid,
  generation,
  version,
});
const done = (generation: number, uid = 7): RegistryOutput => ({ kind: 'put', uid, generation });
const absent: RegistryOutput = { kind: 'absent' };
const remove: RegistryInput = { kind: 'delete' };
const removed = (uid = 7): RegistryOutput => ({ kind: 'deleted', uid });

const verdict = (...history: Op[]): string => checkLinearizable(history, registryModel).kind;

describe('legal histories', () => {
  it.each<[string, Op[]]>([
    ['nothing at all', []],
    ['one after the other', [op('a', 0, 1, put('v1'), done(1)), op('b', 2, 3, get, found(1, 'v1'))]],
    [
      'a read beside a write sees either',
      [op('a', 0, 10, put('v1'), done(1)), op('b', 1, 2, get, absent), op('c', 3, 4, get, found(1, 'v1'))],
    ],
    [
      'two writes at once, in the order that readers saw',
      [
        op('a', 0, 10, put('v1'), done(2)),
        op('b', 0, 10, put('v2'), done(1)),
        op('c', 11, 12, get, found(2, 'v1')),
      ],
    ],
    [
      'a write of unknown outcome that happened late',
      [op('a', 0, never, put('v1')), op('b', 5, 6, get, absent), op('c', 7, 8, get, found(1, 'v1'))],
    ],
    [
      'a write of unknown outcome that never happened',
      [op('a', 0, never, put('v1')), op('b', 50, 60, get, absent)],
    ],
    [
      'a conflict that tells the truth',
      [op('a', 0, 1, put('v1'), done(1)), op('b', 2, 3, put('v2', 0), { kind: 'conflict', generation: 1 })],
    ],
    [
      'a name that is used again has a higher uid',
      [
        op('a', 0, 1, put('v1'), done(1, 7)),
        op('a', 2, 3, remove, removed(7)),
        op('b', 4, 5, put('v2'), done(1, 9)),
      ],
    ],
    [
      'a lower uid that is told late, of the holder before',
      [
        op('a', 0, 9, put('v1'), done(1, 7)),
        op('b', 1, 10, remove, removed(7)),
        op('c', 2, 11, put('v2'), done(1, 9)),
      ],
    ],
    [
      'a delete of unknown outcome, late, that explains a new uid',
      [
        op('a', 0, 1, put('v1'), done(1, 7)),
        op('b', 2, never, remove),
        op('c', 3, 4, get, found(1, 'v1', 7)),
        op('c', 5, 6, put('v2'), done(1, 9)),
      ],
    ],
    [
      'a uid that only the delete learned',
      [op('a', 0, never, put('v1')), op('b', 1, 2, remove, removed(7)), op('b', 3, 4, put('v2'), done(1, 8))],
    ],
  ])('%s', (_what, history) => {
    expect(verdict(...history)).toBe('linearizable');
  });
});

describe('illegal histories', () => {
  it.each<[string, Op[]]>([
    ['a stale read', [op('a', 0, 1, put('v1'), done(1)), op('b', 2, 3, get, absent)]],
    [
      'a read that goes back',
      [op('a', 0, 10, put('v1'), done(1)), op('b', 1, 2, get, found(1, 'v1')), op('c', 3, 4, get, absent)],
    ],
    ['a lost update', [op('a', 0, 1, put('v1'), done(1)), op('b', 2, 3, put('v2'), done(1))]],
    [
      'a retry that took effect twice',
      [op('a', 0, 1, put('v1'), done(1)), op('b', 2, 3, get, found(2, 'v1'))],
    ],
    [
      'an acknowledged write that is gone',
      [op('a', 0, 1, put('v1'), done(1)), op('b', 5, 6, { kind: 'delete' }, absent)],
    ],
    [
      'a conflict that lies',
      [op('a', 0, 1, put('v1'), done(1)), op('b', 2, 3, put('v2', 1), { kind: 'conflict', generation: 1 })],
    ],
    [
      'a uid that changes without a delete',
      [op('a', 0, 1, put('v1'), done(1, 7)), op('b', 2, 3, get, found(1, 'v1', 8))],
    ],
    [
      'a name that is used again under its old uid',
      [
        op('a', 0, 1, put('v1'), done(1, 7)),
        op('a', 2, 3, remove, removed(7)),
        op('b', 4, 5, put('v2'), done(1, 7)),
      ],
    ],
    [
      'a name that is used again under a lower uid',
      [
        op('a', 0, 1, put('v1'), done(1, 7)),
        op('a', 2, 3, remove, removed(7)),
        op('b', 4, 5, put('v2'), done(1, 6)),
      ],
    ],
    [
      'the uid of the first of three holders, with one in between whose uid nobody learned',
      [
        op('a', 0, 1, put('v1'), done(1, 7)),
        op('a', 2, 3, remove, removed(7)),
        op('b', 4, never, put('v2')),
        op('b', 5, never, remove),
        op('c', 6, 7, put('v3'), done(1, 7)),
      ],
    ],
    [
      'a lower uid that only a reader is told',
      [
        op('a', 0, 1, put('v1'), done(1, 7)),
        op('a', 2, 3, remove, removed(7)),
        op('b', 4, never, put('v2')),
        op('c', 5, 6, get, found(1, 'v2', 5)),
      ],
    ],
  ])('%s', (_what, history) => {
    expect(verdict(...history)).toBe('violation');
  });

  it('are drawn, with what could not follow in red', () => {
    const history = [op('a', 0, 1, put('v1'), done(1)), op('b', 2, 3, get, absent)];
    const result = checkLinearizable(history, registryModel);
    expect(result.kind).toBe('violation');
    if (result.kind !== 'violation') return;
    const svg = timelineSvg('stale <read>', history, result, ({ input }) => input.kind);
    expect(svg).toContain('stale &lt;read>');
    expect(svg).toContain('#cc3311');
    expect(svg).toContain('1. put');
  });
});

/** Every order, tried one by one: slow, and obviously right. */
function bruteForce<S, I, O>(history: readonly Operation<I, O>[], model: Model<S, I, O>): boolean {
  const search = (left: readonly Operation<I, O>[], state: S): boolean => {
    if (left.every(({ returnMs }) => returnMs === never)) return true;
    const firstReturn = Math.min(...left.map(({ returnMs }) => returnMs));
    return left.some((next) => {
      if (next.callMs > firstReturn) return false;
      const after = model.step(state, next.input, next.output);
      return (
        after !== undefined &&
        search(
          left.filter((other) => other !== next),
          after,
        )
      );
    });
  };
  return search(history, model.initial);
}

/** One number, written and read. */
const register: Model<number, { write: number | undefined }, number> = {
  initial: 0,
  key: String,
  step: (state, { write }, output) => {
    if (write !== undefined) return write;
    return output === undefined || output === state ? state : undefined;
  },
};

it('agrees with brute force on random histories, legal and illegal', () => {
  const operation = fc.record({
    client: fc.constantFrom('a', 'b', 'c'),
    callMs: fc.nat(20),
    takesMs: fc.nat(8),
    lost: fc.integer({ min: 0, max: 5 }),
    write: fc.option(fc.nat(2), { nil: undefined }),
    read: fc.nat(2),
  });
  let legal = 0;
  let illegal = 0;
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 7 }), (drawn) => {
      const history = drawn.map(({ client, callMs, takesMs, lost, write, read }) => ({
        client,
        callMs,
        returnMs: lost === 0 ? never : callMs + takesMs,
        input: { write },
        output: lost === 0 ? undefined : (write ?? read),
      }));
      const isLegal = bruteForce(history, register);
      if (isLegal) legal++;
      else illegal++;
      expect(checkLinearizable(history, register).kind).toBe(isLegal ? 'linearizable' : 'violation');
    }),
    { seed: 2_017, numRuns: 3_000 },
  );
  expect(Math.min(legal, illegal)).toBeGreaterThan(300);
});

it('gives up by saying so', () => {
  const write = (value: number): Operation<{ write: number | undefined }, number> => {
    return { client: `c${value}`, callMs: 0, returnMs: 100, input: { write: value }, output: value };
  };
  const read = { client: 'z', callMs: 200, returnMs: 201, input: { write: undefined }, output: 99 };
  const history = [...Array.from({ length: 14 }, (_, i) => write(i)), read];
  expect(checkLinearizable(history, register, 100).kind).toBe('unknown');
  expect(checkLinearizable(history, register).kind).toBe('violation');
});
