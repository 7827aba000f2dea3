/** Processes at the edge stopped for a while: shorter than anybody would notice, or longer than leases and suspicion. */
import type { Prng } from '../../src/lib/prng.ts';
import type { Play } from '../play.ts';
import { pause } from '../until.ts';

const STOPPED_MS = { least: 300, spread: 4_500 } as const;

/** SIGSTOP of a data plane or a worker, and woken. Callers of a stopped data plane wait. */
export async function suspendMember(play: Play, id: string, random: Prng): Promise<void> {
  const { stage } = play;
  const kind = stage.ids('worker').includes(id) ? 'worker-pause' : 'data-plane-pause';
  await play.fault(kind, id, async () => {
    const pid = await stage.suspend(id);
    const stoppedMs = STOPPED_MS.least + random.below(STOPPED_MS.spread);
    await pause(stoppedMs, stage.signal);
    await stage.wake(id);
    return `pid ${pid} stopped for ${stoppedMs} ms`;
  });
  await stage.untilServing();
}
