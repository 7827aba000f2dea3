/**
 * The public API's one service layer. gRPC and HTTP/JSON call the same methods with the same messages; what needs the leader
 * is forwarded to it, one hop, by whoever was called.
 */
import { BatonError, isBatonError } from '../lib/errors.ts';
import { functionName, replicaId, sandboxId, workerId } from '../lib/ids.ts';
import type { FunctionRow, ScaleView } from '../core/leader/types.ts';
import type { FunctionRecord } from '../core/model/function.ts';
import type { Clock } from '../ports/system.ts';
import type * as api from '../wire/gen/baton/api/v1/api.ts';
import { parseEventKind } from './event-kinds.ts';
import type { ControlPlaneBackend, MemberView, TermView } from './backend.ts';
import { documentFromWire, documentToWire } from './document.ts';
import { parseFunctionDocument, parseRequestId, toFunctionDocument } from './spec.ts';

/** Calls another replica; `method` is one of ApiMethods. */
export type Forward = (
  member: MemberView,
  method: keyof ApiMethods,
  request: unknown,
  timeoutMs: number,
) => Promise<unknown>;

export interface ApiMethods {
  getStatus(request: api.GetStatusRequest): Promise<api.ClusterStatus>;
  getReplica(request: api.GetReplicaRequest): Promise<api.Replica>;
  putFunction(request: api.PutFunctionRequest): Promise<api.PutFunctionReply>;
  deleteFunction(request: api.DeleteFunctionRequest): Promise<api.DeleteFunctionReply>;
  getFunction(request: api.GetFunctionRequest): Promise<api.FunctionMessage>;
  listFunctions(request: api.ListFunctionsRequest): Promise<api.ListFunctionsReply>;
  listWorkers(request: api.ListWorkersRequest): Promise<api.ListWorkersReply>;
  listSandboxes(request: api.ListSandboxesRequest): Promise<api.ListSandboxesReply>;
  listDataPlanes(request: api.ListDataPlanesRequest): Promise<api.ListDataPlanesReply>;
  listEvents(request: api.ListEventsRequest): Promise<api.ListEventsReply>;
  setCordon(request: api.SetCordonRequest): Promise<api.SetCordonReply>;
  drainWorker(request: api.DrainWorkerRequest): Promise<api.Drain>;
  getDrain(request: api.GetDrainRequest): Promise<api.Drain>;
  transferLeadership(request: api.TransferLeadershipRequest): Promise<api.TransferLeadershipReply>;
  getLogs(request: api.GetLogsRequest): Promise<api.GetLogsReply>;
}

export interface ServiceOptions {
  readonly pid: number;
  readonly version: string;
  /** How long a call may wait for somebody to lead. */
  readonly leaderWaitMs: number;
  readonly peerTimeoutMs: number;
}

const FORWARD_TIMEOUT_MS = 60_000;
const MAX_LOG_LINES = 1_000;

/** What changes something; asked twice it needs the same request id. */
const MUTATIONS: ReadonlySet<keyof ApiMethods> = new Set(['putFunction', 'deleteFunction']);

export class ApiService {
  readonly #backend: ControlPlaneBackend;
  readonly #forward: Forward;
  readonly #clock: Clock;
  readonly #options: ServiceOptions;
  readonly methods: ApiMethods;

