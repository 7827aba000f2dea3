/**
 * The disk fills under a leader. It must stop at the refused write, and another must lead; on the full disk it must not come
 * back; once there is space it must, with the log that it had.
 */
import { BatonError } from '../../src/lib/errors.ts';
import type { Stage } from '../stage.ts';
import { until } from '../until.ts';
import { smallSpace } from './space.ts';

const STEP_DOWN_TIMEOUT_MS = 30_000;
const LEAD_TIMEOUT_MS = 20_000;
const REJOIN_TIMEOUT_MS = 30_000;

/** @returns what shows that it happened */
export async function fillDisk(stage: Stage, id: string): Promise<string> {
  await stage.kill(id);
  const space = await smallSpace(stage.replica(id), stage.signal);
  try {
    const pid = await stage.start(id, space.wrap);
    await untilLeads(stage, id);
    const mark = stage.logMark(id);
    stage.expectEnd(id);
    const filled = space.fill(pid);
    await stage.untilGone(id, STEP_DOWN_TIMEOUT_MS);
    demandLog(stage, id, mark, space.error);
    const successor = await until('another leader', LEAD_TIMEOUT_MS, stage.signal, () => stage.leader());

    const again = stage.logMark(id);
    stage.launch(id, space.wrap);
    stage.expectEnd(id);
    await stage.untilGone(id, STEP_DOWN_TIMEOUT_MS);
    demandLog(stage, id, again, space.error);

    space.free();
    const freed = stage.logMark(id);
    await stage.start(id, space.wrap);
    await until(`${id} votes again`, REJOIN_TIMEOUT_MS, stage.signal, async () => {
      return (await stage.status(id))?.voter === true;
    });
    if (stage.logSince(id, freed).includes('without a vote'))
      throw new BatonError('damaged', `${id}: the full disk damaged its log: ${stage.logEnd(id)}`);
    await stage.kill(id);
    space.settle();
    await stage.start(id);
    return `${space.error} twice with ${filled}; ${successor.id} led instead`;
  } finally {
    space.close();
  }
}

async function untilLeads(stage: Stage, id: string): Promise<void> {
  await until(`${id} leads`, LEAD_TIMEOUT_MS, stage.signal, async () => {
    const leader = await stage.leader();
    if (leader?.id === id) return true;
    const { client } = stage.replica(leader?.id ?? id);
    await client.call('transferLeadership', { to: id }, 2_000).catch(() => undefined);
    return false;
  });
}

function demandLog(stage: Stage, id: string, mark: number, text: string): void {
  if (stage.logSince(id, mark).includes(text)) return;
  throw new BatonError('io', `${id} ended, but not by a refused write: ${stage.logEnd(id)}`);
}
