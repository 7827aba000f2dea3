/** The figures of a fleet, what was promised of them, and how they grow. */
import { barsSvg, type Bar } from '../lib/bars.ts';
import type { Machine } from '../lib/machine.ts';
import { table } from '../lib/table.ts';
import type { FailoverFigures } from './failover.ts';
import type { FleetSize } from './fleet.ts';
import type { SteadyFigures } from './steady.ts';

export type ScaleRow = FleetSize & SteadyFigures & FailoverFigures;

/** Of 5,000 workers with 100,000 sandboxes. */
const TARGETS = { leaderCpuPct: 35, leaderRssMiB: 400, reconstructMs: 3_000, firstPlacementMs: 100 } as const;
const BLUE = '#4477aa';

export function holds(row: ScaleRow): boolean {
  return (
    Object.entries(TARGETS).every(([name, most]) => row[name as keyof typeof TARGETS] <= most) &&
    row.wrongKills + row.wrongWithdrawals + row.extraElections === 0
  );
}

export function scaleTable(rows: readonly ScaleRow[], machine: Machine): string {
  const line = (label: string, of: (row: ScaleRow) => number | string, wanted = ''): string[] => [
    label,
    ...rows.map((row) => String(of(row))),
    wanted,
  ];
  return [
    table([
      line('workers', ({ workers }) => workers, 'wanted'),
      line('sandboxes', ({ sandboxes }) => sandboxes),
      line('heartbeats/s', ({ heartbeatsPerSecond }) => heartbeatsPerSecond),
      line('leader, % of a core', ({ leaderCpuPct }) => leaderCpuPct, `≤ ${TARGETS.leaderCpuPct}`),
      line('leader, MiB', ({ leaderRssMiB }) => leaderRssMiB, `≤ ${TARGETS.leaderRssMiB}`),
      line('new leader, ms', ({ newLeaderMs }) => newLeaderMs),
      line('holds all, ms', ({ reconstructMs }) => reconstructMs, `≤ ${TARGETS.reconstructMs}`),
      line('  CPU of leader, ms', ({ reconstructCpuMs: cpu }) => cpu.leader),
      line('  of all, ms', ({ reconstructCpuMs: cpu }) => Object.values(cpu).reduce((a, b) => a + b)),
      line(
        'first cold start, ms',
        ({ firstPlacementMs }) => firstPlacementMs,
        `≤ ${TARGETS.firstPlacementMs}`,
      ),
      line('wrong kills', ({ wrongKills }) => wrongKills, '0'),
      line('wrong withdrawals', ({ wrongWithdrawals }) => wrongWithdrawals, '0'),
      line('extra elections', ({ extraElections }) => extraElections, '0'),
      line('cold calls, failed', ({ coldCalls, coldFailures }) => `${coldFailures} of ${coldCalls}`),
    ]),
    `  ${machine.cores} cores ${machine.cpu}, Linux ${machine.kernel}, Node ${machine.node}; everything on one machine\n`,
  ].join('\n');
}

export function scaleSvg(rows: readonly ScaleRow[], machine: Machine): string {
  const bars = (name: keyof typeof TARGETS, unit: string): Bar[] =>
    rows.map((row) => ({
      label: `${row.workers} workers, ${row.sandboxes} sandboxes`,
      value: row[name],
      text: `${row[name]} ${unit}`,
      colour: BLUE,
      target: TARGETS[name],
    }));
  return barsSvg(
    'A fleet of simulated workers, and its leader',
    [
      {
        title: 'leader, % of a core, one heartbeat per worker and second (red: at most)',
        bars: bars('leaderCpuPct', '%'),
      },
      { title: 'leader, resident memory', bars: bars('leaderRssMiB', 'MiB') },
      {
        title: 'leader killed: the new one holds every sandbox, after it won',
        bars: bars('reconstructMs', 'ms'),
      },
      { title: 'leader killed: first cold start served, after it won', bars: bars('firstPlacementMs', 'ms') },
    ],
    `${machine.cores} cores ${machine.cpu}, Node ${machine.node}; everything on one machine`,
  );
}
