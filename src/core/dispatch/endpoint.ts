/** One sandbox as a data plane counts it. Only the dispatcher writes to it. */
import type { Endpoint } from '../model/sandbox.ts';

/**
 * `serving` takes requests while its generation is the current one. `withdrawing` takes none and is counted down.
 * `refused` refused a connection and is tried again after a while. `condemned` is never tried again: it holds a slot that
 * nobody can give back, and being withdrawn and published once more does not change that.
 */
export type EndpointPhase = 'serving' | 'withdrawing' | 'refused' | 'condemned';

export class EndpointState {
  endpoint: Endpoint;
  phase: EndpointPhase = 'serving';
  inFlight = 0;
  /** A hard limit holds here: no other data plane dispatches to it (O1 of core/leader/ownership.ts). */
  isOwn = false;
  /** Requests it takes at once; infinite without a hard limit. */
  slots: number = Number.POSITIVE_INFINITY;
  /** Its place among the function's ready endpoints, and among those with a free slot; -1 for none. */
  readyIndex = -1;
  freeIndex = -1;
  condemned = false;
  retryAtMs = 0;
  backoffMs = 0;

  constructor(endpoint: Endpoint) {
    this.endpoint = endpoint;
  }
}
