/** A replica killed with -9, and started again. */
import type { Stage } from '../stage.ts';
import { pause } from '../until.ts';

export interface Kill {
  readonly downMs: number;
  /** Killed once more this long after its start, in the middle of its recovery; undefined: not. */
  readonly againAfterMs: number | undefined;
}

/** @returns what shows that it happened: another process has its place */
export async function killAndRestart(
  stage: Stage,
  id: string,
  { downMs, againAfterMs }: Kill,
): Promise<string> {
  const gone = await stage.kill(id);
  await pause(downMs, stage.signal);
  if (againAfterMs !== undefined) {
    stage.launch(id);
    await pause(againAfterMs, stage.signal);
    gone.push(...(await stage.kill(id)));
  }
  const pid = await stage.start(id);
  if (gone.includes(pid)) throw new Error(`${id}: pid ${pid} before and after the kill`);
  return `pid ${gone.join(' and ')} gone, ${pid} in its place`;
}
