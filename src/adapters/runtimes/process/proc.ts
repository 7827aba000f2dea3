/** Finds processes by what their environment said when they were started (Linux; elsewhere there is nothing to find). */
import { readdirSync, readFileSync } from 'node:fs';

const MAX_ROUNDS = 10;
/** Processes looked at before other work gets its turn. */
const SLICE = 64;

/** Kills until a whole round finds nobody: those that were forked meanwhile are found by the next. */
export async function killWhere(
  isWanted: (variable: (name: string) => string | undefined) => boolean,
): Promise<void> {
  for (let round = 0; round < MAX_ROUNDS; round++) {
    let killed = 0;
    let looked = 0;
    for (const pid of listProcesses()) {
      if (++looked % SLICE === 0) await new Promise<void>((next) => setImmediate(next));
      const environment = environmentOf(pid);
      if (environment === '' || !isWanted((name) => valueIn(environment, name))) continue;
      try {
        process.kill(pid, 'SIGKILL');
        killed++;
      } catch {
        // It went by itself.
      }
    }
    if (killed === 0) return;
  }
}

/** argv of every process that may be looked at. */
export function commandLines(): (readonly string[])[] {
  return listProcesses().flatMap((pid) => {
    try {
      return [readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')];
    } catch {
      return [];
    }
  });
}

function listProcesses(): number[] {
  try {
    return readdirSync('/proc')
      .map(Number)
      .filter((pid) => Number.isInteger(pid) && pid !== process.pid);
  } catch {
    return [];
  }
}

/** NUL before each variable and at the end; empty for those that are gone, or not ours to look into. */
function environmentOf(pid: number): string {
  try {
    const text = readFileSync(`/proc/${pid}/environ`, 'latin1');
    return text === '' ? '' : `\0${text}`;
  } catch {
    return '';
  }
}

function valueIn(environment: string, name: string): string | undefined {
  const key = `\0${name}=`;
  const at = environment.indexOf(key);
  if (at === -1) return undefined;
  const end = environment.indexOf('\0', at + key.length);
  return environment.slice(at + key.length, end === -1 ? undefined : end);
}
