import { describe, expect, it } from 'vitest';
import { DropCounter } from '../../../src/control-plane/drop-counter.ts';
import { AssertionError } from '../../../src/lib/assert.ts';
import { BatonError } from '../../../src/lib/errors.ts';
import type { Logger } from '../../../src/ports/system.ts';

function counter(): { drops: DropCounter; warnings: string[] } {
  const warnings: string[] = [];
  const ignore = (): void => undefined;
  const logger: Logger = {
    debug: ignore,
    info: ignore,
    warn: (_, text) => void warnings.push(text ?? ''),
    error: ignore,
    child: () => logger,
  };
  return { drops: new DropCounter(logger), warnings };
}

const malformed = (): never => {
  throw new BatonError('invalid-argument', 'no message');
};

describe('a message that cannot be worked on', () => {
  it('is dropped and counted by its kind; of each kind the first is logged', () => {
    const { drops, warnings } = counter();
    for (const kind of ['raft', 'raft', 'demand']) drops.guard(kind, 'r2', malformed);
    drops.guard('raft', 'r2', () => undefined);
    expect(drops.counts()).toEqual(
      new Map([
        ['raft', 2],
        ['demand', 1],
      ]),
    );
    expect(warnings).toHaveLength(2);
  });

  it('is no excuse for a broken invariant: that stops the replica', () => {
    const { drops } = counter();
    const broken = (): never => {
      throw new AssertionError('L3: entry 4 is committed (7)');
    };
    expect(() => drops.guard('raft', 'r2', broken)).toThrow(AssertionError);
    expect(drops.counts().size).toBe(0);
  });
});
