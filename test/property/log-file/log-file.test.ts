/**
 * Random histories of what Raft does to its store, with crashes in between, against a list that is right by its simplicity.
 * A crash leaves the files as they are, and perhaps the beginning of a record that nobody was told of.
 */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { FileLogStore } from '../../../src/adapters/log-file/log-file.ts';
import type { StoredEntry } from '../../../src/ports/log-store.ts';
import {
  batch,
  entry,
  filesOf,
  hard,
  IDENTITY,
  Playground,
  said,
  snapshot,
} from '../../unit/log-file/directory.ts';
import { append, compact, install, vote, type Write } from './writes.ts';

type Step = Write | { readonly do: 'crash'; readonly garbage: number } | { readonly do: 'restart' };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 10, arbitrary: append },
  { weight: 2, arbitrary: vote },
  { weight: 2, arbitrary: compact },
  { weight: 1, arbitrary: install },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('crash' as const), garbage: fc.nat(30) }) },
  { weight: 1, arbitrary: fc.constant<Step>({ do: 'restart' }) },
);

const playground = new Playground();
afterAll(() => playground.remove());

/** The reference, and the store that has to agree with it. */
class Replica {
  directory = playground.fresh();
  store: FileLogStore = new FileLogStore(this.directory);
  term = 1;
  vote = '';
  base = { index: 0, term: 0 };
  entries: StoredEntry[] = [];
  reopened = 0;

  get last(): number {
    return this.base.index + this.entries.length;
  }

  async apply(s: Step): Promise<void> {
    switch (s.do) {
      case 'append': {
        if (s.newTerm) this.bump('');
        const from = Math.max(this.base.index + 1, this.last + 1 - s.back);
        const added = Array.from({ length: s.count }, (_, i) => entry(from + i, this.term));
        this.entries = [...this.entries.filter(({ index }) => index < from), ...added];
        return this.store.save(batch({ hard: hard(this.term, this.vote), entries: added }));
      }
      case 'vote':
        this.bump(s.who);
        return this.store.save(batch({ hard: hard(this.term, this.vote) }));
      case 'compact': {
        const index = this.last - s.keep;
        const at = this.entries.find((one) => one.index === index);
        if (at === undefined) return;
        this.base = { index, term: at.term };
        this.entries = this.entries.filter((one) => one.index > index);
        return this.store.compact(snapshot(index, at.term), index + 1);
      }
      case 'install': {
        this.bump('');
        this.base = { index: this.last + s.ahead, term: this.term };
        this.entries = [];
        const state = snapshot(this.base.index, this.base.term);
        return this.store.save(batch({ hard: hard(this.term, this.vote), snapshot: state }));
      }
      case 'crash': {
        const files = filesOf(this.directory);
        await this.store.close();
        this.directory = playground.place(files);
        this.#tear(s.garbage);
        return this.open();
      }
      case 'restart':
        await this.store.close();
        return this.open();
    }
  }

  bump(vote: string): void {
    this.term++;
    this.vote = vote;
  }

  /** The beginning of a record that was never acknowledged: zeros where its data had not arrived, or half a header. */
  #tear(bytes: number): void {
    const segments = [...filesOf(this.directory).keys()].filter((name) => name.startsWith('log-'));
    const last = Math.max(...segments.map((name) => Number(name.slice(4))));
    appendFileSync(join(this.directory, `log-${last}`), Buffer.alloc(bytes, bytes < 8 ? 7 : 0));
  }

  async open(): Promise<void> {
    this.store = new FileLogStore(this.directory);
    const opened = await this.store.open();
    this.reopened++;
    const log = this.entries.map(({ index, term }) => `${index}@${term}`).join(' ') || 'no entries';
    const base = this.base.index === 0 ? 'no snapshot' : `snapshot ${this.base.index}@${this.base.term}`;
    expect(said(opened)).toBe(`term ${this.term} vote ${this.vote}, ${base}, ${log}`);
  }
}

describe('any history of saves, snapshots and crashes', () => {
  it('leaves exactly what was acknowledged', async () => {
    let reopened = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30, size: 'max' }), async (steps) => {
        const replica = new Replica();
        await replica.store.create(IDENTITY);
        await replica.store.save(batch({ hard: hard(1, '') }));
        for (const s of steps) await replica.apply(s);
        await replica.apply({ do: 'restart' });
        await replica.store.close();
        reopened += replica.reopened;
      }),
      { seed: 8_128, numRuns: 60 },
    );
    expect(reopened).toBeGreaterThan(150);
  });
});
