/**
 * What a data plane of the model does with a request that its dispatcher lets go: to a sandbox, or to the peer that owns the
 * function. Connections that cannot be made are given up after a second, answers that do not come after the function's timeout.
 */
import type { Dispatcher } from '../../../src/core/dispatch/dispatcher.ts';
import type { Ticket } from '../../../src/core/dispatch/ticket.ts';
import { compareFence, type Incarnation } from '../../../src/core/model/fence.ts';
import type { Endpoint } from '../../../src/core/model/sandbox.ts';
import type { DataPlaneId } from '../../../src/lib/ids.ts';
import { assert } from '../../../src/lib/assert.ts';
import type { Prng } from '../../../src/lib/prng.ts';
import type { DataPlaneMember, Running, World } from './cast.ts';
import type { Outcome, Request } from './request.ts';

const HOP_MS = 1;
const CONNECT_TIMEOUT_MS = 1_000;
const RETRANSMIT_MS = 100;

export interface ExchangingDataPlane extends DataPlaneMember {
  readonly isAlive: boolean;
  end(request: Request, outcome: Outcome): void;
  carryOut(): void;
  reportSoon(): void;
}

export class Exchanges {
  readonly #world: World;
  readonly #self: ExchangingDataPlane;
  readonly #random: Prng;

  constructor(world: World, self: ExchangingDataPlane, random: Prng) {
    this.#world = world;
    this.#self = self;
    this.#random = random;
  }

  get #dispatcher(): Dispatcher<Request> {
    return this.#self.dispatcher;
  }

  dispatch(ticket: Ticket<Request>): void {
    const endpoint = ticket.endpoint?.endpoint;
    assert(endpoint !== undefined, 'a dispatched ticket has an endpoint');
    const { queue, network } = this.#world;
    const held = this.#self.specs.get(endpoint.uid)?.spec;
    if (!network.reaches(this.#self.id, endpoint.worker))
      return void queue.after(CONNECT_TIMEOUT_MS, () => this.#refused(ticket));
    queue.after(0.3, () => {
      const running = this.#world.running(endpoint.sandbox);
      if (!this.#self.isAlive) return;
      if (running === undefined || !running.accepts) return this.#refused(ticket);
      this.#world.promises.onServed(this.#self, ticket.payload, endpoint, running.spec, held);
      this.#exchange(ticket, endpoint, running);
    });
  }

  #refused(ticket: Ticket<Request>): void {
    if (!this.#self.isAlive) return;
    this.#dispatcher.refused(ticket, this.#world.nowMs);
    this.#self.reportSoon();
    this.#self.carryOut();
  }

  #exchange(ticket: Ticket<Request>, endpoint: Endpoint, running: Running): void {
    const { queue, promises } = this.#world;
    const deadlineMs = this.#world.nowMs + running.spec.timeoutMs;
    running.inFlight++;
    promises.onInFlight(endpoint.sandbox, running);
    let isOver = false;
    const finish = (outcome: Outcome): void => {
      if (isOver) return;
      isOver = true;
      running.inFlight--;
      running.onEnd.delete(onLost);
      this.#hear(endpoint.worker, deadlineMs, (isHeard) => {
        this.#self.end(ticket.payload, isHeard ? outcome : 'function timeout');
        // Nobody can say whether it is still at it.
        if (!isHeard && running.spec.containerConcurrency > 0)
          this.#dispatcher.condemn(ticket, this.#world.nowMs);
        this.#dispatcher.done(ticket, this.#world.nowMs);
        this.#self.carryOut();
      });
    };
    const onLost = (): void => finish('sandbox died');
    running.onEnd.add(onLost);
    queue.after(5 + this.#random.below(150), () => finish('ok'));
  }

  /** What comes back over a connection that may have been parted meanwhile: by the deadline, or not at all. */
  #hear(from: string, deadlineMs: number, run: (isHeard: boolean) => void): void {
    if (!this.#self.isAlive) return;
    const isHeard = this.#world.network.reaches(from, this.#self.id);
    if (isHeard || this.#world.nowMs >= deadlineMs) return run(isHeard);
    this.#world.queue.after(RETRANSMIT_MS, () => this.#hear(from, deadlineMs, run));
  }

  /** One hop to the owner. */
  forward(
    ticket: Ticket<Request>,
    owner: { readonly dataPlane: DataPlaneId; readonly incarnation: Incarnation },
  ): void {
    const { queue, network } = this.#world;
    const { table } = this.#self;
    const own = { fence: table.fence, seq: table.seq };
    const deadlineMs = ticket.deadlineMs + 3_000;
    if (!network.reaches(this.#self.id, owner.dataPlane))
      return void queue.after(CONNECT_TIMEOUT_MS, () => this.#comeBack(ticket));
    queue.after(HOP_MS, () => {
      const peer = this.#world.dataPlane(owner.dataPlane);
      if (peer === undefined || peer.incarnation.ms !== owner.incarnation.ms) {
        queue.after(HOP_MS, () => this.#comeBack(ticket));
        return;
      }
      const order = compareFence(own.fence, peer.table.fence);
      const isAhead = order > 0 || (order === 0 && own.seq > peer.table.seq);
      const hop = ticket.payload.hop((outcome) => {
        queue.after(HOP_MS, () => {
          this.#hear(owner.dataPlane, deadlineMs, (isHeard) => {
            if (isHeard && outcome === 'not-owner') return this.#comeBack(ticket);
            this.#self.end(ticket.payload, isHeard ? outcome : 'function timeout');
            this.#dispatcher.done(ticket, this.#world.nowMs);
            return this.#self.carryOut();
          });
        });
      });
      peer.accept(hop, ticket.uid, ticket.deadlineMs, isAhead);
    });
  }

  #comeBack(ticket: Ticket<Request>): void {
    if (!this.#self.isAlive) return;
    this.#dispatcher.forwardRefused(ticket, this.#world.nowMs);
    this.#self.carryOut();
  }
}
