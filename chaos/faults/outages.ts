/**
 * Processes killed or stopped under traffic, and back again. Each is one fault of a play: it shows that it happened, waits for
 * what must follow, and repairs.
 */
import type { Prng } from '../../src/lib/prng.ts';
import type { Play } from '../play.ts';
import type { StageDataPlane } from '../stage.ts';
import { pause, until } from '../until.ts';
import { tableOf } from '../views.ts';

/** For what must follow; how fast it is, is measured elsewhere. */
const FOLLOW_TIMEOUT_MS = 30_000;
const DOWN_MS = { least: 300, spread: 1_500 } as const;
/** Longer than two elections: the woken process is deposed and does not know. */
const STOPPED_MS = { least: 700, spread: 2_300 } as const;

const drawn = (random: Prng, { least, spread }: { least: number; spread: number }): number =>
  least + random.below(spread);

const pick = <T>(random: Prng, list: readonly T[]): T | undefined => list[random.below(list.length)];

/** kill -9 of whoever leads; another one leads before it is back. */
export async function killLeader(play: Play, random: Prng): Promise<void> {
  const { stage, chronicle } = play;
  const { id, term } = chronicle.leader;
  await play.fault('leader-kill', id, async () => {
    const [pid] = await stage.kill(id);
    const next = await play.untilLeaderAfter(term, FOLLOW_TIMEOUT_MS);
    await pause(drawn(random, DOWN_MS), stage.signal);
    const again = await stage.start(id);
    return `pid ${pid} gone, ${next.id} leads term ${next.term}, ${again} in its place`;
  });
  await stage.untilWhole(FOLLOW_TIMEOUT_MS);
}

/** SIGSTOP of whoever leads, for longer than two elections; woken, it must step down at once. */
export async function suspendLeader(play: Play, random: Prng): Promise<void> {
  const { stage, chronicle } = play;
  const { id, term } = chronicle.leader;
  await play.fault('leader-pause', id, async () => {
    const pid = await stage.suspend(id);
    const next = await play.untilLeaderAfter(term, FOLLOW_TIMEOUT_MS);
    await pause(drawn(random, STOPPED_MS), stage.signal);
    await stage.wake(id);
    await until(`${id} follows`, FOLLOW_TIMEOUT_MS, stage.signal, async () => {
      const status = await stage.status(id);
      return (
        status !== undefined &&
        status.term >= next.term &&
        (status.term > next.term || status.role !== 'leader')
      );
    });
    return `pid ${pid} stopped in term ${term}, woken in term ${next.term} of ${next.id}`;
  });
  await stage.untilWhole(FOLLOW_TIMEOUT_MS);
}

/** kill -9 of NATS servers, started again after a while. */
export async function killNats(play: Play, ids: readonly string[], random: Prng): Promise<void> {
  const { stage } = play;
  await play.fault('nats-kill', ids.join(', '), async () => {
    const pids = await stage.kill(...ids);
    await pause(drawn(random, STOPPED_MS), stage.signal);
    const again = await Promise.all(ids.map((id) => stage.start(id)));
    return `pids ${pids.join(', ')} gone, ${again.join(', ')} in their place`;
  });
  await stage.untilServing();
}

/** SIGSTOP of NATS servers: connections stay open, and what was sent meanwhile arrives late. */
export async function suspendNats(play: Play, ids: readonly string[], random: Prng): Promise<void> {
  const { stage } = play;
  await play.fault('nats-pause', ids.join(', '), async () => {
    const pids = await Promise.all(ids.map((id) => stage.suspend(id)));
    const stoppedMs = drawn(random, STOPPED_MS);
    await pause(stoppedMs, stage.signal);
    await Promise.all(ids.map((id) => stage.wake(id)));
    return `pids ${pids.join(', ')} stopped for ${stoppedMs} ms`;
  });
  await stage.untilServing();
}

/** kill -9 of a data plane: what it had in hand fails, and nothing else. */
export async function killDataPlane(play: Play, random: Prng): Promise<void> {
  const { stage } = play;
  const id = pick(random, stage.ids('data-plane')) ?? '';
  await play.fault('data-plane-kill', id, async () => {
    const [pid] = await stage.kill(id);
    await pause(drawn(random, DOWN_MS), stage.signal);
    return `pid ${pid} gone, ${await stage.start(id)} in its place`;
  });
}

/** kill -9 of a worker that has sandboxes: no data plane keeps their endpoints. */
export async function killWorker(play: Play, random: Prng): Promise<void> {
  const { stage, observer } = play;
  observer.read();
  const busy = [...observer.workers].filter(([, { ready }]) => ready.length > 0);
  const [id, record] = pick(random, busy) ?? [];
  if (id === undefined || record === undefined) throw new Error('no worker has anything to lose');
  await play.fault('worker-kill', id, async () => {
    const lost = new Set(record.ready.map((sandbox) => sandbox.id));
    const [pid] = await stage.kill(id);
    await untilWithdrawn(play, lost);
    return `pid ${pid} gone with ${lost.size} sandboxes, ${await stage.start(id)} in its place`;
  });
  await stage.untilServing();
}

/** @returns when the last data plane was seen without them, by the play's chronicle */
export async function untilWithdrawn(
  { stage, chronicle }: Play,
  sandboxes: ReadonlySet<string>,
  from: readonly StageDataPlane[] = stage.dataPlanes,
): Promise<number> {
  await until(
    'endpoints of the dead gone from every data plane',
    FOLLOW_TIMEOUT_MS,
    stage.signal,
    async () => {
      const tables = await Promise.all(from.map((dataPlane) => tableOf(stage, dataPlane)));
      return tables.every(
        (table) => table?.endpoints.every(({ sandbox }) => !sandboxes.has(sandbox)) === true,
      );
    },
  );
  return chronicle.now();
}

/** kill -9 of one sandbox: its worker says so, and no data plane keeps its endpoint. */
export async function crashSandbox(play: Play, random: Prng): Promise<void> {
  const { stage, observer } = play;
  observer.read();
  const warm = [...observer.workers.values()]
    .flatMap((worker) => worker.ready.map((sandbox) => ({ worker, sandbox })))
    .filter(({ sandbox }) => play.warmFunctions.includes(sandbox.function));
  const victim = pick(random, warm);
  if (victim === undefined) throw new Error('no sandbox serves');
  const { worker, sandbox } = victim;
  await play.fault('sandbox-crash', sandbox.id, async () => {
    process.kill(sandbox.pid, 'SIGKILL');
    const reason = await until(`the end of ${sandbox.id}`, FOLLOW_TIMEOUT_MS, stage.signal, () => {
      observer.read();
      return worker.ends.find(({ id }) => id === sandbox.id)?.reason;
    });
    await untilWithdrawn(play, new Set([sandbox.id]));
    return `pid ${sandbox.pid} of ${sandbox.function}: ${reason}`;
  });
}

/** SIGTERM, and started again when it has ended by itself. */
export async function restart(play: Play, id: string): Promise<void> {
  const { stage } = play;
  await play.fault('restart', id, async () => {
    const pid = await stage.stop(id);
    return `pid ${pid} ended, ${await stage.start(id)} in its place`;
  });
  await stage.untilServing();
}
