/** What Raft asks of its store, drawn at random; whoever carries it out knows where its log ends. */
import fc from 'fast-check';

export type Write =
  /** Appends from `back` entries before the end, in a term that is one higher when `newTerm` says so. */
  | { readonly do: 'append'; readonly back: number; readonly count: number; readonly newTerm: boolean }
  | { readonly do: 'vote'; readonly who: string }
  | { readonly do: 'compact'; readonly keep: number }
  | { readonly do: 'install'; readonly ahead: number };

const of = <T extends string>(kind: T): fc.Arbitrary<T> => fc.constant(kind);

export const append: fc.Arbitrary<Write> = fc.record({
  do: of('append'),
  back: fc.nat(3),
  count: fc.integer({ min: 1, max: 4 }),
  newTerm: fc.boolean(),
});
export const vote: fc.Arbitrary<Write> = fc.record({
  do: of('vote'),
  who: fc.constantFrom('r1', 'r2', 'r3'),
});
export const compact: fc.Arbitrary<Write> = fc.record({ do: of('compact'), keep: fc.nat(3) });
export const install: fc.Arbitrary<Write> = fc.record({
  do: of('install'),
  ahead: fc.integer({ min: 1, max: 3 }),
});
