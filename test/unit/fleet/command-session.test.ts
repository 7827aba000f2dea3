/** The leader's end of the commands to one life of one worker (R3). */
import { beforeEach, describe, expect, it } from 'vitest';
import { CommandSession } from '../../../src/core/fleet/command-session.ts';
import type { WorkerCommand } from '../../../src/core/model/command.ts';
import { sandboxId } from '../../../src/lib/ids.ts';
import { limits } from '../../../src/lib/limits.ts';
import { record } from '../dispatch/fixtures.ts';

const FENCE = { epoch: 1, term: 3 };
const LIFE = { ms: 5, nonce: 6 };
const kill = (n: number): WorkerCommand => ({ kind: 'kill', sandbox: sandboxId(`s-${n}`) });

let session: CommandSession;
beforeEach(() => {
  session = new CommandSession(FENCE, LIFE);
});

const sent = (nowMs: number): number[] => session.take(nowMs).map(({ seq }) => seq);

describe('commands', () => {
  it('are numbered from 1 in the order in which they were given, under one fence, for one life', () => {
    expect([session.submit(kill(1)), session.submit(kill(2))]).toEqual([1, 2]);
    expect(session.take(0)).toEqual([
      { fence: FENCE, incarnation: LIFE, seq: 1, command: kill(1) },
      { fence: FENCE, incarnation: LIFE, seq: 2, command: kill(2) },
    ]);
    expect(sent(1), 'once, until their time has come again').toEqual([]);
    expect(session.submit(kill(3))).toBe(3);
    expect(sent(1), 'a new one goes at once').toEqual([3]);
  });

  it('are sent again until they are acknowledged, all of them, at growing intervals', () => {
    session.submit(kill(1));
    session.submit(kill(2));
    const at: number[] = [];
    for (let nowMs = 0; nowMs <= 8_000; nowMs += 10) if (sent(nowMs).length > 0) at.push(nowMs);
    expect(at).toEqual([0, 150, 450, 1_050, 2_250, 4_250, 6_250]);
    session.acknowledge(1);
    expect(sent(8_010)).toEqual([]);
    expect(sent(8_160), 'what is left').toEqual([2]);
  });

  it('begin with short intervals again when the worker is heard', () => {
    for (const n of [1, 2, 3]) session.submit(kill(n));
    for (let nowMs = 0; nowMs <= 5_000; nowMs += 50) session.take(nowMs);
    session.acknowledge(2);
    expect(sent(5_050)).toEqual([]);
    expect(session.nextDueMs).toBe(5_200);
    expect(sent(5_200)).toEqual([3]);
  });

  it('beyond the window wait for acknowledgements', () => {
    for (let n = 1; n <= limits.commandWindow + 10; n++) expect(session.submit(kill(n))).toBe(n);
    expect(sent(0)).toHaveLength(limits.commandWindow);
    expect(sent(1)).toEqual([]);
    session.acknowledge(4);
    const first = limits.commandWindow + 1;
    expect(sent(1)).toEqual([first, first + 1, first + 2, first + 3]);
    expect(session.waiting).toBe(limits.commandWindow + 6);
  });

  it('start nothing any more once their worker was given up, and keep their numbers', () => {
    const create: WorkerCommand = {
      kind: 'create',
      sandbox: sandboxId('s-2'),
      ...record(),
      trial: false,
      owner: undefined,
      artifactSources: [],
    };
    session.submit(kill(1));
    session.submit(create);
    session.take(0);
    session.submit({ ...create, sandbox: sandboxId('s-3') });
    session.giveUpCreates();
    expect(session.take(150).map(({ seq, command }) => [seq, command])).toEqual([
      [1, kill(1)],
      [2, kill(2)],
      [3, kill(3)],
    ]);
  });

  it('beyond the backlog are refused and not numbered', () => {
    for (let n = 1; n <= limits.commandBacklog; n++) session.submit(kill(n));
    expect(session.submit(kill(0))).toBe(0);
    expect(session.waiting).toBe(limits.commandBacklog);
    session.take(0);
    expect(session.submit(kill(0)), 'what left for the window made room').toBe(limits.commandBacklog + 1);
  });
});

describe('an acknowledgement', () => {
  it('that comes late or twice says nothing', () => {
    for (const n of [1, 2]) session.submit(kill(n));
    session.take(0);
    session.acknowledge(2);
    session.acknowledge(1);
    session.acknowledge(0);
    expect([session.waiting, session.nextDueMs]).toEqual([0, Number.POSITIVE_INFINITY]);
    expect(sent(1e9)).toEqual([]);
  });

  it('of what was never sent belongs to another session, and is a programmer’s error here', () => {
    session.submit(kill(1));
    expect([session.hasSent(0), session.hasSent(1)], 'waiting is not sent').toEqual([true, false]);
    session.take(0);
    expect([session.hasSent(1), session.hasSent(2)]).toEqual([true, false]);
    expect(() => session.acknowledge(2)).toThrow('which was never sent');
  });
});
