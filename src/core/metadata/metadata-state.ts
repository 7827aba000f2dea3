/**
 * The replicated state machine: functions, and the table of request ids. Deterministic: the same commands at the same
 * indexes give the same state, outcome and hash on every replica.
 */
import { assert, unreachable } from '../../lib/assert.ts';
import { functionUid, type Digest, type FunctionName, type FunctionUid } from '../../lib/ids.ts';
import { addLanes, hashLane, hashText, lanesToHex, subtractLanes, type Lanes } from '../../lib/lanes.ts';
import { limits } from '../../lib/limits.ts';
import type { FunctionRecord } from '../model/function.ts';
import type { MetadataCommand, MetadataOutcome, RequestId } from '../model/metadata.ts';
import { canonical } from './canonical.ts';
import { RequestTable, type RememberedRequest } from './request-table.ts';

export interface MetadataSnapshot {
  readonly index: number;
  readonly specIndex: number;
  readonly functions: readonly FunctionRecord[];
  readonly requests: readonly RememberedRequest[];
  readonly evictedIndex: number;
}

export interface MetadataLimits {
  readonly functions: number;
  readonly requestIds: number;
}

/** One function changed at `specIndex`; `record` undefined says that it was deleted. */
export interface FunctionChange {
  readonly uid: FunctionUid;
  readonly specIndex: number;
  readonly record: FunctionRecord | undefined;
}

type Mutation = Exclude<MetadataCommand, { kind: 'no-op' }>;

export class MetadataState {
  readonly #limits: MetadataLimits;
  readonly #byName = new Map<FunctionName, FunctionRecord>();
  readonly #byUid = new Map<FunctionUid, FunctionRecord>();
  readonly #hashes = new Map<FunctionUid, Lanes>();
  readonly #artifacts = new Map<Digest, number>();
  #requests: RequestTable;
  #appliedIndex = 0;
  #specIndex = 0;
  #lanes: Lanes = [0, 0, 0, 0];

  constructor(bounds: MetadataLimits = limits) {
    this.#limits = bounds;
    this.#requests = new RequestTable(bounds.requestIds);
  }

  static restore(snapshot: MetadataSnapshot, bounds: MetadataLimits = limits): MetadataState {
    const state = new MetadataState(bounds);
    for (const record of snapshot.functions) state.#put(record);
    state.#requests = new RequestTable(bounds.requestIds, snapshot.requests, snapshot.evictedIndex);
    for (const request of snapshot.requests) state.#addRequestHash(request);
    state.#appliedIndex = snapshot.index;
    state.#specIndex = snapshot.specIndex;
    return state;
  }

