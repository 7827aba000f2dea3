/** The bus of one process keeps the promises that roles rely on with NATS: subjects, at most once, no responders, asynchrony. */
import { beforeEach, describe, expect, it } from 'vitest';
import { MemoryBroker, subjectMatches } from '../../../src/adapters/memory-bus/broker.ts';
import { limits } from '../../../src/lib/limits.ts';
import type { Bus, BusMessage } from '../../../src/ports/bus.ts';
import type { Logger } from '../../../src/ports/system.ts';
import { ManualClock } from '../turn-loop/manual-clock.ts';

let clock: ManualClock;
let logged: string[];
let broker: MemoryBroker;
let bus: Bus;

function logger(): Logger {
  const write = (_: unknown, message: string): void => void logged.push(message);
  return { debug: write, info: write, warn: write, error: write, child: logger };
}

beforeEach(() => {
  clock = new ManualClock();
  logged = [];
  broker = new MemoryBroker(clock, logger());
  bus = broker.connect('replica-r1');
});

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (message: BusMessage): string => new TextDecoder().decode(message.payload);

/** Everything heard on `pattern`, as "subject=payload". */
function listen(on: Bus, pattern: string): string[] {
  const heard: string[] = [];
  on.subscribe(pattern, (message) => heard.push(`${message.subject}=${textOf(message)}`));
  return heard;
}

describe('subjects', () => {
  it.each([
    ['a.b', 'a.b', true],
    ['a.b', 'a.c', false],
    ['a.*', 'a.b', true],
    ['a.*', 'a', false],
    ['a.*', 'a.b.c', false],
    ['*.b', 'a.b', true],
    ['a.>', 'a.b.c', true],
    ['a.>', 'a', false],
    ['>', 'a', true],
    ['a', 'a.b', false],
    ['a.*.c', 'a.b.c', true],
    ['a.*.c', 'a.b.d', false],
  ])('%s matches %s: %s', (pattern, subject, matches) => {
    expect(subjectMatches(pattern.split('.'), subject.split('.'))).toBe(matches);
  });

  it.each(['a.*', '>', 'a b', 'a\nb', 'a\rb'])('%j is not one to publish to', (subject) => {
    expect(() => bus.publish(subject, bytes('x'))).toThrow('not a subject');
  });
});

describe('a message', () => {
  it('reaches everyone who subscribes, in order, after the turn in which it was published', () => {
    const other = broker.connect('worker-w1');
    const [first, second, third] = [listen(bus, 'a.*'), listen(other, 'a.b'), listen(other, 'c')];
    bus.publish('a.b', bytes('1'));
    other.publish('a.b', bytes('2'));
    expect(first).toEqual([]);
    clock.settle();
    expect(first).toEqual(['a.b=1', 'a.b=2']);
    expect(second).toEqual(['a.b=1', 'a.b=2']);
    expect(third).toEqual([]);
  });

  it('is lost where nobody subscribes, and for those who subscribe later or left before it came', () => {
    bus.publish('a', bytes('early'));
    const heard = listen(bus, 'a');
    const left: string[] = [];
    const subscription = bus.subscribe('a', (message) => left.push(textOf(message)));
    bus.publish('a', bytes('x'));
    subscription.unsubscribe();
    clock.settle();
    expect([heard, left]).toEqual([['a=x'], []]);
  });

  it('that a handler fails on is logged, and the others hear it', () => {
    bus.subscribe('a', () => {
      throw new Error('bad handler');
    });
    const heard = listen(bus, 'a');
    bus.publish('a', bytes('x'));
    clock.settle();
    expect([heard, logged]).toEqual([['a=x'], ['a bus handler failed']]);
  });

  it('may be as large as the limit and not larger', () => {
    const heard: number[] = [];
    bus.subscribe('a', ({ payload }) => heard.push(payload.length));
    bus.publish('a', new Uint8Array(limits.messageBytes));
    expect(() => bus.publish('a', new Uint8Array(limits.messageBytes + 1))).toThrow('over the limit');
    clock.settle();
    expect(heard).toEqual([limits.messageBytes]);
  });
});

describe('a request', () => {
  it('hears the first answer and no other', async () => {
    const server = broker.connect('worker-w1');
    server.subscribe('ask', (message) => {
      server.publish(message.reply, bytes('first'));
      server.publish(message.reply, bytes('second'));
    });
    const answer = bus.request('ask', bytes('?'), 100);
    clock.settle();
    expect(textOf(await answer)).toBe('first');
    expect(clock.timers, 'its timer is gone').toBe(0);
  });

  it('that nobody subscribes to says so at once', async () => {
    const asked = bus.request('nobody', bytes('?'), 100);
    await expect(asked).rejects.toMatchObject({ code: 'no-responders' });
    expect(clock.timers).toBe(0);
  });

  it('that nobody answers times out, and an answer after that reaches nobody', async () => {
    const server = broker.connect('worker-w1');
    let reply = '';
    server.subscribe('ask', (message) => (reply = message.reply));
    const asked = bus.request('ask', bytes('?'), 100);
    clock.settle();
    clock.advance(100);
    await expect(asked).rejects.toMatchObject({ code: 'timeout' });
    const late = server.request(reply, bytes('late'), 10);
    await expect(late, 'its inbox is gone').rejects.toMatchObject({ code: 'no-responders' });
  });

  it('has an inbox of its own under the user’s prefix, which is what permissions are about', () => {
    const replies: string[] = [];
    bus.subscribe('ask', ({ reply }) => replies.push(reply));
    for (const from of [bus, broker.connect('worker-w1'), bus]) {
      from.request('ask', bytes('?'), 100).catch(() => undefined);
    }
    clock.settle();
    expect(new Set(replies).size).toBe(3);
    expect(replies.map((reply) => reply.split('.')[0])).toEqual([
      '_INBOX_replica-r1',
      '_INBOX_worker-w1',
      '_INBOX_replica-r1',
    ]);
  });
});

describe('a connection', () => {
  it('is up from the beginning, and says so to who asks to be told', () => {
    const told: boolean[] = [];
    bus.onStatus(({ up }) => told.push(up));
    clock.settle();
    expect([bus.status(), told]).toEqual([{ up: true, upSinceMs: 0, server: 'memory' }, [true]]);
  });

  it('takes its own subscriptions with it when it closes, and nobody else’s', async () => {
    const other = broker.connect('worker-w1');
    const [mine, theirs] = [listen(bus, 'a'), listen(other, 'a')];
    await bus.close();
    other.publish('a', bytes('x'));
    clock.settle();
    expect([mine, theirs]).toEqual([[], ['a=x']]);
    await other.close();
    const asked = broker.connect('late').request('a', bytes('?'), 10);
    await expect(asked).rejects.toMatchObject({ code: 'no-responders' });
  });

  it('has handed everything over once it is flushed', async () => {
    const heard = listen(bus, 'a');
    bus.publish('a', bytes('x'));
    const flushed = bus.flush();
    clock.settle();
    await flushed;
    expect(heard).toEqual(['a=x']);
  });
});
