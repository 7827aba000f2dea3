/** A data plane that begins from its file lets requests wait until a leader has confirmed it, or nobody could be asked. */
import { describe, expect, it } from 'vitest';
import { AskFirst } from '../../../src/data-plane/ask-first.ts';
import { ManualClock } from '../turn-loop/manual-clock.ts';

describe('requests that come before a leader was asked', () => {
  it('go on in their order once it has answered', () => {
    const askFirst = new AskFirst(new ManualClock(), 10);
    const served: number[] = [];
    askFirst.begin(500);
    for (const n of [1, 2, 3]) expect(askFirst.wait(() => served.push(n))).toBe(true);
    expect([askFirst.isAsking, served]).toEqual([true, []]);
    askFirst.end();
    expect([askFirst.isAsking, served]).toEqual([false, [1, 2, 3]]);
  });

  it('go on without an answer when there was nobody to ask', () => {
    const clock = new ManualClock();
    const askFirst = new AskFirst(clock, 10);
    const served: number[] = [];
    askFirst.begin(500);
    askFirst.wait(() => served.push(1));
    clock.advance(499);
    expect(served).toEqual([]);
    clock.advance(1);
    expect([askFirst.isAsking, served]).toEqual([false, [1]]);
  });

  it('are refused beyond a bound, and nothing waits where nothing is asked', () => {
    const askFirst = new AskFirst(new ManualClock(), 1);
    expect(askFirst.wait(() => undefined)).toBe(false);
    askFirst.begin(500);
    expect([askFirst.wait(() => undefined), askFirst.wait(() => undefined)]).toEqual([true, false]);
  });
});
