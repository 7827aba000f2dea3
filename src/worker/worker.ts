/**
 * The worker role: hears beacons and commands, runs sandboxes through a driver, and reports. It decides in core/worker and
 * carries out here, in order: nothing overtakes a write that must be durable first.
 */
import { BatonError, explain } from '../lib/errors.ts';
import type { SandboxId } from '../lib/ids.ts';
import { unreachable } from '../lib/assert.ts';
import { LogBuffer } from '../core/worker/log-buffer.ts';
import type { Refusal, WorkerEffect } from '../core/worker/types.ts';
import { WorkerCore } from '../core/worker/worker-core.ts';
import type { CommandEnvelope, CreateSandbox } from '../core/model/command.ts';
import { NO_FENCE } from '../core/model/fence.ts';
import type { SandboxStatus, StartStage } from '../core/model/sandbox.ts';
import type { BusMessage, BusSubscription } from '../ports/bus.ts';
import type { Timer } from '../ports/system.ts';
import { decodeBeacon } from '../wire/broadcast-codec.ts';
import { subjects, type Subjects } from '../wire/subjects.ts';
import {
  decodeCommand,
  decodeLogQuery,
  decodeNotice,
  encodeLogReply,
  encodeWorkerReport,
  splitStatuses,
} from '../wire/worker-codec.ts';
import type { WorkerConfig, WorkerPorts } from './config.ts';

const LOG_TAIL_CHARACTERS = 8_000;
const NO_PAYLOAD: Uint8Array = new Uint8Array(0);

export class Worker {
  readonly #config: WorkerConfig;
  readonly #ports: WorkerPorts;
  readonly #subjects: Subjects;
  readonly #logs = new LogBuffer();
  readonly #subscriptions: BusSubscription[] = [];
  /** Malformed or refused, by kind. */
  readonly #dropped = new Map<string, number>();
  #core: WorkerCore | undefined;
  #incarnationMs = 0;
  #queue: WorkerEffect[] = [];
  #carrying = false;
  #flushing = false;
  #timer: Timer | undefined;
  #timerMs = Number.POSITIVE_INFINITY;
  /** The last one that was understood: most say what the one before said. */
  #beacon: Uint8Array = NO_PAYLOAD;
  #stopped = false;

  constructor(config: WorkerConfig, ports: WorkerPorts) {
    this.#config = config;
    this.#ports = ports;
    this.#subjects = subjects(config.cluster);
  }

