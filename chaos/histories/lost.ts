/**
 * Acknowledged registrations that are gone, counted without any search, so that the verdict does not hang on one checker. Uids
 * are never used again and generations only rise, so for a registration that was acknowledged as (uid, generation):
 *
 *   L1  nobody else was acknowledged the same (uid, generation);
 *   L2  at the end the function still has this uid, and a generation as high or higher, unless someone deleted this uid or a
 *       delete's outcome is unknown;
 *   L3  at the end, where the generation is the same, the version is.
 */
import { label, type RegistryOperation, type RegistryOutput } from '../verifiers/registry-model.ts';

export type FinalRead = Extract<RegistryOutput, { kind: 'found' | 'absent' }>;

/** @returns what is lost, in words */
export function lostRegistrations(
  name: string,
  history: readonly RegistryOperation[],
  final: FinalRead,
): string[] {
  const lost: string[] = [];
  const deletedUids = new Set<number>();
  let isDeleteUnknown = false;
  for (const { input, output } of history) {
    if (input.kind !== 'delete') continue;
    if (output === undefined) isDeleteUnknown = true;
    else if (output.kind === 'deleted') deletedUids.add(output.uid);
  }
  const owners = new Map<string, RegistryOperation>();
  for (const operation of history) {
    const { output } = operation;
    if (output?.kind !== 'put') continue;
    const key = `${output.uid}/${output.generation}`;
    const twin = owners.get(key);
    owners.set(key, operation);
    if (twin !== undefined) {
      lost.push(`${name}: ${label(operation)} and ${label(twin)} were both acknowledged`);
      continue;
    }
    if (deletedUids.has(output.uid) || isDeleteUnknown) continue;
    const isThere =
      final.kind === 'found' && final.uid === output.uid && final.generation >= output.generation;
    const isSame =
      isThere &&
      (final.generation > output.generation ||
        (operation.input.kind === 'put' && final.version === operation.input.version));
    if (!isSame) lost.push(`${name}: ${label(operation)} was acknowledged, and the end is ${tell(final)}`);
  }
  return lost;
}

function tell(final: FinalRead): string {
  return final.kind === 'absent'
    ? 'absent'
    : `${final.version}, generation ${final.generation} of ${final.uid}`;
}
