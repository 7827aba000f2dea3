import { describe, expect, it } from 'vitest';
import { rehearseWhenIdle } from '../../../src/bin/rehearsal/rehearsal.ts';
import { RehearsedCluster } from '../../../src/bin/rehearsal/rehearsed-cluster.ts';
import { EventQueue } from '../../../src/lib/event-queue.ts';
import type { Logger } from '../../../src/ports/system.ts';

function linesOf(): { readonly lines: string[]; readonly logger: Logger } {
  const lines: string[] = [];
  const say = (_fields: unknown, message: string): void => void lines.push(message);
  const logger: Logger = { debug: say, info: say, warn: say, error: say, child: () => logger };
  return { lines, logger };
}

describe('a rehearsal', () => {
  it('runs to its end beside other work, and never again', async () => {
    const { lines, logger } = linesOf();
    let turns = 0;
    const other = setInterval(() => turns++, 1);
    await rehearseWhenIdle({ isIdle: () => true, signal: new AbortController().signal, logger, restMs: 2 });
    clearInterval(other);
    expect(lines).toEqual(['rehearsed to lead']);
    expect(turns).toBeGreaterThan(20);
  });

  it('stops at its next turn when the replica does not follow any more, and begins anew when it does', async () => {
    const { lines, logger } = linesOf();
    const asked: boolean[] = [];
    const isIdle = (): boolean => {
      asked.push(asked.length !== 5);
      return asked.at(-1) === true;
    };
    await rehearseWhenIdle({ isIdle, signal: new AbortController().signal, logger, restMs: 2 });
    expect(asked.filter((idle) => !idle)).toHaveLength(1);
    expect(lines).toEqual(['rehearsed to lead']);
  });

  it('ends with its replica, without a word', async () => {
    const { lines, logger } = linesOf();
    const stopping = new AbortController();
    let asked = 0;
    const isIdle = (): boolean => {
      if (++asked === 5) stopping.abort();
      return true;
    };
    await rehearseWhenIdle({ isIdle, signal: stopping.signal, logger, restMs: 2 });
    expect({ asked, lines }).toEqual({ asked: 5, lines: [] });
  });

  it('that breaks costs a line in the log', async () => {
    const { lines, logger } = linesOf();
    const isIdle = (): boolean => {
      throw new Error('broken');
    };
    await rehearseWhenIdle({ isIdle, signal: new AbortController().signal, logger, restMs: 2 });
    expect(lines).toEqual(['the rehearsal failed; this replica leads unrehearsed']);
  });
});

describe('a rehearsed cluster', () => {
  /** Virtual milliseconds pass until `done`, every promise that is settled between two events. */
  async function until(queue: EventQueue, done: () => boolean): Promise<void> {
    const limitMs = queue.nowMs + 20_000;
    do await new Promise((resolve) => setImmediate(resolve));
    while (!done() && queue.runNext(limitMs));
    expect(done()).toBe(true);
  }

  it('serves cold starts under one leader, and under the next when that one is killed', async () => {
    const queue = new EventQueue();
    const fatal: Error[] = [];
    const cluster = new RehearsedCluster(queue, (error) => fatal.push(error));
    await until(queue, () => cluster.hasLeader);
    const registered = { isOver: false };
    void cluster.register(['a', 'b']).then(() => (registered.isOver = true));
    await until(queue, () => registered.isOver);
    const statuses: number[] = [];
    cluster.call('a', (status) => statuses.push(status));
    await until(queue, () => statuses.length === 1);
    cluster.killLeader();
    expect(cluster.hasLeader).toBe(false);
    cluster.call('b', (status) => statuses.push(status));
    await until(queue, () => statuses.length === 2);
    cluster.restartKilled();
    await until(queue, () => cluster.hasLeader);
    expect({ statuses, fatal }).toEqual({ statuses: [200, 200], fatal: [] });
  });
});
