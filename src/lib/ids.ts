/**
 * Branded identifiers, and the one place that decides which names are allowed. Names become NATS subject tokens, host
 * labels, file names and path segments, so the alphabet is that of a DNS label: no `.`, `*`, `>`, space or CR/LF can
 * ever reach a subject.
 */
import { BatonError } from './errors.ts';

declare const brand: unique symbol;
type Branded<T, Name extends string> = T & { readonly [brand]: Name };

export type ClusterId = Branded<string, 'ClusterId'>;
export type ReplicaId = Branded<string, 'ReplicaId'>;
export type WorkerId = Branded<string, 'WorkerId'>;
export type DataPlaneId = Branded<string, 'DataPlaneId'>;
export type FunctionName = Branded<string, 'FunctionName'>;
/** The Raft index of the command that created the function. Names are reused, uids never. */
export type FunctionUid = Branded<number, 'FunctionUid'>;
export type SandboxId = Branded<string, 'SandboxId'>;
/** Lower-case hex SHA-256, 64 characters. */
export type Digest = Branded<string, 'Digest'>;

const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const DIGEST = /^[0-9a-f]{64}$/;

export function isLabel(text: string): boolean {
  return LABEL.test(text);
}

const KEY = /^[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?$/;
const VALUE = /^[A-Za-z0-9._-]{0,63}$/;

/** The name of a label that workers carry and functions select by, such as `disk` or `example.com/zone`. */
export const isLabelKey = (text: string): boolean => KEY.test(text);
export const isLabelValue = (text: string): boolean => VALUE.test(text);
export const LABEL_KEY_HINT =
  'use 1 to 63 of letters, digits, ".", "_", "/" and "-", beginning and ending with a letter or digit';
export const LABEL_VALUE_HINT = 'use up to 63 of letters, digits, ".", "_" and "-"';

/** @throws BatonError `invalid-argument` whose message names the field and says what is allowed. */
function label(text: string, path: string): string {
  if (!LABEL.test(text)) {
    throw new BatonError(
      'invalid-argument',
      `${path}: ${JSON.stringify(text.slice(0, 80))} is not a valid name`,
      {
        fields: { path },
        hint: 'use 1 to 63 of a-z, 0-9 and "-", beginning and ending with a letter or digit',
      },
    );
  }
  return text;
}

export const clusterId = (text: string, path = 'cluster'): ClusterId => label(text, path) as ClusterId;
export const replicaId = (text: string, path = 'replica'): ReplicaId => label(text, path) as ReplicaId;
export const workerId = (text: string, path = 'worker'): WorkerId => label(text, path) as WorkerId;
export const dataPlaneId = (text: string, path = 'dataPlane'): DataPlaneId =>
  label(text, path) as DataPlaneId;
export const functionName = (text: string, path = 'name'): FunctionName => label(text, path) as FunctionName;
export const sandboxId = (text: string, path = 'sandbox'): SandboxId => label(text, path) as SandboxId;
export const functionUid = (index: number): FunctionUid => index as FunctionUid;

export const isDigest = (text: string): text is Digest => DIGEST.test(text);

export function digest(text: string, path = 'digest'): Digest {
  if (!DIGEST.test(text)) {
    throw new BatonError('invalid-argument', `${path}: not a SHA-256 digest`, {
      fields: { path },
      hint: 'give 64 lower-case hexadecimal digits',
    });
  }
  return text as Digest;
}
