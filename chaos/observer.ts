/**
 * Looks at the cluster, again and again: asks all replicas, as an operator would, and reads what the processes write about
 * themselves. Keeps who led when, what no healthy cluster can show (verifiers/agreement.ts), under which fence each participant
 * acted, and what workers have.
 */
import type { Chronicle } from './histories/chronicle.ts';
import { ProcessLog, type LogLine } from './histories/process-log.ts';
import { WorkerRecord } from './histories/worker-record.ts';
import { LAUNCHED, type Stage } from './stage.ts';
import { pause } from './until.ts';
import { Agreement } from './verifiers/agreement.ts';
import { FenceWitness } from './verifiers/fence.ts';

const EVERY_MS = 100;

export class Observer {
  /** By replica: for which term it stood last. */
  readonly candidacies: Map<string, number> = new Map();
  readonly agreement: Agreement = new Agreement();
  readonly fences: FenceWitness = new FenceWitness();
  /** Of each worker, as of the last look. */
  readonly workers: ReadonlyMap<string, WorkerRecord>;
  /** Replicas that answered last time. */
  up: ReadonlySet<string> = new Set();
  readonly #stage: Stage;
  readonly #chronicle: Chronicle;
  readonly #logs: ReadonlyMap<string, ProcessLog>;
  /** Of replicas and data planes: what they write about a term may be ahead of their disk, and end with the process. */
  readonly #lives = new Map<string, number>();
  #running: Promise<void> | undefined;
  #stopped = false;
  /** When the last look began. */
  #lookedMs = 0;

  constructor(stage: Stage, chronicle: Chronicle) {
    this.#stage = stage;
    this.#chronicle = chronicle;
    this.workers = new Map(stage.ids('worker').map((id) => [id, new WorkerRecord()]));
    const spoken = stage.members.filter(({ kind }) => kind !== 'nats');
    this.#logs = new Map(spoken.map(({ id }) => [id, new ProcessLog(stage.logPath(id))]));
  }

  start(): void {
    this.#running = this.#watch();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
    this.read();
  }

  async #watch(): Promise<void> {
    while (!this.#stopped && !this.#stage.signal.aborted) {
      const answered = (await this.#stage.statuses()).filter((status) => status !== undefined);
      this.up = new Set(answered.map(({ id }) => id));
      for (const { id, appliedIndex, stateHash } of answered)
        this.agreement.holds(id, appliedIndex, stateHash);
      this.read();
      await pause(EVERY_MS, this.#stage.signal).catch(() => undefined);
    }
  }

  /** What was written since the last time. */
  read(): void {
    const beganMs = this.#chronicle.now();
    for (const { id, kind } of this.#stage.members)
      for (const line of this.#logs.get(id)?.read() ?? []) {
        if (kind === 'replica') this.#hearReplica(id, line);
        else if (kind === 'data-plane') this.#hearDataPlane(id, line);
        else if (kind === 'worker') this.#hearWorker(id, line);
      }
    for (const [id, record] of this.workers) if (this.#stage.pid(id) === undefined) record.begin();
    this.#lookedMs = beganMs;
  }

  #hearReplica(id: string, { message, fields, atWallMs }: LogLine): void {
    const term = Number(fields['term']);
    const life = this.#life(id, message);
    if (message === 'raft') this.fences.see(life, { epoch: 1, term });
    if (fields['role'] === 'candidate') this.candidacies.set(id, term);
    if (!message.startsWith('leading')) return;
    this.agreement.leads(id, term);
    // It was written since the last look, whatever its clock says.
    const atMs = Math.max(this.#lookedMs, Math.min(this.#chronicle.now(), this.#chronicle.atWall(atWallMs)));
    this.#chronicle.led(id, term, atMs);
  }

  #hearDataPlane(id: string, { message, fields }: LogLine): void {
    const life = this.#life(id, message);
    if (message === 'fence believed') this.fences.see(life, fenceOf(fields));
  }

  #life(id: string, message: string): string {
    if (message === LAUNCHED) this.#lives.set(id, (this.#lives.get(id) ?? 0) + 1);
    return `life ${this.#lives.get(id) ?? 0} of ${id}`;
  }

  #hearWorker(id: string, line: LogLine): void {
    const record = this.workers.get(id);
    if (line.message === LAUNCHED) record?.begin();
    if (line.message === 'command obeyed') this.fences.see(id, fenceOf(line.fields));
    record?.hear(line);
  }
}

function fenceOf(fields: LogLine['fields']): { epoch: number; term: number } {
  return { epoch: Number(fields['epoch']), term: Number(fields['term']) };
}
