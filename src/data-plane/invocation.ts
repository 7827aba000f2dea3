/**
 * One request from its arrival to its last byte. Invariants:
 *
 *   V1  it is answered once, whatever happens;
 *   V2  it is sent again only if it provably never reached a sandbox, or is idempotent, has shown no byte and is paid for
 *       out of the function's retry budget;
 *   V3  its slot is given back once per attempt: by `done` when the exchange is over on the wire, or by going back to the
 *       queue.
 */
import { unreachable } from '../lib/assert.ts';
import type { Dispatcher } from '../core/dispatch/dispatcher.ts';
import type { RejectReason } from '../core/dispatch/effects.ts';
import type { EndpointState } from '../core/dispatch/endpoint.ts';
import type { Ticket } from '../core/dispatch/ticket.ts';
import type { FunctionRecord } from '../core/model/function.ts';
import type { FunctionOwner } from '../core/model/sandbox.ts';
import type { ByteSource } from '../ports/byte-stream.ts';
import type { HeaderList, InboundRequest } from '../ports/http-front.ts';
import type { Clock } from '../ports/system.ts';
import type { Exchange, Upstream, UpstreamFailure } from '../ports/upstream.ts';
import { respondError, type ErrorReason } from './answers.ts';
import { headerOf, requestHeaders, requestHeadersFromPeer, responseHeaders } from './headers.ts';
import type { DataPlaneMetrics } from './metrics.ts';
import { hopHeaders, type TablePosition } from './peer-hop.ts';

const MAX_ATTEMPTS = 16;
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE']);

export interface InvocationContext {
  readonly clock: Clock;
  readonly dispatcher: Dispatcher<Invocation>;
  readonly upstream: Upstream;
  readonly metrics: DataPlaneMetrics;
  readonly peerToken: string;
  readonly position: () => TablePosition;
  /** The current record of a function: it may have changed while the request waited. */
  readonly record: (uid: FunctionRecord['uid']) => FunctionRecord | undefined;
  /** Carries out what the dispatcher decided. */
  readonly run: () => void;
  readonly onRefused: (endpoint: EndpointState) => void;
  readonly logLeft: (callId: string, functionName: string) => void;
}

export interface InvocationOptions {
  readonly request: InboundRequest;
  readonly callId: string;
  readonly target: string;
  readonly record: FunctionRecord;
  readonly viaPeer: boolean;
  /**
   * Instead of an answer: the function was deleted while the request waited. Its name may be another function's by now, so that
   * this is no word about the name.
   */
  readonly onDeleted: () => void;
}

/** Knows whether anybody began to read it: then it cannot be sent again. */
class OnceBody implements ByteSource {
  readonly #source: ByteSource;
  started = false;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  start(sink: Parameters<ByteSource['start']>[0]): void {
    this.started = true;
    this.#source.start(sink);
  }

  resume(): void {
    this.#source.resume();
  }

  cancel(): void {
    this.#source.cancel();
  }
}

export class Invocation {
  readonly #context: InvocationContext;
  readonly #options: InvocationOptions;
  readonly #body: OnceBody | undefined;
  #ticket: Ticket<Invocation> | undefined;
  #exchange: Exchange | undefined;
  #attempts = 0;
  #dispatchedMs = 0;
  #answered = false;
  #left = false;

  constructor(context: InvocationContext, options: InvocationOptions) {
    this.#context = context;
    this.#options = options;
    this.#body = options.request.body === undefined ? undefined : new OnceBody(options.request.body);
  }

  /** @param queueMs how long it may wait for a slot */
  begin(queueMs: number, peerIsAhead: boolean): void {
    const { clock, dispatcher, run } = this.#context;
    const { record, viaPeer } = this.#options;
    const now = clock.now();
    const options = { deadlineMs: now + queueMs, viaPeer, peerIsAhead };
    this.#ticket = dispatcher.submit(record.uid, this, options, now);
    run();
  }

