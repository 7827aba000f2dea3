/** Acknowledged registrations that are gone: counted from uids and generations, without a search. */
import { describe, expect, it } from 'vitest';
import { lostRegistrations, type FinalRead } from '../../../chaos/histories/lost.ts';
import type {
  RegistryInput,
  RegistryOperation,
  RegistryOutput,
} from '../../../chaos/verifiers/registry-model.ts';

const op = (input: RegistryInput, output: RegistryOutput | undefined): RegistryOperation => {
  const returnMs = output === undefined ? Number.POSITIVE_INFINITY : 1;
  return { client: 'a', callMs: 0, returnMs, input, output };
};
const put = (version: string, uid: number, generation: number): RegistryOperation =>
  op({ kind: 'put', version, ifGeneration: undefined }, { kind: 'put', uid, generation });
const remove = (uid: number): RegistryOperation => op({ kind: 'delete' }, { kind: 'deleted', uid });
const unknownDelete = op({ kind: 'delete' }, undefined);
const found = (version: string, uid: number, generation: number): FinalRead => ({
  kind: 'found',
  uid,
  generation,
  version,
});
const absent: FinalRead = { kind: 'absent' };

describe('nothing is lost', () => {
  it.each<[string, RegistryOperation[], FinalRead]>([
    ['when the last registration is there', [put('v1', 7, 1), put('v2', 7, 2)], found('v2', 7, 2)],
    ['when one of unknown outcome came after it', [put('v1', 7, 1)], found('v9', 7, 2)],
    ['when it was deleted', [put('v1', 7, 1), remove(7)], absent],
    [
      'when it was deleted and registered anew',
      [put('v1', 7, 1), remove(7), put('v2', 9, 1)],
      found('v2', 9, 1),
    ],
    ['when a delete may have happened', [put('v1', 7, 1), unknownDelete], absent],
  ])('%s', (_when, history, final) => {
    expect(lostRegistrations('f', history, final)).toEqual([]);
  });
});

describe('something is lost', () => {
  it.each<[string, RegistryOperation[], FinalRead]>([
    ['when it is absent', [put('v1', 7, 1)], absent],
    ['when an older generation is back', [put('v1', 7, 1), put('v2', 7, 2)], found('v1', 7, 1)],
    ['when its generation is another version', [put('v1', 7, 1)], found('v9', 7, 1)],
    ['when another uid has its place and nobody deleted it', [put('v1', 7, 1)], found('v1', 8, 1)],
    ['when another one was deleted', [put('v1', 7, 1), remove(6)], absent],
    ['when two were acknowledged as one', [put('v1', 7, 1), put('v2', 7, 1)], found('v1', 7, 1)],
  ])('%s', (_when, history, final) => {
    expect(lostRegistrations('f', history, final)).toHaveLength(1);
  });
});
