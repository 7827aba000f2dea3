/** A replica killed with -9, and started again. */
import type { Stage } from '../stage.ts';
import { pause } from '../until.ts';

/** @returns what shows that it happened: another process has its place */
export async function killAndRestart(stage: Stage, id: string, downMs: number): Promise<string> {
  const before = await stage.kill(id);
  await pause(downMs, stage.signal);
  const { pid } = await stage.start(id);
  if (pid === before) throw new Error(`${id}: pid ${pid} before and after the kill`);
  return `pid ${before} gone, ${pid} in its place`;
}
