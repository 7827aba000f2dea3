/** One process per directory: a lock file that names its holder by pid and start time, so that a dead holder's is stale. */
import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { BatonError } from '../../lib/errors.ts';

/** Clock ticks since boot at which the process started (proc(5), field 22); empty where there is no such process. */
function startTime(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

/** @throws BatonError `io` that names the process which holds the directory */
export function lockDirectory(path: string): () => void {
  const mine = `${process.pid} ${startTime(process.pid)}`;
  for (let attempt = 0; ; attempt++) {
    try {
      const file = openSync(path, 'wx');
      writeSync(file, mine);
      closeSync(file);
      return () => rmSync(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || attempt > 3) {
        throw new BatonError('io', `cannot lock ${path}`, { cause: error });
      }
      const [pid = '', started = ''] = readFileSync(path, 'utf8').split(' ');
      const alive = started !== '' && startTime(Number(pid)) === started;
      if (alive) {
        throw new BatonError('io', `${path} is held by process ${pid}`, {
          hint: 'stop that process first; one directory belongs to one replica',
        });
      }
      rmSync(path, { force: true });
    }
  }
}
