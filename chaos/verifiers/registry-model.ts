/**
 * One function of the registry as a single copy would keep it: what clients may see of puts, deletes and reads. Uids only rise: a
 * function that takes the name of a deleted one has a higher uid than every holder of that name before it.
 */
import type { Model, Operation } from './linearizability.ts';

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

export type RegistryOperation = Operation<RegistryInput, RegistryOutput>;

interface Absent {
  readonly kind: 'absent';
  /** The highest uid that was learned of earlier holders of the name; 0: none. */
  readonly pastUid: number;
}

interface Present {
  readonly kind: 'present';
  readonly pastUid: number;
  /** 0: nobody has learned it yet. */
  readonly uid: number;
  readonly generation: number;
  readonly version: string;
}

export type RegistryState = Absent | Present;

/** The uid is the one that is known, or is learned now and above those of the past. @returns undefined: it cannot be */
function sameUid({ pastUid, uid }: Present, told: number): number | undefined {
  if (uid !== 0) return uid === told ? told : undefined;
  return told > pastUid ? told : undefined;
}

function deleted({ pastUid }: RegistryState, uid: number): RegistryState {
  return { kind: 'absent', pastUid: Math.max(pastUid, uid) };
}

/** One generation further; from nothing, the first of a function whose uid nobody has learned yet. */
function written(state: RegistryState, version: string): Present {
  const { uid, generation } = state.kind === 'present' ? state : { uid: 0, generation: 0 };
  return { kind: 'present', pastUid: state.pastUid, uid, generation: generation + 1, version };
}

export const registryModel: Model<RegistryState, RegistryInput, RegistryOutput> = {
  initial: { kind: 'absent', pastUid: 0 },
  key: (state) =>
    state.kind === 'absent'
      ? `-${state.pastUid}`
      : `${state.pastUid}/${state.uid}/${state.generation}/${state.version}`,
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
  const learned = sameUid(state, uid);
  return learned === undefined ? undefined : { ...state, uid: learned };
}

function remove(state: RegistryState, output: RegistryOutput | undefined): RegistryState | undefined {
  if (output === undefined) return deleted(state, state.kind === 'absent' ? 0 : state.uid);
  if (output.kind === 'absent') return state.kind === 'absent' ? state : undefined;
  if (output.kind !== 'deleted' || state.kind === 'absent') return undefined;
  const learned = sameUid(state, output.uid);
  return learned === undefined ? undefined : deleted(state, learned);
}

function put(
  state: RegistryState,
  input: Extract<RegistryInput, { kind: 'put' }>,
  output: RegistryOutput | undefined,
): RegistryState | undefined {
  const generation = state.kind === 'absent' ? 0 : state.generation;
  const isAllowed = input.ifGeneration === undefined || input.ifGeneration === generation;
  if (output === undefined) return isAllowed ? written(state, input.version) : state;
  if (output.kind === 'conflict') return !isAllowed && output.generation === generation ? state : undefined;
  if (output.kind !== 'put' || !isAllowed || output.generation !== generation + 1) return undefined;
  const next = written(state, input.version);
  const learned = sameUid(next, output.uid);
  return learned === undefined ? undefined : { ...next, uid: learned };
}

/** One operation in a few words, for pictures and messages. */
export function label({ input, output }: RegistryOperation): string {
  const condition =
    input.kind !== 'put' || input.ifGeneration === undefined ? '' : ` if ${input.ifGeneration}`;
  const asked = input.kind === 'put' ? `put ${input.version}${condition}` : input.kind;
  switch (output?.kind) {
    case undefined:
      return `${asked} → ?`;
    case 'found':
      return `${asked} → ${output.version}, generation ${output.generation} of ${output.uid}`;
    case 'put':
      return `${asked} → generation ${output.generation} of ${output.uid}`;
    case 'conflict':
      return `${asked} → conflict, is ${output.generation}`;
    case 'deleted':
      return `${asked} → deleted ${output.uid}`;
    case 'absent':
      return `${asked} → absent`;
    default:
      return output satisfies never;
  }
}
