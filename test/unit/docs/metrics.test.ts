/** docs/metrics.md against what processes export. */
import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { processMetrics } from '../../../src/api/metrics.ts';
import { replicaMetrics, type ReplicaFigures } from '../../../src/control-plane/metrics.ts';
import { DataPlaneMetrics } from '../../../src/data-plane/metrics.ts';
import { tableRows } from './tables.ts';

interface Exported {
  readonly name: string;
  readonly type: string;
  readonly labels: string;
}

const documented = tableRows('docs/metrics.md', 'Metric').map((row): Exported => ({
  name: row['Metric'] ?? '',
  type: row['Type'] ?? '',
  labels: row['Labels'] ?? '',
}));
const inOrder = (rows: readonly Exported[]): readonly Exported[] =>
  [...rows].sort((a, b) => (a.name < b.name ? -1 : 1));

const some = new Map([['some', 1]]);
/** Everything that can be there is there. */
const FIGURES: ReplicaFigures = {
  raft: { term: 3, commit: 9, refusedMessages: 0 },
  appliedIndex: 9,
  functions: 1,
  refusedWork: 0,
  dropped: some,
  leader: {
    received: some,
    events: some,
    workers: 1,
    dataPlanes: 1,
    sandboxes: 1,
    ready: 1,
    endpointSeq: 1,
    reconstruction: {
      phase: 'reconciled',
      ageMs: 4_000,
      knownWorkers: 1,
      reportedWorkers: 1,
      firstWorkerMs: 1,
      allReportedMs: 2,
      reconciledMs: 3_000,
    },
  },
};

describe('docs/metrics.md', () => {
  it('lists what a replica that leads exports, with type and labels', () => {
    const exported = [...replicaMetrics(FIGURES), ...processMetrics()].map(({ name, type, samples }) => ({
      name,
      type,
      labels: Object.keys(samples[0]?.labels ?? {}).join(', '),
    }));
    expect(inOrder(documented.filter(({ name }) => !name.startsWith('baton_data_plane_')))).toEqual(
      inOrder(exported),
    );
  });

  it('says of which of them only a leader has', () => {
    const all = new Set(replicaMetrics({ ...FIGURES, leader: undefined }).map(({ name }) => name));
    const rows = tableRows('docs/metrics.md', 'Metric').filter(({ Metric = '' }) =>
      /^baton_(?!data_plane_)/.test(Metric),
    );
    const leaders = rows.filter(({ Meaning = '' }) => Meaning.startsWith('leader: '));
    expect(leaders.map(({ Metric }) => Metric)).toEqual(
      rows.map(({ Metric }) => Metric).filter((name) => !all.has(name ?? '')),
    );
  });

  it('lists what a data plane exports, with type and labels', () => {
    const zero = (): number => 0;
    const { registry } = new DataPlaneMetrics(new Registry(), {
      inFlight: zero,
      queued: zero,
      endpoints: zero,
      unconfirmed: zero,
      functions: zero,
      endpointSeq: zero,
      specIndex: zero,
      term: zero,
      synced: () => false,
    });
    const exported = registry.getMetricsAsArray().map((metric) => ({
      name: metric.name,
      type: String(metric.type),
      labels: (metric as unknown as { labelNames: readonly string[] }).labelNames.join(', '),
    }));
    expect(inOrder(documented.filter(({ name }) => name.startsWith('baton_data_plane_')))).toEqual(
      inOrder(exported),
    );
  });

  it('says of each what it means', () => {
    for (const row of tableRows('docs/metrics.md', 'Metric'))
      expect(row['Meaning'], row['Metric']).not.toBe('');
  });
});
