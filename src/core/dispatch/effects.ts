/** What the dispatcher wants done, in this order. */
import type { FunctionUid, SandboxId } from '../../lib/ids.ts';
import type { FunctionOwner, SandboxAddress } from '../model/sandbox.ts';
import type { EndpointState } from './endpoint.ts';
import type { Ticket } from './ticket.ts';

/**
 * `queue-full`: the bound of the queue. `no-capacity`: the deadline passed first. `unknown-function`: it was deleted.
 * `not-owner`: a peer sent it here, and another data plane owns the function.
 */
export type RejectReason = 'queue-full' | 'no-capacity' | 'unknown-function' | 'not-owner';

export type DispatchEffect<T> =
  /** Send it; the slot is taken until `done`, `requeue` or `refused` gives it back. */
  | { readonly kind: 'dispatch'; readonly ticket: Ticket<T>; readonly endpoint: EndpointState }
  /** Hand it to the data plane that owns the function; ends with `done` or `forwardRefused`. */
  | { readonly kind: 'forward'; readonly ticket: Ticket<T>; readonly owner: FunctionOwner }
  | { readonly kind: 'reject'; readonly ticket: Ticket<T>; readonly reason: RejectReason }
  /** The queue went from empty to not empty: the leader must hear of it. */
  | { readonly kind: 'demand'; readonly uid: FunctionUid }
  /** Nothing is in flight any more on an endpoint that is being withdrawn. */
  | { readonly kind: 'drained'; readonly sandbox: SandboxId }
  /** No request will go there again: its connections may be closed. */
  | { readonly kind: 'forget'; readonly address: SandboxAddress };
