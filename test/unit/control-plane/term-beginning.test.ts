import { describe, expect, it } from 'vitest';
import { TermBeginning } from '../../../src/control-plane/term-beginning.ts';
import { replicaId } from '../../../src/lib/ids.ts';
import { ManualClock } from '../turn-loop/manual-clock.ts';

describe('the beginning of a term', () => {
  it('takes from the news that the leader is gone until the no-op is applied', () => {
    const clock = new ManualClock();
    const beginning = new TermBeginning(clock);
    clock.nowMs = 100;
    beginning.hint('probe');
    clock.nowMs = 103;
    beginning.changed({ role: 'pre-candidate', leader: '' });
    beginning.changed({ role: 'candidate', leader: '' });
    beginning.changed({ role: 'leader', leader: replicaId('r1') });
    expect(beginning.electionMs, 'not applied yet').toBeUndefined();
    clock.nowMs = 116;
    beginning.reach('no-op');
    expect([beginning.story.cause, beginning.electionMs]).toEqual(['probe', 16]);
  });

  it('takes from the candidacy where leadership was handed over', () => {
    const clock = new ManualClock();
    const beginning = new TermBeginning(clock);
    clock.nowMs = 10;
    beginning.changed({ role: 'candidate', leader: '' });
    clock.nowMs = 14;
    beginning.reach('no-op');
    expect([beginning.story.cause, beginning.electionMs]).toEqual(['transfer', 4]);
  });

  it('is forgotten when another leads', () => {
    const beginning = new TermBeginning(new ManualClock());
    beginning.hint('advisory');
    beginning.reach('no-op');
    beginning.changed({ role: 'follower', leader: replicaId('r2') });
    expect([beginning.story, beginning.electionMs]).toEqual([
      { cause: 'timeout', campaigns: 0, atMs: {} },
      undefined,
    ]);
  });
});