  /** The caller left, or its body stopped coming. */
  gone(how: 'left' | 'stalled'): void {
    const { clock, dispatcher, metrics, logLeft } = this.#context;
    if (this.#left) return;
    this.#left = true;
    if (!this.#answered && how === 'stalled') this.#fail('request-timeout');
    else if (!this.#answered) {
      this.#answered = true;
      metrics.requests.inc({ outcome: 'client-left' });
      logLeft(this.#options.callId, this.#options.record.spec.name);
    }
    if (this.#ticket !== undefined && dispatcher.cancel(this.#ticket, clock.now())) this.#context.run();
    else this.#exchange?.cancel();
  }

  // ---- what the dispatcher decided ----------------------------------------------------------------------------------

  reject(reason: RejectReason): void {
    switch (reason) {
      case 'queue-full':
      case 'no-capacity':
      case 'not-owner':
        return this.#fail(reason);
      case 'unknown-function':
        if (this.#answered) return;
        this.#answered = true;
        return this.#options.onDeleted();
      default:
        return unreachable(reason, 'rejection');
    }
  }

  dispatch(ticket: Ticket<Invocation>, endpoint: EndpointState): void {
    this.#ticket = ticket;
    const { request, callId, viaPeer, target } = this.#options;
    const { upstream, clock, metrics } = this.#context;
    const spec = (this.#context.record(ticket.uid) ?? this.#options.record).spec;
    this.#attempts++;
    this.#dispatchedMs = clock.now();
    metrics.queueSeconds.observe((this.#dispatchedMs - ticket.arrivedMs) / 1_000);
    const { remoteAddress, host } = request;
    const isHard = spec.containerConcurrency > 0;
    // V3: the attempt, not the request, owns the slot.
    const attempt = { slotTaken: true, again: false };
    this.#exchange = upstream.send(
      {
        address: endpoint.endpoint.address,
        method: request.method,
        target,
        headers: viaPeer
          ? requestHeadersFromPeer(request.headers)
          : requestHeaders(request.headers, { host: host === '' ? spec.name : host, callId, remoteAddress }),
        body: this.#body,
        contentLength: request.contentLength,
        headTimeoutMs: spec.timeoutMs,
        lingerMs: isHard ? spec.timeoutMs : 0,
      },
      {
        onResponse: (status, headers, body) => {
          this.#context.dispatcher.answered(ticket);
          this.#respond(status, headers, body, false);
        },
        onFailure: (failure) => this.#onFailure(failure, ticket, endpoint, attempt),
        onDone: (finished) => {
          if (!attempt.slotTaken) return;
          attempt.slotTaken = false;
          const { dispatcher, run } = this.#context;
          const now = this.#context.clock.now();
          // It may still be at it, and nobody will say when it is done.
          if (!finished && isHard) dispatcher.condemn(ticket, now);
          if (attempt.again && !this.#left) dispatcher.requeue(ticket, now);
          else dispatcher.done(ticket, now);
          run();
        },
      },
    );
    if (this.#left) this.#exchange.cancel();
  }

  forward(ticket: Ticket<Invocation>, owner: FunctionOwner): void {
    this.#ticket = ticket;
    const { request, callId, target, record } = this.#options;
    const { upstream, clock, metrics, peerToken, position, dispatcher, run } = this.#context;
    this.#attempts++;
    this.#dispatchedMs = clock.now();
    metrics.forwarded.inc();
    const queueMs = ticket.deadlineMs - this.#dispatchedMs;
    const { remoteAddress } = request;
    const host = request.host === '' ? record.spec.name : request.host;
    const attempt = { over: false };
    const comeBack = (): void => {
      attempt.over = true;
      dispatcher.forwardRefused(ticket, clock.now());
      run();
    };
    this.#exchange = upstream.send(
      {
        address: `tcp:${owner.peer}`,
        method: request.method,
        target,
        headers: [
          ...requestHeaders(request.headers, { host, callId, remoteAddress }),
          ...hopHeaders({ uid: ticket.uid, queueMs, position: position() }, peerToken),
        ],
        body: this.#body,
        contentLength: request.contentLength,
        // The owner's own limits answer first.
        headTimeoutMs: queueMs + record.spec.timeoutMs + 1_000,
        lingerMs: 0,
      },
      {
        onResponse: (status, headers, body) => {
          const isNotOwner = status === 421 && headerOf(headers, 'x-baton-error') === 'not-owner';
          if (!isNotOwner || this.#left || this.#body?.started === true || this.#attempts >= MAX_ATTEMPTS)
            return this.#respond(status, headers, body, true);
          body.cancel();
          comeBack();
        },
        onFailure: (failure) => {
          if ((failure === 'refused' || failure === 'unsent') && !this.#left && this.#attempts < MAX_ATTEMPTS)
            return comeBack();
          this.#fail(failure === 'timeout' ? 'function-timeout' : 'sandbox-crashed');
        },
        onDone: () => {
          if (attempt.over) return;
          attempt.over = true;
          dispatcher.done(ticket, clock.now());
          run();
        },
      },
    );
    if (this.#left) this.#exchange.cancel();
  }

  // ---- what the sandbox did -----------------------------------------------------------------------------------------

  #onFailure(
    failure: UpstreamFailure,
    ticket: Ticket<Invocation>,
    endpoint: EndpointState,
    attempt: { slotTaken: boolean; again: boolean },
  ): void {
    const { dispatcher, clock, metrics, run, onRefused } = this.#context;
    switch (failure) {
      case 'refused':
      case 'unsent': {
        if (failure === 'refused') onRefused(endpoint);
        // What could not be sent is this data plane's own trouble: out of descriptors, say.
        if (this.#left || this.#attempts >= MAX_ATTEMPTS)
          return this.#fail(failure === 'unsent' ? 'no-capacity' : 'sandbox-crashed');
        metrics.retries.inc({ cause: failure });
        attempt.slotTaken = false;
        if (failure === 'refused') dispatcher.refused(ticket, clock.now());
        else dispatcher.requeue(ticket, clock.now());
        return run();
      }
      case 'lost':
        if (this.#mayRepeat() && dispatcher.mayRetry(ticket.uid)) {
          metrics.retries.inc({ cause: failure });
          attempt.again = true;
          return;
        }
        return this.#fail('sandbox-crashed');
      case 'timeout':
        return this.#fail('function-timeout');
      case 'protocol':
        return this.#fail('bad-response');
      default:
        return unreachable(failure, 'upstream failure');
    }
  }

  /** V2, for a request that a sandbox may have seen. */
  #mayRepeat(): boolean {
    const { method } = this.#options.request;
    return (
      !this.#left && this.#attempts < MAX_ATTEMPTS && IDEMPOTENT.has(method) && this.#body?.started !== true
    );
  }

  #respond(status: number, headers: HeaderList, body: ByteSource, fromPeer: boolean): void {
    if (this.#answered) {
      body.cancel();
      return;
    }
    this.#answered = true;
    const { metrics, clock } = this.#context;
    const { request, callId } = this.#options;
    metrics.requests.inc({ outcome: (fromPeer ? headerOf(headers, 'x-baton-error') : undefined) ?? 'ok' });
    metrics.headSeconds.observe((clock.now() - this.#dispatchedMs) / 1_000);
    request.respond(status, responseHeaders(headers, callId, fromPeer), body);
  }

  #fail(reason: ErrorReason): void {
    if (this.#answered) return;
    this.#answered = true;
    this.#context.metrics.requests.inc({ outcome: reason });
    respondError(this.#options.request, this.#options.callId, reason);
  }
}
