/** A run as a table and as histograms. */
import type { Distribution } from '../lib/figures.ts';
import { histogramSvg } from '../lib/histogram.ts';
import { table } from '../lib/table.ts';
import type { FailoverResult, Target } from './result.ts';
import { STAGE_NAMES } from './stages.ts';

const BLUE = '#4477aa';
const GREEN = '#228833';
const GREY = '#888888';

const ms = (value: number): string => `${value} ms`;

function line(what: string, { n, p50, p99, max }: Distribution, wanted = ''): string[] {
  return [what, String(n), ms(p50), ms(p99), ms(max), wanted];
}

function wantedOf(target: Target | undefined): string {
  if (target === undefined) return '';
  return target.p50 === undefined ? `p99 ≤ ${target.p99}` : `p50 ≤ ${target.p50}, p99 ≤ ${target.p99}`;
}

export function failoverTable(result: FailoverResult): string {
  const { newLeaderMs, firstColdStartMs, targets, stages, detectionMs, machine, warm, cold } = result;
  return [
    table([
      [`${result.kills} × ${result.fault}`, 'n', 'p50', 'p99', 'max', 'wanted'],
      line('new leader', newLeaderMs, wantedOf(targets.newLeaderMs)),
      line('first cold start', firstColdStartMs, wantedOf(targets.firstColdStartMs)),
      ...Object.entries(detectionMs).map(([cause, figures]) => line(`detected by ${cause}`, figures)),
      ...STAGE_NAMES.map((name) => line(`  ${name}`, stages[name])),
      line('warm request', warm.latencyMs),
      line('cold request', cold.latencyMs),
    ]),
    table([
      ['', 'seen', 'wanted'],
      ['warm requests, failed', `${warm.failed} of ${warm.sent}`, '0'],
      ['cold requests, failed', `${cold.failed} of ${cold.sent}`, '0'],
      ['cold requests that were not cold', String(result.notCold), '≤ 1 %'],
      ['false elections', String(result.falseElections), '0'],
      ['terms without a leader', String(result.termsWithoutLeader), ''],
      ['acts under a lower fence', `${result.staleActs} of ${result.fencedActs}`, '0'],
      ['messages of deposed leaders, refused', String(result.refusedMessages), ''],
      ['one state at the end', result.oneState ? 'yes' : 'no', 'yes'],
    ]),
    `  hints ${result.hints.join(', ') || 'none'}; seed ${result.seed}; ${result.seconds} s; ${machine.cores} cores ${machine.cpu}, ` +
      `${machine.fileSystem}, Linux ${machine.kernel}, Node ${machine.node}; load average ${result.loadAverage}; replicas at niceness ${result.replicaNiceness}; ` +
      `the load generator was late by at most ${result.generatorLateMs} ms\n`,
    ...result.failures.map((failure) => `  failed: ${failure}\n`),
  ].join('\n');
}

export function failoverSvg(result: FailoverResult): string {
  const { rows, fault, hints, machine, seed, loadAverage } = result;
  return histogramSvg(
    `${rows.length} leaders lost (${fault === 'kill' ? 'kill -9' : 'SIGSTOP'}), under ${result.requests.toLocaleString('en')} requests`,
    [
      {
        title: 'fault → a new leader’s no-op is applied',
        valuesMs: rows.map((row) => row.newLeaderMs),
        colour: BLUE,
      },
      {
        title: 'fault → first byte of a cold start sent after it',
        valuesMs: rows.map((row) => row.firstColdStartMs),
        colour: GREEN,
      },
      {
        title: 'fault → the successor believes it',
        valuesMs: rows.flatMap(({ stages }) => stages.detection ?? []),
        colour: GREY,
      },
    ],
    `hints ${hints.join(', ')}; seed ${seed}; ${machine.cores} cores ${machine.cpu}, Node ${machine.node}; load average ${loadAverage}`,
  );
}
