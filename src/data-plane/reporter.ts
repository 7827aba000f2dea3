/**
 * Reports to the leader: each interval, and at once when an acknowledgement changes. A new leader is first told which endpoints
 * are held here, twice: what is told is lost like any message.
 */
import { encodeDataPlaneMessage, splitEndpoints } from '../wire/data-plane-codec.ts';
import type { Dispatcher } from '../core/dispatch/dispatcher.ts';
import type { EndpointReplica } from '../core/endpoints/endpoint-replica.ts';
import type { SpecReplica } from '../core/dispatch/spec-replica.ts';
import type { FunctionLoad } from '../core/model/data-plane-report.ts';
import type { Endpoint } from '../core/model/sandbox.ts';
import type { Bus } from '../ports/bus.ts';
import type { Clock, Timer } from '../ports/system.ts';
import { reportBounds } from './config.ts';
import type { LeaderLink } from './leader-link.ts';
import type { Life } from './life.ts';

/** Between two reports, however much happens. */
const MIN_GAP_MS = 5;
/** Until what is held is told again. */
const TELL_AGAIN_MS = 1_000;
/** Until the rest is told: within the leader's suspicion, for it withdraws what it does not know when that is over. */
const TELL_REST_MS = 2_000;
/**
 * When more is held than this, a new leader first hears of the functions that are asked for: only their scale is decided before
 * reconciliation closes. Of the rest it hears later, of what no worker has reported by then: mostly nothing.
 */
const HELD_AT_ONCE = 4_096;

export interface ReporterOptions {
  readonly clock: Clock;
  readonly bus: Bus;
  readonly link: LeaderLink;
  readonly dispatcher: Pick<
    Dispatcher<unknown>,
    'loads' | 'withdrawing' | 'refusedEndpoints' | 'condemnedEndpoints' | 'owned'
  >;
  readonly endpoints: () => EndpointReplica;
  readonly specs: SpecReplica;
  readonly life: Pick<Life, 'incarnation'>;
  readonly intervalMs: number;
  readonly caller: string;
  readonly peer: string;
}

export class Reporter {
  readonly #options: ReporterOptions;
  #seq = 0;
  /** How often what is held is yet to be told, and when next. */
  #tellings = 0;
  #tellMs = 0;
  /** The rest was left for the second time. */
  #untold = false;
  /** What is held, while it is being told. */
  #telling: readonly Endpoint[][] | undefined = undefined;
  #lastMs = Number.NEGATIVE_INFINITY;
  #interval: Timer | undefined = undefined;
  #pending: Timer | undefined = undefined;
  #scheduled = false;
  #stopped = false;

  constructor(options: ReporterOptions) {
    this.#options = options;
  }

  start(): void {
    this.#interval = this.#options.clock.after(this.#options.intervalMs, () => {
      this.#send(true);
      if (!this.#stopped) this.start();
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#interval?.cancel();
    this.#pending?.cancel();
  }

  /** An acknowledgement changed: coalesced within the turn, and with what comes in the next few milliseconds. */
  soon(): void {
    if (this.#scheduled || this.#stopped) return;
    this.#scheduled = true;
    const { clock } = this.#options;
    const run = (): void => {
      this.#scheduled = false;
      this.#pending = undefined;
      if (!this.#stopped) this.#send(false);
    };
    const waitMs = this.#lastMs + MIN_GAP_MS - clock.now();
    if (waitMs > 0) this.#pending = clock.after(waitMs, run);
    else clock.soon(run);
  }

  /** To a leader that has heard nothing from us, or may have missed something. */
  onLeader(): void {
    this.#tellings = 2;
    this.#tellMs = this.#options.clock.now();
    this.#telling = undefined;
    this.soon();
  }

  #send(periodic: boolean): void {
    const { clock, link, dispatcher } = this.#options;
    const now = clock.now();
    // Measured also while nobody listens, so that the first report to a leader is about now.
    const loads = dispatcher.loads(now, periodic);
    if (!link.hasLeader || this.#telling !== undefined) return;
    this.#lastMs = now;
    // First what is held and this leader has not confirmed: load alone would make it start a second fleet.
    if (this.#tellings === 0 || now < this.#tellMs) return this.#report(loads);
    let held = this.#options.endpoints().unconfirmedEndpoints();
    this.#untold = this.#tellings === 2 && held.length > HELD_AT_ONCE;
    if (this.#untold) {
      const asked = new Set(loads.map(({ uid }) => uid));
      held = held.filter(({ uid }) => asked.has(uid));
    }
    this.#tellings--;
    this.#tellMs = now + (this.#untold ? TELL_REST_MS : TELL_AGAIN_MS);
    this.#tellHeld(splitEndpoints(held), 0);
  }

  /** A part in each turn, so that requests go on in between; after the last the report. */
  #tellHeld(parts: readonly Endpoint[][], part: number): void {
    const { clock, link, life, dispatcher } = this.#options;
    this.#telling = undefined;
    if (this.#stopped || !link.hasLeader) return;
    const { incarnation } = life;
    const held = { incarnation, part, parts: parts.length, endpoints: parts[part] ?? [] };
    link.tell('report', encodeDataPlaneMessage({ kind: 'held', ...held }));
    if (part + 1 === parts.length) return this.#report(dispatcher.loads(clock.now(), false));
    this.#telling = parts;
    clock.soon(() => {
      if (this.#telling === parts) this.#tellHeld(parts, part + 1);
    });
  }

  #report(loads: readonly FunctionLoad[]): void {
    const { clock, bus, link, dispatcher, endpoints, specs, life, caller, peer } = this.#options;
    const table = endpoints();
    const withdrawing = dispatcher.withdrawing(clock.now()).sort((a, b) => b.inFlight - a.inFlight);
    link.tell(
      'report',
      encodeDataPlaneMessage({
        kind: 'report',
        incarnation: life.incarnation,
        seq: ++this.#seq,
        natsServer: bus.status().server,
        caller,
        peer,
        fence: table.fence,
        endpointSeq: table.seq,
        specIndex: specs.specIndex,
        loads: loads.slice(0, reportBounds.loads),
        withdrawing: withdrawing.slice(0, reportBounds.withdrawing),
        refused: dispatcher.refusedEndpoints().slice(0, reportBounds.refused),
        condemned: dispatcher.condemnedEndpoints().slice(0, reportBounds.condemned),
        owned: dispatcher.owned().slice(0, reportBounds.owned),
        untold: this.#untold,
      }),
    );
  }
}
