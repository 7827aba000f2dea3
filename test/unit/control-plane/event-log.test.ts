import { describe, expect, it } from 'vitest';
import type { EventQuery } from '../../../src/api/backend.ts';
import { EventLog, type Happening } from '../../../src/control-plane/event-log.ts';
import { limits } from '../../../src/lib/limits.ts';
import type { Logger } from '../../../src/ports/system.ts';
import { ManualClock } from '../turn-loop/manual-clock.ts';

const ignore = (): void => undefined;
const quiet: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore, child: () => quiet };
const newLog = (): EventLog => new EventLog(new ManualClock(), quiet);
const happening = (subject: string, more: Partial<Happening> = {}): Happening => ({
  kind: 'scaled',
  subject,
  function: '',
  message: '',
  ...more,
});
const query = (more: Partial<EventQuery> = {}): EventQuery => ({
  after: { term: 0, seq: 0 },
  kinds: [],
  function: '',
  limit: undefined,
  ...more,
});
const subjects = (log: EventLog, more: Partial<EventQuery> = {}): readonly string[] =>
  log.list(query(more)).rows.map(({ subject }) => subject);

describe('the log of events', () => {
  it('is asked by kind, by function, and for the latest', () => {
    const log = newLog();
    log.add(1, happening('one', { kind: 'placed', function: 'hello' }));
    log.add(1, happening('two', { function: 'hello' }));
    log.add(1, happening('three', { kind: 'placed' }));
    expect(subjects(log)).toEqual(['one', 'two', 'three']);
    expect(subjects(log, { kinds: ['placed'] })).toEqual(['one', 'three']);
    expect(subjects(log, { function: 'hello' })).toEqual(['one', 'two']);
    expect(subjects(log, { kinds: ['placed'], function: 'hello' })).toEqual(['one']);
    expect(subjects(log, { limit: 2 })).toEqual(['two', 'three']);
    expect(subjects(log, { limit: 0 })).toEqual([]);
    expect(log.counts).toEqual(
      new Map([
        ['placed', 2],
        ['scaled', 1],
      ]),
    );
  });

  it('goes on from a cursor, past what a filter left out', () => {
    const log = newLog();
    log.add(1, happening('one'));
    const { cursor } = log.list(query({ kinds: ['placed'] }));
    log.add(1, happening('two'));
    expect(subjects(log, { after: cursor })).toEqual(['two']);
  });

  it('goes on from another leader’s cursor: what its own terms brought since, and nothing twice', () => {
    const [first, second] = [newLog(), newLog()];
    for (const subject of ['a', 'b', 'c']) first.add(1, happening(subject));
    const before = first.list(query()).cursor;
    second.add(2, happening('d'));
    expect(subjects(second, { after: before }), 'its seq is lower, its term is higher').toEqual(['d']);
    const during = second.list(query({ after: before })).cursor;
    expect(first.list(query({ after: during })).cursor, 'deposed, it has nothing newer').toEqual(during);
    first.add(3, happening('e'));
    expect(subjects(first, { after: during })).toEqual(['e']);
  });

  it('is bounded, and tells a follower that fell behind', () => {
    const log = newLog();
    log.add(1, happening('first'));
    const { cursor } = log.list(query());
    for (let n = 0; n < 5 * limits.events; n++) log.add(1, happening('later'));
    const { rows, missed } = log.list(query({ after: cursor }));
    expect([rows.length, missed]).toEqual([limits.events, true]);
    expect(log.list(query({ after: log.list(query()).cursor })).missed).toBe(false);
  });

  it('cuts what a failed start wrote', () => {
    const log = newLog();
    log.add(1, happening('long', { message: 'x'.repeat(100_000) }));
    expect(log.list(query()).rows[0]?.message).toHaveLength(limits.eventChars + 1);
  });
});
