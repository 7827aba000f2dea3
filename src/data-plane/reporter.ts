/** Reports to the leader: each interval, and at once when an acknowledgement changes. A new leader is first told what is held here. */
import { encodeDataPlaneMessage, type HeldPart } from '../wire/data-plane-codec.ts';
import type { Dispatcher } from '../core/dispatch/dispatcher.ts';
import type { EndpointReplica } from '../core/endpoints/endpoint-replica.ts';
import type { SpecReplica } from '../core/dispatch/spec-replica.ts';
import type { FunctionLoad } from '../core/model/data-plane-report.ts';
import type { Bus } from '../ports/bus.ts';
import type { Clock, Timer } from '../ports/system.ts';
import { reportBounds } from './config.ts';
import { HeldTelling } from './held-telling.ts';
import type { LeaderLink } from './leader-link.ts';
import type { Life } from './life.ts';

/** Between two reports, however much happens. */
const MIN_GAP_MS = 5;

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
  readonly #held: HeldTelling;
  #seq = 0;
  /** What is held, while it is being told. */
  #telling: readonly HeldPart[] | undefined = undefined;
  #lastMs = Number.NEGATIVE_INFINITY;
  #interval: Timer | undefined = undefined;
  #pending: Timer | undefined = undefined;
  #scheduled = false;
  #stopped = false;

  constructor(options: ReporterOptions) {
    this.#options = options;
    this.#held = new HeldTelling(options.endpoints);
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
    this.#held.begin(this.#options.clock.now());
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
    const parts = this.#held.next(loads, now);
    if (parts === undefined) this.#report(loads);
    else this.#tellHeld(parts, 0);
  }

  /** A part in each turn, so that requests go on in between; after the last the report. One that is cut off begins anew. */
  #tellHeld(parts: readonly HeldPart[], part: number): void {
    const { clock, link, life, dispatcher } = this.#options;
    this.#telling = undefined;
    const told = parts[part];
    if (this.#stopped || !link.hasLeader || told === undefined) return;
    const { incarnation } = life;
    link.tell(
      'report',
      encodeDataPlaneMessage({ kind: 'held', incarnation, part, parts: parts.length, ...told }),
    );
    if (part + 1 === parts.length) {
      this.#held.done(clock.now());
      return this.#report(dispatcher.loads(clock.now(), false));
    }
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
      }),
    );
  }
}
