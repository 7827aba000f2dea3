/** Which workers claim a function: the same as walking the fleet, whatever happened before. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Claims, type Claimant } from '../../../src/core/leader/claims.ts';
import { functionUid } from '../../../src/lib/ids.ts';

const UIDS = [1, 2, 3].map(functionUid);

it('finds those that claim it and have shown no inventory', () => {
  const step = fc.record({
    worker: fc.nat(3),
    hasInventory: fc.boolean(),
    claimed: fc.subarray(UIDS),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const claims = new Claims<{ view: Claimant['view'] }>();
      const workers: { view: Claimant['view'] }[] = Array.from({ length: 4 }, () => ({
        view: { hasInventory: false, counts: [] },
      }));
      for (const { worker: at, hasInventory, claimed } of steps) {
        const worker = workers[at];
        if (worker === undefined) continue;
        const counts = claimed.map((uid) => ({ uid, generation: 1, starting: 0, ready: 1 }));
        worker.view = { hasInventory, counts };
        claims.update(worker);
        for (const uid of UIDS) {
          const walked = workers.filter(
            ({ view }) => !view.hasInventory && view.counts.some((count) => count.uid === uid),
          );
          expect(new Set(claims.of(uid))).toEqual(new Set(walked));
        }
      }
    }),
    { seed: 7, numRuns: 200 },
  );
});
