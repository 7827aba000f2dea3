/**
 * The data-plane role: queue, throttle, load balancer and proxy of this process, fed by the leader's broadcasts and its own
 * table file. It needs neither a leader nor the bus for functions that are warm.
 */
import { Registry } from 'prom-client';
import { unreachable } from '../lib/assert.ts';
import { toHex } from '../lib/hex.ts';
import type { FunctionName } from '../lib/ids.ts';
import { Dispatcher, DISPATCHER_DEFAULTS } from '../core/dispatch/dispatcher.ts';
import type { Incarnation } from '../core/model/fence.ts';
import { limits } from '../lib/limits.ts';
import type { FunctionRecord } from '../core/model/function.ts';
import type { Endpoint } from '../core/model/sandbox.ts';
import type { InboundRequest } from '../ports/http-front.ts';
import type { Timer } from '../ports/system.ts';
import { subjects } from '../wire/subjects.ts';
import { AskFirst } from './ask-first.ts';
import { respondError, respondText, type ErrorReason } from './answers.ts';
import type { DataPlaneConfig, DataPlanePorts, ListenAddress } from './config.ts';
import { DemandSender } from './demand.ts';
import { callerCallId, prefersAsync } from './headers.ts';
import { Invocation, type InvocationContext } from './invocation.ts';
import { LeaderLink } from './leader-link.ts';
import { Life } from './life.ts';
import { Lookups, type LookupAnswer, type LookupWaiter } from './lookups.ts';
import { MalformedMessages } from './malformed.ts';
import { DataPlaneMetrics } from './metrics.ts';
import { hasPeerToken, isAhead, isHop, readHop } from './peer-hop.ts';
import { Reporter } from './reporter.ts';
import { route, type OwnPath } from './routing.ts';
import { tableView } from './table-view.ts';
import { Tables } from './tables.ts';

/** Enough for a report to be ahead of the question, on the same connection. */
const ASK_AFTER_REPORT_MS = 1;

export class DataPlane {
  readonly #config: DataPlaneConfig;
  readonly #ports: DataPlanePorts;
  readonly #life: Life;
  readonly #dispatcher: Dispatcher<Invocation>;
  readonly #link: LeaderLink;
  readonly #metrics: DataPlaneMetrics;
  readonly #tables: Tables;
  readonly #lookups: Lookups;
  readonly #demand: DemandSender;
  readonly #context: InvocationContext;
  readonly #askFirst: AskFirst;
  #askedAnew = false;
  #confirmed = false;
  #asking: Timer | undefined;
  #knowsRival = false;
  #reporter: Reporter | undefined;
  #running = false;
  #wake: Timer | undefined;
  #wakeMs = Number.POSITIVE_INFINITY;
  /** No longer ready: what comes on open connections is still served. */
  #stopping = false;
  #stopped = false;
  callerPort = 0;
  peerPort = 0;

