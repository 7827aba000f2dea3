/** Many roles over one connection: what several listen to comes once. */
import { describe, expect, it } from 'vitest';
import { sharedBus } from '../../../src/adapters/shared-bus/shared-bus.ts';
import { ManualClock } from '../turn-loop/manual-clock.ts';
import type { Bus, BusMessage } from '../../../src/ports/bus.ts';

function wire(): { bus: Bus; open: string[]; deliver: (subject: string, payload?: Uint8Array) => void } {
  const handlers = new Map<string, Set<(message: BusMessage) => void>>();
  const open: string[] = [];
  const bus = {
    subscribe(subject: string, handler: (message: BusMessage) => void) {
      open.push(subject);
      handlers.set(subject, (handlers.get(subject) ?? new Set()).add(handler));
      return {
        unsubscribe() {
          open.splice(open.indexOf(subject), 1);
          handlers.get(subject)?.delete(handler);
        },
      };
    },
  } as unknown as Bus;
  const deliver = (subject: string, payload: Uint8Array = new Uint8Array(0)): void => {
    for (const handle of handlers.get(subject) ?? []) handle({ subject, payload, reply: '' });
  };
  return { bus, open, deliver };
}

describe('a shared connection', () => {
  it('subscribes once and tells everybody', () => {
    const { bus, open, deliver } = wire();
    const heard: number[] = [];
    const clock = new ManualClock();
    const shared = sharedBus(bus, clock);
    for (const n of [1, 2, 3]) shared.subscribe('beacon', () => heard.push(n));
    deliver('beacon');
    clock.settle();
    expect([open, heard]).toEqual([['beacon'], [1, 2, 3]]);
  });

  it('lets a few hundred hear it at a time, each of them all messages in their order', () => {
    const { bus, deliver } = wire();
    const clock = new ManualClock();
    const heard = new Map<number, string[]>();
    const shared = sharedBus(bus, clock);
    for (let n = 0; n < 1_000; n++) {
      heard.set(n, []);
      shared.subscribe('beacons', ({ payload }) => heard.get(n)?.push(String(payload[0])));
    }
    for (const payload of [1, 2, 3]) deliver('beacons', Uint8Array.of(payload));
    clock.turn();
    const first = [...heard.values()].filter(({ length }) => length > 0).length;
    expect(first).toBeGreaterThan(0);
    expect(first).toBeLessThan(1_000);
    clock.settle();
    expect(new Set([...heard.values()].map(String))).toEqual(new Set(['1,2,3']));
  });

  it('leaves others as much time as its listeners took, but falls behind nobody who sends more', () => {
    const { bus, deliver } = wire();
    const clock = new ManualClock();
    const shared = sharedBus(bus, clock);
    let heard = 0;
    for (let n = 0; n < 100; n++)
      shared.subscribe('beacons', () => {
        heard++;
        clock.nowMs += 0.25;
      });
    deliver('beacons');
    clock.settle();
    const first = heard;
    expect(first).toBeLessThan(100);
    clock.advance(first * 0.25 - 0.1);
    expect(heard).toBe(first);
    clock.advance(0.1);
    expect(heard).toBeGreaterThan(first);
    for (let n = 0; n < 4; n++) deliver('beacons');
    // The first is heard by all without a pause.
    clock.advance(10);
    expect(heard).toBeGreaterThanOrEqual(100);
    while (clock.timers > 0) clock.advance(10);
    expect(heard).toBe(500);
  });

  it('delivers what somebody waits for ahead of what came before', () => {
    const { bus, deliver } = wire();
    const clock = new ManualClock();
    const heard: string[] = [];
    const shared = sharedBus(bus, clock, (subject) => subject === 'command');
    for (const subject of ['notice', 'command']) shared.subscribe(subject, () => heard.push(subject));
    for (const subject of ['notice', 'command']) deliver(subject);
    clock.settle();
    expect(heard).toEqual(['command', 'notice']);
  });

  it('sends what is said at about the same time together, in its order, and at once with what somebody waits for', () => {
    const sent: string[] = [];
    const clock = new ManualClock();
    const publish = (subject: string): number => sent.push(subject);
    const shared = sharedBus({ publish } as unknown as Bus, clock, (subject) => subject === 'change');
    for (const subject of ['a', 'b']) shared.publish(subject, new Uint8Array(0));
    clock.settle();
    expect(sent).toEqual([]);
    clock.advance(3);
    expect(sent).toEqual(['a', 'b']);
    for (const subject of ['c', 'change', 'd']) shared.publish(subject, new Uint8Array(0));
    clock.settle();
    expect(sent).toEqual(['a', 'b', 'c', 'change', 'd']);
  });

  it('lets go of a subject with the last who listens, and takes it up again', () => {
    const { bus, open, deliver } = wire();
    const heard: string[] = [];
    const clock = new ManualClock();
    const shared = sharedBus(bus, clock);
    const [a, b] = ['a', 'b'].map((name) => shared.subscribe('beacon', () => heard.push(name)));
    a?.unsubscribe();
    deliver('beacon');
    clock.settle();
    b?.unsubscribe();
    b?.unsubscribe();
    expect([open, heard]).toEqual([[], ['b']]);
    shared.subscribe('beacon', () => heard.push('c'));
    deliver('beacon');
    clock.settle();
    expect([open, heard]).toEqual([['beacon'], ['b', 'c']]);
  });
});
