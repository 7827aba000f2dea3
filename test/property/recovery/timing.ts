/** Intervals of the model cluster, in ms of virtual time; those of production. */
export const SUSPICION_MS = 3_000;
export const LEASE_MS = 3_000;
export const ELECTION_TIMEOUT_MS = 300;
