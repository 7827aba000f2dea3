/** What a replica counts, and what it means in one line. docs/metrics.md says what to make of it. */
import type { Metric } from '../api/backend.ts';
import type { ReconstructionView } from '../core/leader/types.ts';
import type { RaftStatus } from '../core/raft/types.ts';

export interface ReplicaFigures {
  readonly raft: Pick<RaftStatus, 'term' | 'commit' | 'refusedMessages'>;
  readonly appliedIndex: number;
  readonly functions: number;
  readonly refusedWork: number;
  /** By kind of message. */
  readonly dropped: ReadonlyMap<string, number>;
  /** Undefined: it does not lead. */
  readonly leader: LeaderFigures | undefined;
}

export interface LeaderFigures {
  /** By kind of message. */
  readonly received: ReadonlyMap<string, number>;
  /** By kind of event. */
  readonly events: ReadonlyMap<string, number>;
  readonly workers: number;
  readonly dataPlanes: number;
  readonly sandboxes: number;
  readonly ready: number;
  readonly endpointSeq: number;
  readonly reconstruction: ReconstructionView;
}

const PHASES: readonly ReconstructionView['phase'][] = ['announced', 'known-workers', 'reconciled'];

export function replicaMetrics(figures: ReplicaFigures): Metric[] {
  const { raft, leader } = figures;
  return [
    gauge('baton_raft_term', 'Highest term that this replica knows', raft.term),
    gauge('baton_raft_commit_index', 'Index up to which the log is committed, as known here', raft.commit),
    gauge('baton_raft_applied_index', 'Index up to which the log is applied here', figures.appliedIndex),
    gauge(
      'baton_raft_is_leader',
      '1 while this replica leads, its no-op applied',
      leader === undefined ? 0 : 1,
    ),
    counter(
      'baton_raft_refused_messages',
      'Raft messages of another cluster or membership, or of an earlier life',
      raft.refusedMessages,
    ),
    gauge('baton_functions', 'Functions registered, as applied here', figures.functions),
    counter(
      'baton_loop_refused_work',
      'Pieces of work that the turn loop had no room for',
      figures.refusedWork,
    ),
    counter('baton_dropped_messages', 'Bus messages dropped because nobody can read them', {
      kind: figures.dropped,
    }),
    ...(leader === undefined ? [] : [...leaderMetrics(leader), ...termMetrics(leader.reconstruction)]),
  ];
}

function leaderMetrics(leader: LeaderFigures): Metric[] {
  return [
    counter('baton_received_messages', 'Bus messages received while leading this term', {
      kind: leader.received,
    }),
    counter('baton_leader_events', 'What this replica did while it led (baton events), by kind', {
      kind: leader.events,
    }),
    gauge('baton_workers', 'Workers alive', leader.workers),
    gauge('baton_data_planes', 'Data planes whose lease runs', leader.dataPlanes),
    gauge('baton_sandboxes', 'Sandboxes that are counted on, or are on their way out', leader.sandboxes),
    gauge('baton_sandboxes_ready', 'Sandboxes that are ready, as their workers say', leader.ready),
    gauge('baton_endpoint_seq', 'Last endpoint batch published in this term', leader.endpointSeq),
  ];
}

function termMetrics(of: ReconstructionView): Metric[] {
  const stages = [
    ['first-worker', of.firstWorkerMs],
    ['all-reported', of.allReportedMs],
    ['reconciled', of.reconciledMs],
  ] as const;
  const reached = stages.flatMap(([stage, ms]) => (ms === undefined ? [] : [[stage, ms / 1_000] as const]));
  return [
    gauge('baton_term_age_seconds', 'For how long this replica has been leading', of.ageMs / 1_000),
    gauge(
      'baton_reconciled',
      '1 once the reconstruction of this term is closed',
      of.phase === 'reconciled' ? 1 : 0,
    ),
    gauge('baton_reconstruction_phase', '1 for the phase that reconstruction is in, 0 for the others', {
      phase: new Map(PHASES.map((phase) => [phase, phase === of.phase ? 1 : 0])),
    }),
    gauge('baton_reconstruction_seconds', 'From the beginning of the term until a stage was reached', {
      stage: new Map(reached),
    }),
    gauge(
      'baton_reconstruction_known_workers',
      'Workers heard in this term, or named by a data plane',
      of.knownWorkers,
    ),
    gauge(
      'baton_reconstruction_reported_workers',
      'Of these, the ones that have said all that they run',
      of.reportedWorkers,
    ),
  ];
}

/** One value, or one for each value of one label. */
type Values = number | Readonly<Record<string, ReadonlyMap<string, number>>>;

function gauge(name: string, help: string, values: Values): Metric {
  return { name, type: 'gauge', help, samples: samplesOf(values) };
}

function counter(name: string, help: string, values: Values): Metric {
  return { name, type: 'counter', help, samples: samplesOf(values) };
}

function samplesOf(values: Values): Metric['samples'] {
  if (typeof values === 'number') return [{ labels: {}, value: values }];
  return Object.entries(values).flatMap(([label, series]) =>
    [...series].map(([of, value]) => ({ labels: { [label]: of }, value })),
  );
}
