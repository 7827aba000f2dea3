/** LIN over a whole history, function by function, with a picture of each one that no single copy could have produced. */
import { checkLinearizable } from '../verifiers/linearizability.ts';
import { label, registryModel } from '../verifiers/registry-model.ts';
import { timelineSvg } from '../verifiers/timeline.ts';
import type { History } from './history.ts';

/** A search that needs more says nothing, and the run does not count as shown. */
const MAX_EXPLORED = 400_000;

export interface LinVerdict {
  readonly kind: 'linearizable' | 'violation' | 'unknown';
  readonly functions: number;
  readonly operations: number;
  readonly violations: readonly { readonly name: string; readonly what: string; readonly svg: string }[];
  /** Functions whose search was given up. */
  readonly undecided: readonly string[];
}

export function checkHistory(history: History, title: string): LinVerdict {
  const violations: { name: string; what: string; svg: string }[] = [];
  const undecided: string[] = [];
  let functions = 0;
  for (const [name, operations] of history.entries()) {
    functions++;
    const verdict = checkLinearizable(operations, registryModel, MAX_EXPLORED);
    if (verdict.kind === 'unknown') undecided.push(name);
    if (verdict.kind !== 'violation') continue;
    const [stuck] = verdict.stuck;
    const what = `${name}: no single copy fits its ${operations.length} operations${stuck === undefined ? '' : `; "${label(stuck)}" follows nothing`}`;
    violations.push({ name, what, svg: timelineSvg(`${title}, ${name}`, operations, verdict, label) });
  }
  const kind = violations.length > 0 ? 'violation' : undecided.length > 0 ? 'unknown' : 'linearizable';
  return { kind, functions, operations: history.operations, violations, undecided };
}