  /** The truth about this worker's sandboxes. */
  get sandboxes(): readonly SandboxStatus[] {
    return [...(this.#core?.sandboxes.values() ?? [])];
  }

  /** @throws BatonError when its file cannot be read or written */
  async start(): Promise<void> {
    const { clock, bus, runtime, state, nonce } = this.#ports;
    const remembered = await state.load();
    this.#incarnationMs = Math.max((remembered?.incarnationMs ?? 0) + 1, clock.wall());
    const fence = remembered?.fence ?? NO_FENCE;
    const cordoned = remembered?.cordoned ?? false;
    const draining = remembered?.draining ?? false;
    await state.save({ fence, cordoned, draining, incarnationMs: this.#incarnationMs });
    await runtime.prepare();
    this.#core = new WorkerCore(
      {
        incarnation: { ms: this.#incarnationMs, nonce },
        capacity: this.#config.capacity,
        driver: runtime.name,
        isolation: runtime.isolation,
        labels: this.#config.labels,
        heartbeatMs: this.#config.heartbeatMs,
        trialLifetimeMs: this.#config.trialLifetimeMs,
        fence,
        cordoned,
        draining,
        artifacts: runtime.needsArtifacts ? this.#ports.artifacts.held() : [],
      },
      splitStatuses,
    );
    runtime.onExit(({ sandbox, reason, log }) => this.#gone(sandbox, reason, log));
    runtime.onLog(({ sandbox, stream, text, wallMs }) => this.#logs.add(sandbox, stream, text, wallMs));
    this.#subscribe();
    this.#core.onConnected(bus.status().server, clock.now());
    this.#flush();
  }

  #subscribe(): void {
    const { bus, clock } = this.#ports;
    const { id } = this.#config;
    const core = (): WorkerCore => this.#running();
    const on = (subject: string, kind: string, handle: (message: BusMessage) => void): void => {
      this.#subscriptions.push(bus.subscribe(subject, (message) => this.#guard(kind, message, handle)));
    };
    this.#subscriptions.push(
      bus.subscribe(this.#subjects.beacons, (message) => {
        if (!isSame(message.payload, this.#beacon))
          this.#guard('beacon', message, (news) => this.#hear(news));
      }),
    );
    on(this.#subjects.commandInbox(id), 'command', ({ payload }) => {
      const envelope = decodeCommand(payload);
      const refusal = core().onCommand(envelope, clock.now());
      this.#count(refusal, 'command');
      if (refusal === undefined) this.#obeyed(envelope);
    });
    on(this.#subjects.noticeInbox(id), 'notice', ({ payload, reply }) => {
      // A probe: that somebody answers is the answer.
      if (payload.length === 0) {
        if (reply !== '') bus.publish(reply, NO_PAYLOAD);
      } else this.#count(core().onNotice(decodeNotice(payload), this.#ports.random.float()), 'notice');
    });
    on(this.#subjects.queryInbox(id), 'query', ({ payload, reply }) => {
      if (reply !== '') bus.publish(reply, encodeLogReply(this.#logs.query(decodeLogQuery(payload))));
    });
    this.#subscriptions.push(
      bus.onStatus((status) => {
        if (status.up) core().onConnected(status.server, clock.now());
        this.#flushSoon();
      }),
    );
  }

  /** On the record: under which fence it acted. */
  #obeyed({ fence: { epoch, term }, seq, command }: CommandEnvelope): void {
    const sandbox = 'sandbox' in command ? command.sandbox : '';
    this.#ports.logger.debug({ command: command.kind, sandbox, epoch, term, seq }, 'command obeyed');
    if (command.kind === 'adopt') this.#logs.belongsTo(command.sandbox, command.uid);
  }

  #hear({ payload }: BusMessage): void {
    this.#running().onBeacon(decodeBeacon(payload).fence, this.#ports.clock.now());
    this.#beacon = payload.slice();
  }

  #running(): WorkerCore {
    if (this.#core === undefined) throw new BatonError('unavailable', 'the worker is starting');
    return this.#core;
  }

  /** One bad message costs that message: counted, logged once per kind. */
  #guard(kind: string, message: BusMessage, handle: (message: BusMessage) => void): void {
    if (this.#stopped) return;
    try {
      handle(message);
    } catch (error) {
      if (this.#drop(`malformed ${kind}`) === 1) {
        const { subject } = message;
        this.#ports.logger.warn(
          { kind, subject, error: explain(error) },
          'message dropped; further ones are only counted',
        );
      }
    }
    this.#flushSoon();
  }

  #count(refusal: Refusal | undefined, kind: string): void {
    if (refusal === undefined) return;
    if (this.#drop(`${refusal} ${kind}`) === 1)
      this.#ports.logger.info({ kind, refusal }, 'refused; further ones are only counted');
  }

  #drop(what: string): number {
    const count = (this.#dropped.get(what) ?? 0) + 1;
    this.#dropped.set(what, count);
    return count;
  }

