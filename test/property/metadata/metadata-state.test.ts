/**
 * Random commands against lists that are right by their simplicity; and against the same state machine taken through a
 * snapshot and its bytes in the middle: no replica may tell by anything which way it came to its state.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MetadataState } from '../../../src/core/metadata/metadata-state.ts';
import type { MetadataCommand, MetadataOutcome } from '../../../src/core/model/metadata.ts';
import {
  decodeMetadataCommand,
  decodeMetadataSnapshot,
  encodeMetadataCommand,
  encodeMetadataSnapshot,
} from '../../../src/wire/metadata-codec.ts';
import { put, remove, type Mutation } from '../../unit/metadata/commands.ts';

const BOUNDS = { functions: 3, requestIds: 5 };
const NAMES = ['a', 'b', 'c', 'd'];

type Step =
  | { readonly do: 'no-op' }
  | {
      readonly do: 'put' | 'delete';
      readonly name: string;
      /** How far behind the commit index its base is; further than the table reaches, or ahead of everything. */
      readonly age: number;
      readonly nonce: string;
      readonly ifGeneration: number | undefined;
      readonly artifact: string;
    };

const mutation = fc.record({
  do: fc.constantFrom('put' as const, 'put' as const, 'delete' as const),
  name: fc.constantFrom(...NAMES),
  age: fc.integer({ min: -1, max: 9 }),
  nonce: fc.constantFrom('x', 'y', 'z'),
  ifGeneration: fc.constantFrom(undefined, undefined, undefined, 0, 1, 2),
  artifact: fc.constantFrom('1', '2').map((digit) => digit.repeat(64)),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: mutation },
  { weight: 1, arbitrary: fc.constant<Step>({ do: 'no-op' }) },
);

function commandOf(s: Step, index: number): MetadataCommand {
  if (s.do === 'no-op') return { kind: 'no-op' };
  const options = {
    request: [Math.max(0, index - 1 - s.age), s.nonce] as const,
    ...(s.ifGeneration === undefined ? {} : { ifGeneration: s.ifGeneration }),
    artifact: s.artifact,
  };
  return s.do === 'put' ? put(s.name, options) : remove(s.name, options);
}

interface Known {
  readonly name: string;
  readonly uid: number;
  readonly generation: number;
  readonly specIndex: number;
}

/** Everything is searched for, nothing is indexed, and the command is remembered whole. */
class Reference {
  functions: Known[] = [];
  requests: {
    readonly key: string;
    readonly command: string;
    readonly index: number;
    outcome: MetadataOutcome;
  }[] = [];
  evicted = 0;

  apply(index: number, command: Mutation): MetadataOutcome {
    const key = `${command.requestId.base}-${command.requestId.nonce}`;
    const text = JSON.stringify(command);
    const seen = this.requests.find((request) => request.key === key);
    if (seen !== undefined) return seen.command === text ? seen.outcome : { kind: 'request-id-reused' };
    if (this.evicted > 0 && command.requestId.base <= this.evicted) return { kind: 'request-expired' };
    const outcome = this.#execute(index, command) as MetadataOutcome;
    this.requests.push({ key, command: text, index, outcome });
    if (this.requests.length > BOUNDS.requestIds) this.evicted = this.requests.shift()?.index ?? 0;
    return outcome;
  }

  #execute(index: number, command: Mutation): unknown {
    const name = command.kind === 'put-function' ? command.spec.name : command.name;
    const current = this.functions.find((known) => known.name === name);
    const generation = current?.generation ?? 0;
    if (command.ifGeneration !== undefined && command.ifGeneration !== generation)
      return { kind: 'generation-mismatch', generation };
    const others = this.functions.filter((known) => known !== current);
    if (command.kind === 'delete-function') {
      if (current === undefined) return { kind: 'not-found' };
      this.functions = others;
      return { kind: 'deleted', uid: current.uid, specIndex: index };
    }
    if (current === undefined && others.length === BOUNDS.functions) return { kind: 'too-many-functions' };
    const next = { name, uid: current?.uid ?? index, generation: generation + 1, specIndex: index };
    this.functions = [...others, next];
    return { kind: 'put', uid: next.uid, generation: next.generation, specIndex: index };
  }
}

const throughBytes = (command: MetadataCommand): MetadataCommand =>
  command.kind === 'no-op' ? command : decodeMetadataCommand(encodeMetadataCommand(command));

describe('any sequence of commands', () => {
  it('has the outcomes and the functions of the reference', () => {
    const outcomes = new Map<string, number>();
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
        const state = new MetadataState(BOUNDS);
        const reference = new Reference();
        for (const [i, s] of steps.entries()) {
          const command = commandOf(s, i + 1);
          const expected = command.kind === 'no-op' ? undefined : reference.apply(i + 1, command);
          expect(state.apply(i + 1, throughBytes(command)).outcome).toEqual(expected);
          outcomes.set(expected?.kind ?? 'no-op', (outcomes.get(expected?.kind ?? 'no-op') ?? 0) + 1);
        }
        const functions = reference.functions.toSorted((a, b) => (a.name < b.name ? -1 : 1));
        expect(
          state
            .list()
            .map(({ uid, generation, specIndex, spec }) => ({ name: spec.name, uid, generation, specIndex })),
        ).toEqual(functions);
        expect(state.snapshot().requests.map(({ index }) => index)).toEqual(
          reference.requests.map(({ index }) => index),
        );
        expect(state.artifacts()).toEqual(new Set(state.list().map(({ spec }) => spec.artifact)));
      }),
      { seed: 51, numRuns: 150 },
    );
    // Every kind of outcome was seen, and often.
    expect(outcomes.size).toBe(8);
    expect(Math.min(...outcomes.values())).toBeGreaterThan(20);
  });

  it('goes on from a snapshot’s bytes as if there had been none', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40, size: 'max' }), fc.nat(40), (steps, at) => {
        const state = new MetadataState(BOUNDS);
        let restored = new MetadataState(BOUNDS);
        for (const [i, s] of steps.entries()) {
          if (i === at) {
            const bytes = encodeMetadataSnapshot(state.snapshot());
            restored = MetadataState.restore(decodeMetadataSnapshot(bytes), BOUNDS);
          }
          const command = commandOf(s, i + 1);
          const result = state.apply(i + 1, command);
          expect(restored.apply(i + 1, throughBytes(command))).toEqual(result);
          expect(restored.hash()).toBe(state.hash());
        }
        expect(restored.snapshot()).toEqual(state.snapshot());
        expect(Buffer.from(encodeMetadataSnapshot(restored.snapshot()))).toEqual(
          Buffer.from(encodeMetadataSnapshot(state.snapshot())),
        );
      }),
      { seed: 52, numRuns: 100 },
    );
  });
});
