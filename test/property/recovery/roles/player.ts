/** A process of its own that plays histories by the roles, as its parent sends them (players.ts), until one breaks a promise. */
import type { History } from '../histories.ts';
import { messageOf } from '../run.ts';
import type { FromPlayer, ToPlayer } from './players.ts';
import { playByRoles, roleCounterexample } from './role-run.ts';

const tell = (message: FromPlayer): Promise<void> =>
  new Promise((resolve) => void process.send?.(message, undefined, undefined, () => resolve()));
const orphaned = (): void => process.exit(1);
process.on('disconnect', orphaned);

async function perform(history: History): Promise<boolean> {
  const beganMs = performance.now();
  try {
    const played = await playByRoles(history);
    await tell({ kind: 'played', history, played, seconds: (performance.now() - beganMs) / 1_000 });
    return true;
  } catch (error) {
    const why = messageOf(error);
    process.stderr.write(`  the roles broke a promise: ${why}; the history is being shortened\n`);
    await tell({ kind: 'broken', counterexample: await roleCounterexample(history, why) });
    return false;
  }
}

let isWhole = Promise.resolve(true);
process.on('message', (message: ToPlayer) => {
  isWhole = isWhole.then((isSo) => {
    if (message.kind === 'history') return isSo && perform(message.history);
    process.off('disconnect', orphaned);
    process.disconnect();
    return isSo;
  });
});