  constructor(backend: ControlPlaneBackend, forward: Forward, clock: Clock, options: ServiceOptions) {
    this.#backend = backend;
    this.#forward = forward;
    this.#clock = clock;
    this.#options = options;
    this.methods = {
      getReplica: () => Promise.resolve(this.#replica()),
      getStatus: () => this.#getStatus(),
      putFunction: (request) => this.#putFunction(request),
      deleteFunction: (request) => this.#deleteFunction(request),
      getFunction: (request) => this.#getFunction(request),
      listFunctions: async () => ({ rows: await this.#functions() }),
      listWorkers: () => Promise.resolve({ rows: this.#workers() }),
      listSandboxes: () => Promise.resolve({ rows: this.#sandboxes() }),
      listDataPlanes: () => Promise.resolve({ rows: this.#dataPlanes() }),
      listEvents: (request) => Promise.resolve(this.#events(request)),
      setCordon: (request) => this.#setCordon(request),
      drainWorker: ({ worker }) => this.#backend.drain(workerId(worker)),
      getDrain: ({ worker }) => Promise.resolve(this.#backend.drainOf(workerId(worker))),
      transferLeadership: ({ to }) => this.#backend.transferLeadership(to === '' ? '' : replicaId(to, 'to')),
      getLogs: (request) => this.#getLogs(request),
    };
  }

  /**
   * Runs a method where it belongs. `forwarded`: another replica sent it here, so it goes no further.
   * @throws BatonError `no-leader` after the wait, naming the replicas that were not heard; `outcome-unknown` where a leader may
   *   have taken the request before it was lost
   */
  async call<M extends keyof ApiMethods>(
    method: M,
    request: Parameters<ApiMethods[M]>[0],
    forwarded: boolean,
  ): Promise<Awaited<ReturnType<ApiMethods[M]>>> {
    let isLost = false;
    try {
      return await this.#call(method, request, forwarded, () => (isLost = true));
    } catch (error) {
      const isDenied = isBatonError(error, 'no-leader') || isBatonError(error, 'not-leader');
      if (!isLost || !isDenied || forwarded || !MUTATIONS.has(method)) throw error;
      throw new BatonError('outcome-unknown', 'the leader was lost before it answered, and no other has', {
        hint: 'try again with the same request id',
        cause: error,
      });
    }
  }

  /** @param onLost a leader had the request, and no longer leads or was lost: it may have taken effect */
  async #call<M extends keyof ApiMethods>(
    method: M,
    request: Parameters<ApiMethods[M]>[0],
    forwarded: boolean,
    onLost: () => void,
  ): Promise<Awaited<ReturnType<ApiMethods[M]>>> {
    type Reply = Awaited<ReturnType<ApiMethods[M]>>;
    const run = this.methods[method] as (request: Parameters<ApiMethods[M]>[0]) => Promise<Reply>;
    if (method === 'getReplica' || (method === 'getStatus' && this.#backend.leader().kind === 'none'))
      return run(request);
    const deadline = this.#clock.now() + this.#options.leaderWaitMs;
    for (;;) {
      const leader = this.#backend.leader();
      if (leader.kind === 'self' && !MUTATIONS.has(method)) return run(request);
      if (leader.kind !== 'self' && forwarded)
        throw new BatonError('not-leader', `replica ${this.#backend.self.id} does not lead`);
      if (leader.kind !== 'none') {
        try {
          return leader.kind === 'self'
            ? await run(request)
            : ((await this.#forward(leader.member, method, request, FORWARD_TIMEOUT_MS)) as Reply);
        } catch (error) {
          // It stepped down or died: whoever leads next may take it, and a mutation carries its request id.
          const mayRetry = isBatonError(error, 'not-leader') || isBatonError(error, 'disconnected');
          if (mayRetry) onLost();
          if (!mayRetry || forwarded || this.#clock.now() >= deadline) throw error;
        }
      }
      if (this.#clock.now() >= deadline) throw this.#noLeader();
      await new Promise<void>((resolve) => void this.#clock.after(20, resolve));
    }
  }

  #noLeader(): BatonError {
    const { reachable, nonVoters } = this.#backend.raft();
    const missing = this.#backend.members.map(({ id }) => id).filter((id) => !reachable.includes(id));
    const why = [
      missing.length > 0 ? `not heard lately: ${missing.join(', ')}` : '',
      nonVoters.length > 0 ? `without a vote until they have caught up: ${nonVoters.join(', ')}` : '',
    ].filter((text) => text !== '');
    return new BatonError('no-leader', `no replica leads${why.length > 0 ? ` (${why.join('; ')})` : ''}`, {
      fields: { missing, nonVoters },
      hint: why.length > 0 ? 'start the missing replicas' : 'an election is under way; try again',
    });
  }

  #replica(): api.Replica {
    const raft = this.#backend.raft();
    const { self } = this.#backend;
    return {
      id: self.id,
      pid: this.#options.pid,
      role: raft.role,
      term: raft.term,
      appliedIndex: raft.applied,
      commitIndex: raft.commit,
      stateHash: this.#backend.stateHash(),
      leader: raft.leader,
      voter: raft.voter,
      grpc: self.grpc,
      http: self.http,
      reachable: raft.reachable,
      version: this.#options.version,
    };
  }

  async #replicas(): Promise<api.Replica[]> {
    return Promise.all(
      this.#backend.members.map(async (member) => {
        if (member.id === this.#backend.self.id) return this.#replica();
        try {
          return (await this.#forward(member, 'getReplica', {}, this.#options.peerTimeoutMs)) as api.Replica;
        } catch (error) {
          if (!isBatonError(error)) throw error;
          return {
            id: member.id,
            pid: 0,
            role: 'unreachable',
            term: 0,
            appliedIndex: 0,
            commitIndex: 0,
            stateHash: '',
            leader: '',
            voter: true,
            grpc: member.grpc,
            http: member.http,
            reachable: [],
            version: '',
          };
        }
      }),
    );
  }

  async #getStatus(): Promise<api.ClusterStatus> {
    const raft = this.#backend.raft();
    const leads = this.#backend.leader().kind === 'self';
    const replicas = await this.#replicas();
    const scales = new Map((leads ? this.#backend.scales() : []).map((row) => [row.uid, row]));
    const functions = leads ? await this.#backend.functions() : [];
    const term = leads ? this.#backend.term() : undefined;
    return {
      cluster: this.#backend.cluster,
      leader: raft.leader,
      term: raft.term,
      commitIndex: raft.commit,
      replicas,
      dataPlanes: leads ? this.#dataPlanes() : [],
      workers: leads ? this.#workers() : [],
      functions: functions.map((record) => {
        const scale = scales.get(record.uid);
        return {
          name: record.spec.name,
          ready: scale?.ready ?? 0,
          desired: scale?.desired ?? 0,
          starting: scale?.starting ?? 0,
          generation: record.generation,
        };
      }),
      reconstruction: term === undefined ? undefined : reconstructionOf(term),
    };
  }

  #urls(name: string): string[] {
    return this.#backend
      .dataPlanes()
      .filter((dataPlane) => dataPlane.live && dataPlane.caller !== '')
      .map((dataPlane) => `${dataPlane.caller}/function/${name}`);
  }

  async #putFunction(request: api.PutFunctionRequest): Promise<api.PutFunctionReply> {
    if (request.function === undefined) {
      throw new BatonError('invalid-argument', 'function: missing', { fields: { path: 'function' } });
    }
    const spec = parseFunctionDocument(documentFromWire(request.function), 'function.');
    const { record, laggards, trialSkipped } = await this.#backend.put({
      spec,
      requestId: parseRequestId(request.requestId),
      ifGeneration: request.ifGeneration,
      trial: request.trial,
    });
    return {
      name: spec.name,
      uid: record.uid,
      generation: record.generation,
      specIndex: record.specIndex,
      urls: this.#urls(spec.name),
      laggards,
      trialSkipped,
    };
  }

  async #deleteFunction(request: api.DeleteFunctionRequest): Promise<api.DeleteFunctionReply> {
    const name = functionName(request.name);
    const requestId = parseRequestId(request.requestId);
    const { uid, laggards } = await this.#backend.delete(name, requestId, request.ifGeneration);
    return { name, uid, laggards };
  }

  #function(record: FunctionRecord, scale: FunctionRow | undefined): api.FunctionMessage {
    return {
      name: record.spec.name,
      uid: record.uid,
      generation: record.generation,
      specIndex: record.specIndex,
      spec: documentToWire(toFunctionDocument(record.spec)),
      ready: scale?.ready ?? 0,
      starting: scale?.starting ?? 0,
      desired: scale?.desired ?? 0,
      concurrency: scale?.concurrency ?? 0,
      reason: scale?.reason ?? '',
      urls: this.#urls(record.spec.name),
      scale: undefined,
    };
  }

  async #functions(): Promise<api.FunctionMessage[]> {
    const records = await this.#backend.functions();
    const scales = new Map(this.#backend.scales().map((row) => [row.uid, row]));
    return records.map((record) => this.#function(record, scales.get(record.uid)));
  }

  async #getFunction(request: api.GetFunctionRequest): Promise<api.FunctionMessage> {
    const name = functionName(request.name);
    const record = await this.#backend.function(name);
    if (record === undefined) {
      throw new BatonError('not-found', `no function ${name}`, { hint: 'baton get functions lists them' });
    }
    const scale = this.#backend.scale(record.uid);
    const row = scale && { ...scale, uid: record.uid, concurrency: scale.load };
    return { ...this.#function(record, row), scale: scale && scaleReportOf(scale) };
  }

  #workers(): api.Worker[] {
    return this.#backend.workers().map((row) => ({
      id: row.id,
      state: row.state,
      cordoned: row.cordoned,
      draining: row.draining,
      driver: row.driver,
      isolation: row.isolation,
      labels: Object.fromEntries(row.labels.map(({ name, value }) => [name, value])),
      artifacts: row.artifacts,
      sandboxes: row.sandboxes,
      cpuMillis: row.capacity.cpuMillis,
      memoryMib: row.capacity.memoryMiB,
      maxSandboxes: row.capacity.sandboxes,
      allocatedCpuMillis: row.allocated.cpuMillis,
      allocatedMemoryMib: row.allocated.memoryMiB,
      heardMsAgo: Math.round(row.heardMsAgo),
    }));
  }

  #sandboxes(): api.Sandbox[] {
    return this.#backend.sandboxes().map((row) => ({
      id: row.id,
      function: row.function,
      worker: row.worker,
      pid: row.pid,
      state: row.state,
      address: row.address,
      generation: row.generation,
    }));
  }

  #dataPlanes(): api.DataPlane[] {
    return this.#backend.dataPlanes().map((row) => ({
      id: row.id,
      url: row.caller,
      peer: row.peer,
      live: row.live,
      endpointSeq: row.endpointSeq,
      specIndex: row.specIndex,
      inFlight: row.inFlight,
      queued: row.queued,
      heardMsAgo: Math.round(row.heardMsAgo),
    }));
  }

  #events(request: api.ListEventsRequest): api.ListEventsReply {
    const { rows, cursor, missed } = this.#backend.events({
      after: { term: request.afterTerm, seq: request.after },
      kinds: request.kinds.map(parseEventKind),
      function: request.function === '' ? '' : functionName(request.function, 'function'),
      limit: request.limit,
    });
    return { rows: [...rows], term: cursor.term, seq: cursor.seq, missed };
  }

  async #setCordon({ worker, on }: api.SetCordonRequest): Promise<api.SetCordonReply> {
    await this.#backend.cordon(workerId(worker), on);
    return { worker, cordoned: on };
  }

  async #getLogs(request: api.GetLogsRequest): Promise<api.GetLogsReply> {
    if (request.function === '' && request.sandbox === '') {
      throw new BatonError('invalid-argument', 'function: missing', {
        fields: { path: 'function' },
        hint: 'name a function or a sandbox',
      });
    }
    const page = await this.#backend.logs({
      function: request.function === '' ? '' : functionName(request.function, 'function'),
      sandbox: request.sandbox === '' ? '' : sandboxId(request.sandbox),
      cursors: request.cursors.map(({ worker, after }) => ({ worker: workerId(worker), after })),
      limit: Math.min(request.limit === 0 ? MAX_LOG_LINES : request.limit, MAX_LOG_LINES),
    });
    return {
      rows: page.rows.map(({ wallMs, worker, sandbox, stream, text }) => ({
        wallMs,
        worker,
        sandbox,
        stream,
        text,
      })),
      cursors: page.cursors.map(({ worker, after }) => ({ worker, after })),
      dropped: page.dropped,
    };
  }
}

function reconstructionOf(term: TermView): api.Reconstruction {
  const { phase, knownWorkers, reportedWorkers, ageMs, firstWorkerMs, allReportedMs, reconciledMs } = term;
  return {
    phase,
    knownWorkers,
    reportedWorkers,
    ageMs,
    firstWorkerMs,
    allReportedMs,
    reconciledMs,
    cause: term.cause,
    electionMs: term.electionMs,
  };
}

function scaleReportOf({ decision, beginsWith, waitingFor, change }: ScaleView): api.ScaleReport {
  return { decision, beginsWith, waitingFor: [...waitingFor], change };
}
