/**
 * Core NATS as the roles see it: at most once, no order between subjects, nothing durable. A message published while the
 * connection is down is lost. Subjects are full subjects; wildcards are for subscriptions only.
 */
export interface BusMessage {
  readonly subject: string;
  readonly payload: Uint8Array;
  /** Where to publish an answer; empty when none is expected. */
  readonly reply: string;
}

export interface BusSubscription {
  unsubscribe(): void;
}

export interface BusStatus {
  readonly up: boolean;
  /** Monotonic ms since which the connection has been up; meaningless while it is down. */
  readonly upSinceMs: number;
  /** The id of the server we are connected to; empty while down. */
  readonly server: string;
}

export interface Bus {
  /** @throws AssertionError when the payload is over `limits.messageBytes` or the subject has a wildcard. */
  publish(subject: string, payload: Uint8Array, reply?: string): void;
  /** The handler runs synchronously, in arrival order; what it throws is logged and dropped. */
  subscribe(subject: string, handler: (message: BusMessage) => void): BusSubscription;
  /**
   * One answer. Rejects with BatonError `no-responders` (NATS said that nobody subscribes), `timeout` or `disconnected`.
   */
  request(subject: string, payload: Uint8Array, timeoutMs: number): Promise<BusMessage>;
  /** Everything published so far has been handed to the server. */
  flush(): Promise<void>;
  status(): BusStatus;
  onStatus(handler: (status: BusStatus) => void): BusSubscription;
  /** Advisories of the server about clients that went away, where the deployment grants them; otherwise never called. */
  onPeerDisconnect(handler: (user: string) => void): BusSubscription;
  close(): Promise<void>;
}
