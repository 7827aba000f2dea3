/**
 * The log store on a drive that loses power: histories of saves that overlap, snapshots, syncs that fail and crashes at any moment,
 * with a page cache that survives a killed process and not a dead machine. The witness of the simulator knows what was called
 * durable.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { prng } from '../../../src/lib/prng.ts';
import { SimProcess } from '../../sim/process.ts';
import { Scheduler } from '../../sim/scheduler.ts';
import { SimDisk, WitnessedLogStore } from '../../sim/sim-disk.ts';
import { batch, entry, hard, IDENTITY, snapshot } from '../../unit/log-file/directory.ts';
import { append, compact, install, vote, type Write } from './writes.ts';

type Step =
  | Write
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'rename the incarnation' }
  | { readonly do: 'the next sync fails' }
  | { readonly do: 'crash'; readonly afterMs: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: append },
  { weight: 2, arbitrary: vote },
  { weight: 1, arbitrary: compact },
  { weight: 1, arbitrary: install },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(6) }) },
  { weight: 1, arbitrary: fc.constant<Step>({ do: 'rename the incarnation' }) },
  { weight: 2, arbitrary: fc.constant<Step>({ do: 'the next sync fails' }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('crash' as const), afterMs: fc.nat(8) }) },
);

/** One replica's disk through many lives of its process. */
class Machine {
  readonly disk = new SimDisk(false);
  readonly violations: string[] = [];
  readonly #scheduler = new Scheduler();
  readonly #random;
  #process = new SimProcess('r1', this.#scheduler);
  #store: WitnessedLogStore;
  #lives = 0;
  #last = 0;
  #base = 0;
  #term = 1;
  #vote = '';
  reopened = 0;
  refused = 0;

  constructor(seed: number) {
    this.#random = prng(seed);
    this.#store = this.#open();
  }

  #open(): WitnessedLogStore {
    this.#process = new SimProcess('r1', this.#scheduler);
    const random = this.#random.fork(String(++this.#lives));
    return new WitnessedLogStore(this.disk, this.#process, random, (text) => this.violations.push(text));
  }

  /** Nobody waits for it. A disk that refuses is heard of, and the process goes on until it is killed. */
  #begin(work: Promise<unknown>): void {
    void work.catch(() => this.refused++);
  }

  /** Undefined: it failed, or had not ended when the process died. */
  async #finish<T>(work: Promise<T>): Promise<T | undefined> {
    let result: T | undefined;
    let ended = false;
    this.#begin(
      work
        .then((value) => (result = value))
        .finally(() => {
          ended = true;
        }),
    );
    await this.#scheduler.runUntil(this.#scheduler.nowMs + 500, () => ended);
    return result;
  }

  run(ms: number): Promise<boolean> {
    return this.#scheduler.runUntil(this.#scheduler.nowMs + ms);
  }

  async boot(): Promise<void> {
    await this.#finish(this.#store.create(IDENTITY));
    await this.#finish(this.#store.save(batch({ hard: hard(this.#term, '') })));
  }

  async apply(s: Step): Promise<void> {
    const state = (): ReturnType<typeof hard> => hard(this.#term, this.#vote);
    switch (s.do) {
      case 'append': {
        if (s.newTerm) this.#bump('');
        const from = Math.max(this.#base + 1, this.#last + 1 - s.back);
        const entries = Array.from({ length: s.count }, (_, i) => entry(from + i, this.#term));
        this.#last = from + s.count - 1;
        return this.#begin(this.#store.save(batch({ hard: state(), entries })));
      }
      case 'vote':
        this.#bump(s.who);
        return this.#begin(this.#store.save(batch({ hard: state() })));
      case 'compact': {
        const durable = this.disk.log.entries.at(-1 - s.keep);
        // What is snapshotted is committed: nothing on its way replaces it.
        const isReplaced = this.disk.unsettled.some(
          ({ entries, snapshot: state }) =>
            state !== undefined || (entries[0]?.index ?? Infinity) <= (durable?.index ?? 0),
        );
        if (durable === undefined || isReplaced) return;
        this.#base = Math.max(this.#base, durable.index);
        return this.#begin(this.#store.compact(snapshot(durable.index, durable.term), durable.index + 1));
      }
      case 'install': {
        this.#bump('');
        this.#base = this.#last + s.ahead;
        this.#last = this.#base;
        return this.#begin(
          this.#store.save(batch({ hard: state(), snapshot: snapshot(this.#base, this.#term) })),
        );
      }
      case 'rename the incarnation':
        return this.#begin(this.#store.setIdentity({ ...IDENTITY, incarnationMs: 18 }));
      case 'the next sync fails':
        this.disk.drive.failsNextSync = true;
        return;
      case 'wait':
        return void (await this.run(s.ms));
      case 'crash':
        await this.run(s.afterMs);
        return this.crash();
    }
  }

  #bump(vote: string): void {
    this.#term++;
    this.#vote = vote;
  }

  async crash(): Promise<void> {
    this.#process.kill();
    this.#store = this.#open();
    let opened = await this.#finish(this.#store.open());
    if (opened === undefined) {
      // Its disk refused: the next life finds it willing.
      this.#process.kill();
      this.#store = this.#open();
      opened = await this.#finish(this.#store.open());
    }
    if (opened?.kind !== 'ready') return void this.violations.push(`it is ${opened?.kind ?? 'not opened'}`);
    this.reopened++;
    this.#term = opened.hardState.term;
    this.#vote = opened.hardState.vote;
    this.#base = opened.snapshot?.index ?? 0;
    this.#last = opened.entries.at(-1)?.index ?? this.#base;
  }
}

describe('a log store on a machine that loses power', () => {
  it('has what it called durable, whenever that was', async () => {
    let reopened = 0;
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.array(step, { minLength: 5, maxLength: 40, size: 'max' }),
        async (seed, steps) => {
          const machine = new Machine(seed);
          await machine.boot();
          for (const s of steps) await machine.apply(s);
          await machine.crash();
          expect(machine.violations).toEqual([]);
          reopened += machine.reopened;
          refused += machine.refused;
        },
      ),
      { seed: 17, numRuns: 400 },
    );
    expect(reopened).toBeGreaterThan(1_000);
    expect(refused).toBeGreaterThan(100);
  });
});
