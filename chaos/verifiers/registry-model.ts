/** One function of the registry as a single copy would keep it: what clients may see of puts, deletes and reads. */
import type { Model } from './linearizability.ts';

export type RegistryInput =
  | { readonly kind: 'put'; readonly version: string; readonly ifGeneration: number | undefined }
  | { readonly kind: 'delete' }
  | { readonly kind: 'get' };

export type RegistryOutput =
  | { readonly kind: 'put'; readonly uid: number; readonly generation: number }
  | { readonly kind: 'deleted'; readonly uid: number }
  | { readonly kind: 'conflict'; readonly generation: number }
  | { readonly kind: 'absent' }
  | { readonly kind: 'found'; readonly uid: number; readonly generation: number; readonly version: string };

/** `uid` 0: it exists, and nobody has learned its uid yet. */
export type RegistryState =
  | { readonly kind: 'absent' }
  | { readonly kind: 'present'; readonly uid: number; readonly generation: number; readonly version: string };

const ABSENT: RegistryState = { kind: 'absent' };

/** The uid of a function is known, or is learned now. */
function sameUid(known: number, told: number): number | undefined {
  if (known === 0) return told;
  return known === told ? known : undefined;
}

export const registryModel: Model<RegistryState, RegistryInput, RegistryOutput> = {
  initial: ABSENT,
  key: (state) => (state.kind === 'absent' ? '-' : `${state.uid}/${state.generation}/${state.version}`),
  step(state, input, output) {
    switch (input.kind) {
      case 'get':
        return get(state, output);
      case 'delete':
        return remove(state, output);
      case 'put':
        return put(state, input, output);
      default:
        return input satisfies never;
    }
  },
};

function get(state: RegistryState, output: RegistryOutput | undefined): RegistryState | undefined {
  if (output === undefined) return state;
  if (output.kind === 'absent') return state.kind === 'absent' ? state : undefined;
  if (output.kind !== 'found' || state.kind === 'absent') return undefined;
  const { uid, generation, version } = output;
  if (state.generation !== generation || state.version !== version) return undefined;
  const learned = sameUid(state.uid, uid);
  return learned === undefined ? undefined : { ...state, uid: learned };
}

function remove(state: RegistryState, output: RegistryOutput | undefined): RegistryState | undefined {
  if (output === undefined) return ABSENT;
  if (output.kind === 'absent') return state.kind === 'absent' ? state : undefined;
  if (output.kind !== 'deleted' || state.kind === 'absent') return undefined;
  return sameUid(state.uid, output.uid) === undefined ? undefined : ABSENT;
}

function put(
  state: RegistryState,
  input: Extract<RegistryInput, { kind: 'put' }>,
  output: RegistryOutput | undefined,
): RegistryState | undefined {
  const generation = state.kind === 'absent' ? 0 : state.generation;
  const isAllowed = input.ifGeneration === undefined || input.ifGeneration === generation;
  if (output === undefined) {
    if (!isAllowed) return state;
    const uid = state.kind === 'absent' ? 0 : state.uid;
    return { kind: 'present', uid, generation: generation + 1, version: input.version };
  }
  if (output.kind === 'conflict') return !isAllowed && output.generation === generation ? state : undefined;
  if (output.kind !== 'put' || !isAllowed || output.generation !== generation + 1) return undefined;
  const uid = state.kind === 'absent' ? output.uid : sameUid(state.uid, output.uid);
  return uid === undefined
    ? undefined
    : { kind: 'present', uid, generation: generation + 1, version: input.version };
}
