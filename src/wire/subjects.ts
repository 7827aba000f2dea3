/**
 * Every subject of the bus. All begin `baton.<clusterId>.`; the last token is always the sender, so that NATS permissions
 * make identity (docs/protocol.md). Ids are DNS labels (lib/ids), so none can hold a wildcard or a dot.
 */
import type { ClusterId, DataPlaneId, ReplicaId, WorkerId } from '../lib/ids.ts';

/** Kinds of message that are meant for the leader of one term. */
export type LeadKind =
  | 'heartbeat' // worker: heartbeat, hello, inventory
  | 'change' // worker: heartbeat that says what became of a sandbox; a caller may wait for it
  | 'report' // data plane: report, held
  | 'demand' // data plane, request: DemandAck
  | 'lookup' // data plane, request: LookupReply
  | 'pull'; // data plane, request: PullReply

const LEAD_KINDS: ReadonlySet<string> = new Set<LeadKind>([
  'heartbeat',
  'change',
  'report',
  'demand',
  'lookup',
  'pull',
]);

/** Undefined: a newer sender's, or nobody's. */
export function leadKindOf(subject: string): LeadKind | undefined {
  const kind = kindOf(subject);
  return LEAD_KINDS.has(kind) ? (kind as LeadKind) : undefined;
}

export interface Subjects {
  /** Raft messages and probes from one replica to another. */
  raft(to: ReplicaId, from: ReplicaId): string;
  raftInbox(to: ReplicaId): string;
  beacon(from: ReplicaId): string;
  readonly beacons: string;
  endpoints(from: ReplicaId): string;
  readonly allEndpoints: string;
  specs(from: ReplicaId): string;
  readonly allSpecs: string;
  lead(term: number, kind: LeadKind, from: WorkerId | DataPlaneId): string;
  /** Everything meant for the leader of this term; only that leader subscribes. */
  leadInbox(term: number): string;
  /** Numbered commands, and notices, to one worker. */
  command(to: WorkerId, from: ReplicaId): string;
  commandInbox(to: WorkerId): string;
  notice(to: WorkerId, from: ReplicaId): string;
  noticeInbox(to: WorkerId): string;
  /** Requests to one worker: logs. */
  query(to: WorkerId, from: ReplicaId): string;
  queryInbox(to: WorkerId): string;
}

export function subjects(cluster: ClusterId): Subjects {
  const root = `baton.${cluster}`;
  return {
    raft: (to, from) => `${root}.raft.${to}.${from}`,
    raftInbox: (to) => `${root}.raft.${to}.*`,
    beacon: (from) => `${root}.beacon.${from}`,
    beacons: `${root}.beacon.*`,
    endpoints: (from) => `${root}.endpoints.${from}`,
    allEndpoints: `${root}.endpoints.*`,
    specs: (from) => `${root}.specs.${from}`,
    allSpecs: `${root}.specs.*`,
    lead: (term, kind, from) => `${root}.lead.${term}.${kind}.${from}`,
    leadInbox: (term) => `${root}.lead.${term}.*.*`,
    command: (to, from) => `${root}.worker.${to}.command.${from}`,
    commandInbox: (to) => `${root}.worker.${to}.command.*`,
    notice: (to, from) => `${root}.worker.${to}.notice.${from}`,
    noticeInbox: (to) => `${root}.worker.${to}.notice.*`,
    query: (to, from) => `${root}.worker.${to}.query.${from}`,
    queryInbox: (to) => `${root}.worker.${to}.query.*`,
  };
}

/** The sender: the subject's last token. */
export function senderOf(subject: string): string {
  return subject.slice(subject.lastIndexOf('.') + 1);
}

/** The token before the sender: for `lead` subjects, the kind. */
export function kindOf(subject: string): string {
  const end = subject.lastIndexOf('.');
  return subject.slice(subject.lastIndexOf('.', end - 1) + 1, end);
}