  /** Of now, whatever is applied later: records are never changed. */
  snapshot(): MetadataSnapshot {
    return {
      index: this.#appliedIndex,
      specIndex: this.#specIndex,
      functions: [...this.#byUid.values()],
      requests: this.#requests.list(),
      evictedIndex: this.#requests.evictedIndex,
    };
  }

  get appliedIndex(): number {
    return this.#appliedIndex;
  }

  /** Index of the last command that changed a function. */
  get specIndex(): number {
    return this.#specIndex;
  }

  get size(): number {
    return this.#byName.size;
  }

  /** Entries of a snapshot: functions and remembered requests. */
  get entries(): number {
    return this.#byName.size + this.#requests.size;
  }

  get(name: FunctionName): FunctionRecord | undefined {
    return this.#byName.get(name);
  }

  byUid(uid: FunctionUid): FunctionRecord | undefined {
    return this.#byUid.get(uid);
  }

  /** This request has been decided before: a retry hears the same outcome. */
  hasDecided(id: RequestId): boolean {
    return this.#requests.has(id);
  }

  /** By name. */
  list(): readonly FunctionRecord[] {
    return [...this.#byName.values()].sort((a, b) => (a.spec.name < b.spec.name ? -1 : 1));
  }

  /** Some function's spec names this artifact. */
  names(digest: Digest): boolean {
    return this.#artifacts.has(digest);
  }

  artifacts(): ReadonlySet<Digest> {
    return new Set(this.#artifacts.keys());
  }

  /** 32 hexadecimal digits over functions, remembered requests and the spec index. */
  hash(): string {
    return lanesToHex(addLanes(this.#lanes, hashText(`specIndex ${this.#specIndex}`)));
  }

  /** Applies the command at `index`; `change` says what data planes and the scheduler must hear. */
  apply(
    index: number,
    command: MetadataCommand,
  ): { outcome: MetadataOutcome | undefined; change: FunctionChange | undefined } {
    assert(index === this.#appliedIndex + 1, `applied in order: ${index} after ${this.#appliedIndex}`);
    this.#appliedIndex = index;
    if (command.kind === 'no-op') return { outcome: undefined, change: undefined };

    const fingerprint = fingerprintOf(command);
    const verdict = this.#requests.judge(command.requestId, fingerprint);
    switch (verdict.kind) {
      case 'expired':
        return { outcome: { kind: 'request-expired' }, change: undefined };
      case 'reused':
        return { outcome: { kind: 'request-id-reused' }, change: undefined };
      case 'repeated':
        return { outcome: verdict.outcome, change: undefined };
      case 'new':
        break;
      default:
        return unreachable(verdict, 'verdict');
    }
    const { outcome, change } = this.#execute(index, command);
    const request: RememberedRequest = { id: command.requestId, index, fingerprint, outcome };
    const evicted = this.#requests.remember(request);
    this.#addRequestHash(request);
    if (evicted !== undefined) this.#lanes = subtractLanes(this.#lanes, hashText(canonical(evicted)));
    return { outcome, change };
  }

  #execute(
    index: number,
    command: Mutation,
  ): { outcome: MetadataOutcome; change: FunctionChange | undefined } {
    const name = command.kind === 'put-function' ? command.spec.name : command.name;
    const current = this.#byName.get(name);
    const generation = current?.generation ?? 0;
    if (command.ifGeneration !== undefined && command.ifGeneration !== generation) {
      return { outcome: { kind: 'generation-mismatch', generation }, change: undefined };
    }
    if (command.kind === 'delete-function') {
      if (current === undefined) return { outcome: { kind: 'not-found' }, change: undefined };
      this.#remove(current);
      this.#specIndex = index;
      return {
        outcome: { kind: 'deleted', uid: current.uid, specIndex: index },
        change: { uid: current.uid, specIndex: index, record: undefined },
      };
    }
    if (current === undefined && this.#byName.size >= this.#limits.functions) {
      return { outcome: { kind: 'too-many-functions' }, change: undefined };
    }
    if (current !== undefined) this.#remove(current);
    const uid = current?.uid ?? functionUid(index);
    const record: FunctionRecord = { uid, generation: generation + 1, specIndex: index, spec: command.spec };
    this.#put(record);
    this.#specIndex = index;
    return {
      outcome: { kind: 'put', uid, generation: record.generation, specIndex: index },
      change: { uid, specIndex: index, record },
    };
  }

  #put(record: FunctionRecord): void {
    this.#byName.set(record.spec.name, record);
    this.#byUid.set(record.uid, record);
    const { artifact } = record.spec;
    this.#artifacts.set(artifact, (this.#artifacts.get(artifact) ?? 0) + 1);
    const hash = hashText(canonical(record));
    this.#hashes.set(record.uid, hash);
    this.#lanes = addLanes(this.#lanes, hash);
  }

  #remove(record: FunctionRecord): void {
    this.#byName.delete(record.spec.name);
    this.#byUid.delete(record.uid);
    const { artifact } = record.spec;
    const named = (this.#artifacts.get(artifact) ?? 0) - 1;
    if (named > 0) this.#artifacts.set(artifact, named);
    else this.#artifacts.delete(artifact);
    const hash = this.#hashes.get(record.uid);
    assert(hash !== undefined, 'what is removed was put');
    this.#hashes.delete(record.uid);
    this.#lanes = subtractLanes(this.#lanes, hash);
  }

  #addRequestHash(request: RememberedRequest): void {
    this.#lanes = addLanes(this.#lanes, hashText(canonical(request)));
  }
}

/** Of what the command says, without who asks: 32 bits, to tell a retry from another command under the same id. */
function fingerprintOf(command: Mutation): number {
  const { requestId: _, ...content } = command;
  return hashLane(canonical(content));
}
