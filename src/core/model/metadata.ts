/** The closed union of replicated commands, and their outcomes. */
import type { FunctionName, FunctionUid } from '../../lib/ids.ts';
import type { FunctionSpec } from './function.ts';

/**
 * `<base>-<nonce>`: base is a commit index that the client read from any replica; together they name one mutation, so
 * that a retry takes effect once.
 */
export interface RequestId {
  readonly base: number;
  readonly nonce: string;
}

export type MetadataCommand =
  /** A new leader's first entry: nothing is answered, placed, published or swept before it is applied. */
  | { readonly kind: 'no-op' }
  | {
      readonly kind: 'put-function';
      readonly requestId: RequestId;
      readonly spec: FunctionSpec;
      /** 0: must not exist. N: its generation must be N. Undefined: whatever is there. */
      readonly ifGeneration: number | undefined;
    }
  | {
      readonly kind: 'delete-function';
      readonly requestId: RequestId;
      readonly name: FunctionName;
      readonly ifGeneration: number | undefined;
    };

export type MetadataOutcome =
  | {
      readonly kind: 'put';
      readonly uid: FunctionUid;
      readonly generation: number;
      readonly specIndex: number;
    }
  | { readonly kind: 'deleted'; readonly uid: FunctionUid; readonly specIndex: number }
  | { readonly kind: 'not-found' }
  | { readonly kind: 'generation-mismatch'; readonly generation: number }
  | { readonly kind: 'too-many-functions' }
  | { readonly kind: 'request-expired' }
  | { readonly kind: 'request-id-reused' };
