/** The result for people: a table for the terminal, a picture for the page. */
import { barsSvg } from '../lib/bars.ts';
import type { Distribution } from '../lib/figures.ts';
import { table } from '../lib/table.ts';
import { TARGETS, type MetadataResult, type Throughput } from './result.ts';

const GREY = '#bbbbbb';
const BLUE = '#4477aa';

const ms = (value: number): string => `${value} ms`;
const perSecond = (value: number): string => `${Math.round(value).toLocaleString('en')}/s`;

export function metadataTable(result: MetadataResult): string {
  const { fdatasync, one, grpc64, leader, machine, rows } = result;
  const line = (what: string, rate: string, figures: Distribution, target: string): string[] => [
    what,
    rate,
    ms(figures.p50),
    ms(figures.p99),
    ms(figures.max),
    target,
  ];
  const cpu = (what: string, { cpuUsPerOp, cpuUsPerOpBy: by }: Throughput): string[] => [
    what,
    ...[cpuUsPerOp, by.leader, (by.follower1 + by.follower2) / 2, by.nats, by.client].map((us) =>
      String(Math.round(us)),
    ),
  ];
  const loads = rows.map(({ loadAverage }) => loadAverage).join(', ');
  return [
    table([
      ['', 'rate', 'p50', 'p99', 'max', 'target'],
      line('append of 300 bytes + fdatasync', perSecond(fdatasync.perSecond), fdatasync, ''),
      line('one caller, gRPC', '', one, `p50 ≤ ${TARGETS.oneP50Ms} ms`),
      line(
        '64 callers, gRPC',
        perSecond(grpc64.perSecond),
        grpc64.latency,
        `≥ ${perSecond(TARGETS.grpcPerSecond)}`,
      ),
      line(
        'inside the leader',
        perSecond(leader.perSecond),
        leader.latency,
        `≥ ${perSecond(TARGETS.leaderPerSecond)}`,
      ),
    ]),
    table([
      ['CPU, µs per registration', 'all', 'leader', 'a follower', 'NATS', 'callers'],
      cpu('64 callers, gRPC', grpc64),
      cpu('inside the leader', leader),
    ]),
    `  ${machine.cores} cores ${machine.cpu}, ${machine.fileSystem}, Linux ${machine.kernel}, Node ${machine.node}; ` +
      `medians of ${rows.length} rounds; load average before them ${loads}\n`,
  ].join('\n');
}

export function metadataSvg(result: MetadataResult): string {
  const { fdatasync, one, grpc64, leader, machine, rows } = result;
  const rate = (label: string, value: number, colour: string, target?: number) => ({
    label,
    value,
    text: perSecond(value),
    colour,
    ...(target === undefined ? {} : { target }),
  });
  const latency = (label: string, value: number, colour: string, target?: number) => ({
    label,
    value,
    text: ms(value),
    colour,
    ...(target === undefined ? {} : { target }),
  });
  return barsSvg(
    'Durable registrations on three replicas',
    [
      {
        title: 'per second (red: at least)',
        bars: [
          rate('fdatasync, one writer', fdatasync.perSecond, GREY),
          rate('64 callers, gRPC', grpc64.perSecond, BLUE, TARGETS.grpcPerSecond),
          rate('inside the leader', leader.perSecond, BLUE, TARGETS.leaderPerSecond),
        ],
      },
      {
        title: 'latency, ms (red: at most)',
        bars: [
          latency('fdatasync p50', fdatasync.p50, GREY),
          latency('fdatasync p99', fdatasync.p99, GREY),
          latency('one caller p50', one.p50, BLUE, TARGETS.oneP50Ms),
          latency('one caller p99', one.p99, BLUE),
          latency('64 callers p50', grpc64.latency.p50, BLUE),
          latency('64 callers p99', grpc64.latency.p99, BLUE),
        ],
      },
    ],
    `${machine.cores} cores ${machine.cpu}, ${machine.fileSystem}, Node ${machine.node}; medians of ${rows.length} rounds`,
  );
}
