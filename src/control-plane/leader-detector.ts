/**
 * Hints that the leader is gone, long before its election timeout: two "no responders" in a row to a request on its subject
 * (the second asked at once), on a connection that has been up for a second and has carried this leader's messages; or the
 * server's own advisory that its connection closed. A hint starts an election; it decides nothing.
 */
import { isBatonError } from '../lib/errors.ts';
import type { ReplicaId } from '../lib/ids.ts';
import type { BusSubscription } from '../ports/bus.ts';
import type { Timer } from '../ports/system.ts';
import type { Subjects } from '../wire/subjects.ts';
import type { ControlPlaneConfig, ControlPlanePorts } from './config.ts';
import type { HintSource } from './term-beginning.ts';

const TRUSTED_AFTER_MS = 1_000;
const PROBE_TIMEOUT_MS = 200;
const NO_PAYLOAD: Uint8Array = new Uint8Array(0);

/** The NATS user of a replica's Raft connection (deploy/nats.conf). */
export const raftUser = (replica: string): string => `replica-${replica}`;

export class LeaderDetector {
  readonly #config: ControlPlaneConfig;
  readonly #ports: ControlPlanePorts;
  readonly #subjects: Subjects;
  readonly #onGone: (leader: ReplicaId, source: HintSource) => void;
  #leader: ReplicaId | '' = '';
  #heardSinceUp = false;
  #timer: Timer | undefined;
  #asking = false;
  #advisories: BusSubscription | undefined;
  #status: BusSubscription | undefined;
  #stopped = false;

  constructor(
    config: ControlPlaneConfig,
    ports: ControlPlanePorts,
    subjects: Subjects,
    onGone: (leader: ReplicaId, source: HintSource) => void,
  ) {
    this.#config = config;
    this.#ports = ports;
    this.#subjects = subjects;
    this.#onGone = onGone;
  }

  start(): void {
    this.#status = this.#ports.raftBus.onStatus(() => {
      this.#heardSinceUp = false;
    });
    if (this.#config.advisories) {
      this.#advisories = this.#ports.raftBus.onPeerDisconnect((user) => {
        if (this.#leader !== '' && user === raftUser(this.#leader))
          void this.#confirm(this.#leader, 'advisory');
      });
    }
    if (this.#config.probeMs > 0) this.#schedule();
  }

  #schedule(): void {
    this.#timer = this.#ports.clock.after(this.#config.probeMs, () => {
      if (this.#stopped) return;
      if (this.#leader !== '' && !this.#asking) void this.#confirm(this.#leader, 'probe');
      this.#schedule();
    });
  }

  /** Whom this replica follows now; '' nobody. */
  follow(leader: ReplicaId | ''): void {
    if (this.#leader === leader) return;
    this.#leader = leader;
    this.#heardSinceUp = false;
  }

  heard(from: ReplicaId): void {
    if (from === this.#leader) this.#heardSinceUp = true;
  }

  /** An advisory or a due probe: look, and report if it is so. */
  async #confirm(leader: ReplicaId, source: HintSource): Promise<void> {
    this.#asking = true;
    try {
      if (!(await this.ask(leader)) || this.#leader !== leader || this.#stopped) return;
      this.#onGone(leader, source);
    } finally {
      this.#asking = false;
    }
  }

  /** True: nobody subscribes for this leader, asked twice on a connection that may be trusted. Never rejects. */
  async ask(leader: ReplicaId): Promise<boolean> {
    if (!this.#isTrusted() || !(await this.#nobodyHome(leader))) return false;
    return this.#isTrusted() && (await this.#nobodyHome(leader));
  }

  #isTrusted(): boolean {
    const status = this.#ports.raftBus.status();
    return status.up && this.#ports.clock.now() - status.upSinceMs >= TRUSTED_AFTER_MS && this.#heardSinceUp;
  }

  async #nobodyHome(leader: ReplicaId): Promise<boolean> {
    const subject = this.#subjects.raft(leader, this.#config.replica);
    try {
      await this.#ports.raftBus.request(subject, NO_PAYLOAD, PROBE_TIMEOUT_MS);
      return false;
    } catch (error) {
      return isBatonError(error, 'no-responders');
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#advisories?.unsubscribe();
    this.#status?.unsubscribe();
  }
}
