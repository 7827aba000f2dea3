import { describe, expect, it } from 'vitest';
import { EVENT_KINDS } from '../../../src/core/leader/event-kinds.ts';
import { tableRows } from './tables.ts';

describe('docs/events.md', () => {
  it('tells of every kind of event, and of no other', () => {
    const rows = tableRows('docs/events.md', 'Kind');
    expect(rows.map((row) => row['Kind'])).toEqual([...EVENT_KINDS]);
    for (const row of rows) expect(row['Said when'], row['Kind']).not.toBe('');
  });
});
