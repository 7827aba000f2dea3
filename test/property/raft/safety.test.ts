/** Raft's safety properties over random histories, and progress once faults stop. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { World } from './network.ts';

type Step =
  | { readonly do: 'deliver'; readonly times: number; readonly anyOrder: boolean }
  | { readonly do: 'sync'; readonly who: number }
  | { readonly do: 'tick'; readonly ms: number }
  | { readonly do: 'propose' }
  | { readonly do: 'crash'; readonly who: number }
  | { readonly do: 'start'; readonly who: number }
  | { readonly do: 'cut'; readonly from: number; readonly to: number }
  | { readonly do: 'heal' }
  | { readonly do: 'hint'; readonly who: number }
  | { readonly do: 'transfer'; readonly who: number }
  | { readonly do: 'settle'; readonly ms: number };

const who = fc.nat({ max: 4 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('deliver' as const),
      times: fc.integer({ min: 1, max: 12 }),
      anyOrder: fc.boolean(),
    }),
  },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('sync' as const), who }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('tick' as const), ms: fc.integer({ min: 1, max: 350 }) }),
  },
  { weight: 5, arbitrary: fc.constant<Step>({ do: 'propose' }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('crash' as const), who }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('start' as const), who }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cut' as const), from: who, to: who }) },
  { weight: 1, arbitrary: fc.constant<Step>({ do: 'heal' }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('hint' as const), who }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('transfer' as const), who }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('settle' as const), ms: fc.integer({ min: 20, max: 400 }) }),
  },
);

function run(world: World, s: Step): void {
  const id = (n: number) => world.members[n % world.members.length] ?? world.members[0]!;
  switch (s.do) {
    case 'deliver':
      for (let n = 0; n < s.times; n++) world.deliver(s.anyOrder);
      return;
    case 'sync':
      world.sync(id(s.who));
      return;
    case 'tick':
      return world.tick(s.ms);
    case 'propose':
      world.propose();
      return;
    case 'crash':
      return world.crash(id(s.who));
    case 'start':
      if (world.get(id(s.who)).raft === undefined) world.start(id(s.who));
      return;
    case 'cut':
      world.cut.add(`${id(s.from)}>${id(s.to)}`);
      return;
    case 'heal':
      world.cut.clear();
      return;
    case 'hint': {
      const replica = world.get(id(s.who));
      const leader = replica.raft?.status().leader;
      // Also false hints: they may start elections, they may not break anything.
      if (leader !== undefined && leader !== '') replica.raft?.leaderGone(leader, world.nowMs);
      return world.pump(replica);
    }
    case 'transfer': {
      const leader = world.leader();
      leader?.raft?.transferLeadership(id(s.who));
      if (leader !== undefined) world.pump(leader);
      return;
    }
    case 'settle':
      return world.settle(s.ms);
  }
}

/** After faults stop: a leader, a committed proposal, equal state everywhere. */
function expectRecovery(world: World): void {
  world.cut.clear();
  for (const id of world.members) if (world.get(id).raft === undefined) world.start(id);
  world.settle(3_000);
  expect(world.leader(), 'a leader').toBeDefined();
  const before = world.proposed;
  expect(world.propose()).toBe(true);
  world.settle(500);
  const value = `v${before + 1}`;
  expect([...world.committed.values()].some((entry) => entry.endsWith(`:${value}`))).toBe(true);
  const states = world.members.map((id) =>
    JSON.stringify([...world.get(id).applied].sort((a, b) => a[0] - b[0])),
  );
  expect(new Set(states).size).toBe(1);
}

describe.each([3, 5])('%i replicas', (size) => {
  test.each([0, 7])('are safe and recover, compacting every %i entries', (compactEvery) => {
    fc.assert(
      fc.property(fc.nat(), fc.array(step, { minLength: 20, maxLength: 160 }), (seed, steps) => {
        const world = new World(seed, size, { lossPct: 5, duplicatePct: 10, compactEvery });
        for (const s of steps) run(world, s);
        expectRecovery(world);
      }),
      { seed: 20_240_101 + size, numRuns: 150 },
    );
  });
});
