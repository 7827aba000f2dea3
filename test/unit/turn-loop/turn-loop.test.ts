/** The order of work on a replica's one thread. */
import { beforeEach, describe, expect, it } from 'vitest';
import { TurnLoop } from '../../../src/control-plane/turn-loop.ts';
import { ManualClock } from './manual-clock.ts';

let clock: ManualClock;
let log: string[];
let errors: unknown[];
let loop: TurnLoop;

function newLoop(maxBulk = 100, endOfTurn: () => void = () => undefined): TurnLoop {
  return new TurnLoop(clock, {
    sliceMs: 5,
    maxBulk,
    endOfTurn: () => {
      log.push('|');
      endOfTurn();
    },
    onError: (error) => errors.push(error),
  });
}

/** Work that writes its name and takes its time. */
const work =
  (name: string, takesMs = 0) =>
  (): void => {
    log.push(name);
    clock.nowMs += takesMs;
  };

beforeEach(() => {
  clock = new ManualClock();
  log = [];
  errors = [];
  loop = newLoop();
});

describe('a turn', () => {
  it('begins later, not in the call that asked for it, and ends with one flush', () => {
    loop.bulk(work('a'));
    loop.bulk(work('b'));
    expect(log).toEqual([]);
    clock.settle();
    expect(log.join('')).toBe('ab|');
    expect(clock.turn(), 'an idle loop asks for nothing').toBe(false);
  });

  it('does Raft’s input first, whenever it came', () => {
    loop.bulk(work('bulk'));
    loop.raft(work('raft'));
    clock.settle();
    expect(log).toEqual(['raft', 'bulk', '|']);
  });

  it('does what a caller waits for before the bulk that came earlier', () => {
    loop.bulk(work('bulk'));
    loop.prompt(work('prompt'));
    clock.settle();
    expect(log).toEqual(['prompt', 'bulk', '|']);
  });

  it('leaves half of a slice to bulk work, however much callers want', () => {
    for (let n = 0; n < 20; n++) loop.prompt(work('p', 1));
    loop.bulk(work('b', 1));
    clock.turn();
    expect(log.join('')).toBe('pppbp|');
  });

  it('takes turns between the fleet and the data planes, and first come, first served in each', () => {
    for (const n of [1, 2, 3]) loop.bulk(work(`w${n}`), 'workers');
    for (const n of [1, 2]) loop.bulk(work(`d${n}`), 'data-planes');
    clock.settle();
    expect(log).toEqual(['w1', 'd1', 'w2', 'd2', 'w3', '|']);
  });

  it('gives the fleet as much time as the data planes, however long a piece of theirs takes', () => {
    for (let n = 0; n < 12; n++) loop.bulk(work('w', 1), 'workers');
    for (let n = 0; n < 3; n++) loop.bulk(work('d', 4), 'data-planes');
    clock.settle();
    expect(log.join('').replaceAll('|', '')).toBe('wdwwwwdwwwwdwww');
  });

  it('saves no time up for a source that had nothing to do', () => {
    for (let n = 0; n < 8; n++) loop.bulk(work('w', 1), 'workers');
    clock.settle();
    log = [];
    for (let n = 0; n < 3; n++) loop.bulk(work('w', 1), 'workers');
    for (let n = 0; n < 3; n++) loop.bulk(work('d', 1), 'data-planes');
    clock.settle();
    expect(log.join('').replaceAll('|', '')).toBe('wdwdwd');
  });

  it('does Raft’s input between two pieces of bulk work, also what Raft’s input brings about', () => {
    loop.bulk(() => {
      log.push('1');
      loop.raft(() => {
        log.push('r');
        loop.raft(work('s'));
      });
    });
    loop.bulk(work('2'));
    clock.settle();
    expect(log.filter((one) => one !== '|').join('')).toBe('1rs2');
  });

  it('stops bulk work after its slice, and goes on in the next: Raft never waits longer than slice and piece', () => {
    for (const name of ['1', '2', '3', '4', '5']) loop.bulk(work(name, 2));
    clock.turn();
    expect(log.join('')).toBe('123|');
    loop.raft(work('r'));
    clock.turn();
    expect(log.join('')).toBe('123|r45|');
    expect(clock.turn()).toBe(false);
  });

  it('goes on at least one piece at a time, however long each takes', () => {
    for (const name of ['1', '2', '3']) loop.bulk(work(name, 50));
    clock.settle();
    expect(log.join('')).toBe('1|2|3|');
  });

  it('runs again for what its own flush produced', () => {
    let left = 2;
    loop = newLoop(100, () => {
      if (left-- > 0) loop.raft(work(`r${left}`));
    });
    loop.bulk(work('a'));
    clock.settle();
    expect(log.join(' ')).toBe('a | r1 | r0 |');
  });
});

describe('too much work', () => {
  it('is refused, counted, and never Raft’s', () => {
    loop = newLoop(2);
    expect([loop.bulk(work('1')), loop.bulk(work('2')), loop.bulk(work('3'))]).toEqual([true, true, false]);
    for (let i = 0; i < 10; i++) loop.raft(work('r'));
    expect(loop.refused).toBe(1);
    clock.settle();
    expect(log.join('')).toBe('rrrrrrrrrr12|');
    expect(loop.bulk(work('4')), 'there is room again').toBe(true);
  });

  it('counts what waits, not what was done in earlier slices', () => {
    loop = newLoop(3);
    for (const name of ['1', '2', '3']) loop.bulk(work(name, 5));
    clock.turn();
    expect(loop.bulk(work('4', 5))).toBe(true);
    expect(loop.bulk(work('5', 5))).toBe(false);
    clock.settle();
    expect(log.join('')).toBe('1|2|3|4|');
  });
});

describe('trouble', () => {
  it('of one piece is told and does not stop the others, nor the flush', () => {
    const failure = new Error('bad message');
    const fail = (): void => {
      throw failure;
    };
    loop.raft(fail);
    loop.raft(work('r'));
    loop.bulk(fail);
    loop.bulk(work('b'));
    clock.settle();
    expect(log.join('')).toBe('rb|');
    expect(errors).toEqual([failure, failure]);
  });

  it('of the flush is told, and the loop goes on', () => {
    loop = newLoop(100, () => {
      throw new Error('flush');
    });
    loop.bulk(work('a'));
    clock.settle();
    loop.bulk(work('b'));
    clock.settle();
    expect(log.join('')).toBe('a|b|');
    expect(errors).toHaveLength(2);
  });
});

describe('stopping', () => {
  it('drops what waits, and nothing runs any more', () => {
    loop.bulk(work('a'));
    loop.raft(work('r'));
    loop.stop();
    loop.raft(work('late'));
    clock.settle();
    expect(log).toEqual([]);
  });

  it('in the middle of a turn ends it with that piece', () => {
    loop.bulk(() => {
      log.push('1');
      loop.stop();
    });
    loop.bulk(work('2'));
    clock.settle();
    expect(log.join('')).toBe('1|');
  });
});