  /** One timer, for the moment at which the core has something to do by itself: thousands of idle workers cost nothing. */
  #arm(): void {
    const { clock } = this.#ports;
    const dueMs = this.#running().nextDueMs;
    // A timer that fires too early arms the next.
    if (this.#stopped || dueMs >= this.#timerMs) return;
    this.#timer?.cancel();
    this.#timerMs = dueMs;
    this.#timer = clock.after(Math.max(1, dueMs - clock.now()), () => {
      this.#timerMs = Number.POSITIVE_INFINITY;
      if (!this.#stopped) this.#flush();
    });
  }

  /** What one turn changed goes out together. */
  #flushSoon(): void {
    if (this.#flushing || this.#stopped) return;
    this.#flushing = true;
    this.#ports.clock.soon(() => {
      this.#flushing = false;
      if (!this.#stopped) this.#flush();
    });
  }

  #flush(): void {
    const core = this.#running();
    core.tick(this.#ports.clock.now());
    this.#queue.push(...core.takeEffects());
    this.#carryOut();
    this.#arm();
  }

  #carryOut(): void {
    if (this.#carrying) return;
    while (this.#queue.length > 0) {
      const effect = this.#queue.shift();
      if (effect === undefined) return;
      if (effect.kind !== 'persist') {
        this.#perform(effect);
        continue;
      }
      this.#carrying = true;
      const { fence, cordoned, draining } = effect;
      this.#ports.state.save({ fence, cordoned, draining, incarnationMs: this.#incarnationMs }).then(
        () => {
          this.#carrying = false;
          if (!this.#stopped) this.#carryOut();
          return undefined;
        },
        (error: Error) => this.#ports.onFatal(error),
      );
      return;
    }
  }

  #perform(effect: Exclude<WorkerEffect, { kind: 'persist' }>): void {
    const { bus, clock, runtime, logger, onFatal } = this.#ports;
    switch (effect.kind) {
      case 'report': {
        const { report } = effect;
        const isNews = report.kind === 'heartbeat' && report.changes.length > 0;
        const kind = isNews ? 'change' : 'heartbeat';
        const subject = this.#subjects.lead(effect.term, kind, this.#config.id);
        const send = (): void => {
          if (!this.#stopped) bus.publish(subject, encodeWorkerReport(report));
        };
        if (effect.afterMs > 0) clock.after(effect.afterMs, send);
        else send();
        return;
      }
      case 'start':
        this.#start(effect.create).catch((error: unknown) => onFatal(asError(error)));
        return;
      case 'drain':
        return runtime.drain(effect.sandbox, effect.graceMs);
      case 'kill':
        return this.#kill(effect.sandbox);
      case 'forget-artifacts':
        for (const digest of effect.digests)
          this.#ports.artifacts.forget(digest).catch((error: unknown) => {
            logger.warn({ digest, error: explain(error) }, 'artifact not removed');
          });
        return;
      case 'duplicate-id':
        logger.error({ other: effect.other }, 'another process is alive under this worker id');
        return onFatal(
          new BatonError('conflict', `another process is alive as worker ${this.#config.id}`, {
            hint: 'give each worker its own id and state directory',
          }),
        );
      default:
        return unreachable(effect, 'effect');
    }
  }

  async #start(create: CreateSandbox): Promise<void> {
    const { clock, runtime, artifacts, logger } = this.#ports;
    const { sandbox, uid, generation, spec } = create;
    const core = this.#running();
    logger.debug({ sandbox, function: spec.name, generation }, 'sandbox starts');
    this.#logs.belongsTo(sandbox, uid);
    const beganMs = clock.now();
    try {
      const artifactDir = runtime.needsArtifacts
        ? await artifacts.ensure(spec.artifact, create.artifactSources)
        : '';
      if (runtime.needsArtifacts) core.onArtifact(spec.artifact);
      if (!core.isWanted(sandbox) || this.#stopped)
        return this.#gone(sandbox, 'killed before it started', '');
      const artifactStage: StartStage = {
        name: 'artifact',
        micros: Math.round((clock.now() - beganMs) * 1_000),
      };
      const started = await runtime.start({ sandbox, uid, generation, spec, artifactDir });
      core.onStarted(sandbox, { ...started, stages: [artifactStage, ...started.stages] });
      if (core.isWanted(sandbox)) logger.debug({ sandbox, pid: started.pid }, 'sandbox is up');
    } catch (error) {
      const log = error instanceof BatonError ? error.fields['log'] : undefined;
      this.#gone(sandbox, explain(error), typeof log === 'string' ? log : '');
    }
    this.#flushSoon();
  }

  /** A sandbox whose artifact is still being fetched has nothing to kill: #start sees that nobody wants it. */
  #kill(sandbox: SandboxId): void {
    this.#ports.runtime.kill(sandbox);
  }

  #gone(sandbox: SandboxId, reason: string, log: string): void {
    if (this.#core?.sandboxes.has(sandbox) === true)
      this.#ports.logger.debug({ sandbox, reason }, 'sandbox is gone');
    this.#core?.onGone(sandbox, reason, log.slice(-LOG_TAIL_CHARACTERS));
    this.#logs.end(sandbox);
    this.#flushSoon();
  }

  /** Ends its sandboxes too: they never survive their worker. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#timer?.cancel();
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
    await this.#ports.runtime.close();
  }
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