  constructor(config: DataPlaneConfig, ports: DataPlanePorts) {
    const { clock, random, bus, logger } = ports;
    this.#config = config;
    this.#ports = ports;
    this.#life = new Life(config.id, clock.wall(), random.uint32());
    this.#askFirst = new AskFirst(clock, limits.queuePerFunction);
    const names = subjects(config.cluster);
    this.#link = new LeaderLink(bus, clock, names, config.id, config.leaderTimeoutMs);
    this.#dispatcher = new Dispatcher({
      ...DISPATCHER_DEFAULTS,
      random: random.fork('dispatch'),
      self: this.#life,
    });
    this.#metrics = new DataPlaneMetrics(ports.registry ?? new Registry(), this.#gauges());
    const malformed = new MalformedMessages(logger, this.#metrics.malformed);
    this.#tables = new Tables({
      clock,
      bus,
      subjects: names,
      link: this.#link,
      dispatcher: this.#dispatcher,
      file: ports.tableFile,
      saveDelayMs: config.saveDelayMs,
      metrics: this.#metrics,
      malformed,
      logger,
      onLeader: () => this.#onLeader(),
      onKnown: (record) => this.#lookups.onKnown(record),
      onHeard: (heard) => this.#onHeard(heard),
      onAllSpecs: () => this.#onAllSpecs(),
      onApplied: () => this.#reporter?.soon(),
      onEffects: () => this.#run(),
    });
    this.#lookups = new Lookups({
      clock,
      link: this.#link,
      specs: this.#tables.specs,
      metrics: this.#metrics,
      onUpdate: (update) => this.#tables.onSpecUpdate(update),
    });
    this.#demand = new DemandSender({
      clock,
      link: this.#link,
      life: this.#life,
      firstResendMs: config.demandFirstResendMs,
      maxResendMs: config.demandMaxResendMs,
      load: (uid) => this.#dispatcher.load(uid),
      onSent: () => this.#metrics.demands.inc(),
    });
    this.#context = this.#makeContext();
  }

  #gauges(): ConstructorParameters<typeof DataPlaneMetrics>[1] {
    return {
      inFlight: () => this.#dispatcher.totals().inFlight,
      queued: () => this.#dispatcher.totals().queued,
      endpoints: () => this.#tables.endpoints.size,
      unconfirmed: () => this.#tables.endpoints.unconfirmed,
      functions: () => this.#tables.specs.size,
      endpointSeq: () => this.#tables.endpoints.seq,
      specIndex: () => this.#tables.specs.specIndex,
      term: () => this.#link.fence.term,
      synced: () => this.#tables.synced,
    };
  }

  #makeContext(): InvocationContext {
    const { clock, upstream, logger } = this.#ports;
    return {
      clock,
      upstream,
      dispatcher: this.#dispatcher,
      metrics: this.#metrics,
      peerToken: this.#config.peerToken,
      position: () => ({ fence: this.#tables.endpoints.fence, seq: this.#tables.endpoints.seq }),
      record: (uid) => this.#tables.specs.get(uid),
      run: () => this.#run(),
      onRefused: ({ endpoint }) => {
        this.#tables.refuse(endpoint.sandbox);
        this.#reporter?.soon();
      },
      logLeft: (callId, name) => logger.debug({ callId, function: name, status: 499 }, 'the caller left'),
    };
  }

  /** Serves when it resolves: from the table file at first, if there is one. @throws BatonError `io` */
  async start(): Promise<void> {
    const { clock, bus, front, peerFront } = this.#ports;
    const { caller, peer, reportIntervalMs } = this.#config;
    await this.#tables.load();
    if (this.#tables.synced) this.#askFirst.begin(this.#config.askFirstMs);
    this.#run();
    this.callerPort = (await front.listen(caller, (request) => this.#onCaller(request))).port;
    this.peerPort = (await peerFront.listen(peer, (request) => this.#onPeer(request))).port;
    this.#reporter = new Reporter({
      clock,
      bus,
      link: this.#link,
      dispatcher: this.#dispatcher,
      endpoints: () => this.#tables.endpoints,
      specs: this.#tables.specs,
      life: this.#life,
      intervalMs: reportIntervalMs,
      caller: `http://${this.#reachable(caller, this.callerPort)}`,
      peer: this.#reachable(peer, this.peerPort),
    });
    this.#tables.start();
    this.#reporter.start();
  }

  /** A leader that waits for this life has said which functions there are; until then it may know no better than its file. */
  get isConfirmed(): boolean {
    return this.#confirmed;
  }

  get isReady(): boolean {
    return !this.#stopping && this.#tables.synced;
  }

  /** The endpoint table as it is here. */
  get endpoints(): readonly Endpoint[] {
    return this.#tables.endpoints.endpoints();
  }

  /** Lets what runs finish, for as long as the configuration says. */
  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    const { front, peerFront, upstream } = this.#ports;
    const { drainGraceMs } = this.#config;
    await Promise.all([front.close(drainGraceMs), peerFront.close(drainGraceMs)]);
    this.#stopped = true;
    this.#lookups.stop();
    this.#reporter?.stop();
    this.#demand.stop();
    this.#wake?.cancel();
    this.#asking?.cancel();
    await this.#tables.stop();
    await upstream.close();
  }

  #reachable(listen: ListenAddress, port: number): string {
    const host = this.#config.advertiseHost ?? listen.host;
    return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  }

  #onLeader(): void {
    const now = this.#ports.clock.now();
    const waiting = this.#dispatcher.loads(now, false).filter(({ queued }) => queued > 0);
    this.#demand.onLeader(waiting.map(({ uid }) => uid));
    this.#reporter?.onLeader();
    if (this.#askFirst.isAsking || !this.#life.isHeard) this.#askAnew(ASK_AFTER_REPORT_MS);
    this.#lookups.onLeader();
  }

  /** Behind the report: what the leader acknowledges from then on waits for this life, and what it did before is in its answer. */
  #askAnew(afterMs: number): void {
    this.#asking?.cancel();
    this.#asking = this.#ports.clock.after(afterMs, () => {
      this.#asking = undefined;
      this.#askedAnew = true;
      this.#tables.askForSpecs();
    });
  }

  #onHeard(heard: Incarnation | undefined): void {
    const { logger } = this.#ports;
    switch (this.#life.told(heard)) {
      case 'raised':
        logger.warn({}, 'the clock was set back since the last life of this id: taking a later one');
        this.#reporter?.onLeader();
        return this.#askAnew(ASK_AFTER_REPORT_MS);
      case 'rival':
        return this.#onRival();
      case 'heard':
      case 'unheard':
    }
  }

  /** Said once: it may go on for as long as both run. */
  #onRival(): void {
    if (this.#knowsRival) return;
    this.#knowsRival = true;
    this.#ports.logger.error({ id: this.#config.id }, 'another process claims the id of this data plane');
  }

  /** What was told counts only if the teller waits for us from then on. */
  #onAllSpecs(): void {
    if (!this.#askedAnew || this.#asking !== undefined) return;
    if (this.#life.isHeard) {
      this.#confirmed = true;
      return this.#askFirst.end();
    }
    this.#askAnew(this.#config.reportIntervalMs);
  }

  // ---- requests -----------------------------------------------------------------------------------------------------

  #onCaller(request: InboundRequest): void {
    const callId = callerCallId(request.headers) ?? this.#newCallId();
    const { specs } = this.#tables;
    const wanted = route(request.host, request.target, {
      domain: this.#config.domain,
      isKnown: (name) => specs.find(name) !== undefined,
    });
    switch (wanted.kind) {
      case 'own':
        return void this.#own(request, callId, wanted.path);
      case 'unsupported':
        return this.#refuse(request, callId, 'unsupported', `${wanted.what}: not there yet`);
      case 'no-route':
        return this.#refuse(request, callId, 'no-route');
      case 'unknown-function':
        return this.#refuse(
          request,
          callId,
          'unknown-function',
          `${JSON.stringify(wanted.name)} cannot be a function's name`,
        );
      case 'function':
        if (prefersAsync(request.headers))
          return this.#refuse(request, callId, 'unsupported', 'asynchronous invocation: not there yet');
        return this.#find(request, callId, wanted.name, wanted.target);
      default:
        return unreachable(wanted, 'route');
    }
  }

  #find(request: InboundRequest, callId: string, name: FunctionName, target: string): void {
    if (this.#askFirst.isAsking) return this.#findLater(request, callId, name, target);
    const known = this.#tables.specs.find(name);
    if (known !== undefined) return this.#invoke(request, callId, name, target, known);
    if (!this.#tables.synced && !this.#link.hasLeader) return this.#refuse(request, callId, 'not-synced');
    const { clock } = this.#ports;
    const waiter: LookupWaiter = {
      deadlineMs: clock.now() + this.#config.lookupTimeoutMs,
      gone: false,
      answer: (answer) => this.#onLookup(request, callId, name, target, answer),
    };
    request.onGone(() => {
      waiter.gone = true;
    });
    this.#lookups.ask(name, waiter);
  }

  #findLater(request: InboundRequest, callId: string, name: FunctionName, target: string): void {
    let isGone = false;
    request.onGone(() => {
      isGone = true;
    });
    const waits = this.#askFirst.wait(() => {
      if (!isGone) this.#find(request, callId, name, target);
    });
    if (!waits) this.#refuse(request, callId, 'queue-full', 'too many requests wait for a leader');
  }

  #onLookup(
    request: InboundRequest,
    callId: string,
    name: FunctionName,
    target: string,
    answer: LookupAnswer,
  ): void {
    switch (answer.kind) {
      case 'found':
        return this.#invoke(request, callId, name, target, answer.record);
      case 'unknown':
        return this.#refuse(request, callId, 'unknown-function', `there is no function ${name}`);
      case 'no-leader':
        return this.#refuse(request, callId, 'no-leader');
      case 'too-many':
        return this.#refuse(request, callId, 'queue-full', 'too many unknown names are being looked up');
      default:
        return unreachable(answer, 'lookup answer');
    }
  }

  #invoke(
    request: InboundRequest,
    callId: string,
    name: FunctionName,
    target: string,
    record: FunctionRecord,
  ): void {
    const onDeleted = (): void => this.#find(request, callId, name, target);
    const options = { request, callId, target, record, viaPeer: false, onDeleted };
    const invocation = new Invocation(this.#context, options);
    request.onGone((how) => invocation.gone(how));
    invocation.begin(record.spec.queueTimeoutMs, false);
  }

  /** From another data plane, for a function that this one should own; or from whoever looks at the tables. */
  #onPeer(request: InboundRequest): void {
    const callId = callerCallId(request.headers) ?? this.#newCallId();
    if (!isHop(request.headers) && request.target === '/tables') return this.#showTables(request, callId);
    const hop = readHop(request.headers, this.#config.peerToken);
    if (hop === undefined) return this.#refuse(request, callId, 'unauthorized');
    const record = this.#tables.specs.get(hop.uid);
    if (record === undefined) return this.#refuse(request, callId, 'not-owner');
    const { target } = request;
    const onDeleted = (): void => this.#refuse(request, callId, 'not-owner');
    const options = { request, callId, target, record, viaPeer: true, onDeleted };
    const invocation = new Invocation(this.#context, options);
    request.onGone((how) => invocation.gone(how));
    invocation.begin(hop.queueMs, isAhead(hop.position, this.#context.position()));
  }

  #showTables(request: InboundRequest, callId: string): void {
    if (!hasPeerToken(request.headers, this.#config.peerToken))
      return this.#refuse(request, callId, 'unauthorized');
    const view = tableView(this.#tables);
    respondText(request, callId, 200, 'application/json', `${JSON.stringify(view)}\n`);
  }

  async #own(request: InboundRequest, callId: string, path: OwnPath): Promise<void> {
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return this.#refuse(request, callId, 'no-route', `${path} answers GET`);
    switch (path) {
      case '/healthz':
        return respondText(request, callId, 200, 'text/plain', 'ok\n');
      case '/readyz': {
        const state = { ready: this.isReady, leader: this.#link.heardLately };
        const status = state.ready ? 200 : 503;
        return respondText(request, callId, status, 'application/json', `${JSON.stringify(state)}\n`);
      }
      case '/metrics': {
        const { registry } = this.#metrics;
        return respondText(request, callId, 200, registry.contentType, await registry.metrics());
      }
      default:
        return unreachable(path, 'path');
    }
  }

  #refuse(request: InboundRequest, callId: string, reason: ErrorReason, message?: string): void {
    this.#metrics.requests.inc({ outcome: reason });
    respondError(request, callId, reason, message);
  }

  #newCallId(): string {
    const bytes = new Uint8Array(12);
    for (let i = 0; i < bytes.length; i++) bytes[i] = this.#ports.random.below(256);
    return toHex(bytes);
  }

  // ---- effects and time ---------------------------------------------------------------------------------------------

  /** Carries out what the dispatcher decided, also what it decides meanwhile, in order. */
  #run(): void {
    if (this.#running) return;
    this.#running = true;
    try {
      const { effects } = this.#dispatcher;
      for (let at = 0; at < effects.length; at++) {
        const effect = effects[at];
        if (effect !== undefined) this.#perform(effect);
      }
      effects.length = 0;
    } finally {
      this.#running = false;
    }
    this.#arm();
  }

  #perform(effect: Dispatcher<Invocation>['effects'][number]): void {
    switch (effect.kind) {
      case 'dispatch':
        return effect.ticket.payload.dispatch(effect.ticket, effect.endpoint);
      case 'forward':
        return effect.ticket.payload.forward(effect.ticket, effect.owner);
      case 'reject':
        return effect.ticket.payload.reject(effect.reason);
      case 'demand':
        return this.#demand.add(effect.uid);
      case 'drained':
        return this.#reporter?.soon();
      case 'forget':
        return this.#ports.upstream.forget(effect.address);
      default:
        return unreachable(effect, 'dispatch effect');
    }
  }

  #arm(): void {
    const next = this.#dispatcher.nextWakeMs() ?? Number.POSITIVE_INFINITY;
    if (next >= this.#wakeMs || this.#stopped) return;
    this.#wake?.cancel();
    this.#wakeMs = next;
    const { clock } = this.#ports;
    this.#wake = clock.after(next - clock.now(), () => {
      this.#wakeMs = Number.POSITIVE_INFINITY;
      this.#dispatcher.sweep(clock.now());
      this.#run();
    });
  }
}
