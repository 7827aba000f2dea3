/** Which faults a failure needs: the schedule is cut down until none can be left out (Zeller's ddmin). */
import type { Fault, SimOptions } from './options.ts';
import { simulate } from './run.ts';

/** @param budget runs at most */
export async function shrink(
  options: SimOptions,
  budget: number,
  onRun: (left: number) => void,
): Promise<SimOptions> {
  let schedule = options.schedule;
  let chunks = 2;
  let runs = 0;
  const fails = async (candidate: readonly Fault[]): Promise<boolean> => {
    runs++;
    onRun(candidate.length);
    const { violations } = await simulate(options.seed, { ...options, schedule: candidate });
    return violations.some((violation) => !violation.includes('vacuous'));
  };
  while (schedule.length > 1 && runs < budget) {
    const size = Math.ceil(schedule.length / chunks);
    let reduced = false;
    for (let from = 0; from < schedule.length && runs < budget; from += size) {
      const without = [...schedule.slice(0, from), ...schedule.slice(from + size)];
      if (!(await fails(without))) continue;
      schedule = without;
      chunks = Math.max(2, chunks - 1);
      reduced = true;
      break;
    }
    if (reduced) continue;
    if (size === 1) break;
    chunks = Math.min(schedule.length, chunks * 2);
  }
  return { ...options, schedule };
}

export function tellSchedule({ schedule }: SimOptions): string[] {
  return schedule.map(
    ({ atMs, kind, salt }) => `${(atMs / 1_000).toFixed(3).padStart(9)}  ${kind} (${salt})`,
  );
}
