/**
 * All runs on one page that needs nothing else: who passed with which seed, and of each run its picture, its verdicts, its faults,
 * and the command that plays it again.
 */
import type { Distribution } from '../histories/history.ts';
import type { RunRow } from '../results.ts';
import { colours, escaped, FAULTS } from './markup.ts';
import { timelineSvg } from './timeline-svg.ts';

/** Of so many runs, all are open; of more, those that failed. */
const MOST_OPEN = 8;

const STYLE = `
  :root { color-scheme: light; }
  body { font: 14px/1.45 system-ui, sans-serif; color: #222; background: #fafafa; margin: 0 auto; max-width: 1180px; padding: 24px; }
  h1 { font-size: 22px; margin: 0 0 4px; }
  .good { color: #228833; } .bad { color: #cc3311; }
  table { border-collapse: collapse; }
  .matrix { margin: 16px 0; background: #fff; }
  .matrix th, .matrix td { border: 1px solid #e3e3e3; padding: 2px 8px; text-align: center; font-weight: 400; }
  .matrix th:first-child { text-align: left; }
  .matrix a { text-decoration: none; font-weight: 700; }
  details.run { background: #fff; border: 1px solid #ddd; border-radius: 6px; margin: 14px 0; padding: 10px 16px; }
  details.run > summary { cursor: pointer; font-size: 16px; font-weight: 600; }
  summary small { font-weight: 400; color: #666; }
  svg { display: block; width: 100%; height: auto; margin: 10px 0; }
  code { background: #f2f2f2; border-radius: 4px; padding: 3px 8px; user-select: all; }
  .verdicts td { padding: 1px 10px 1px 0; vertical-align: top; overflow-wrap: anywhere; }
  .verdicts td:nth-child(2) { font-weight: 600; white-space: nowrap; }
  .faults td { padding: 1px 10px 1px 0; vertical-align: top; overflow-wrap: anywhere; font-size: 13px; }
  .faults td:first-child, .faults td:nth-child(4) { text-align: right; white-space: nowrap; }
  .swatch { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 5px; }
  .legend { color: #555; } .legend span { margin-right: 16px; white-space: nowrap; }
`;

/** @param picturesOf SVGs of violations that belong to a run */
export function reportPage(rows: readonly RunRow[], picturesOf: (row: RunRow) => readonly string[]): string {
  const failed = rows.filter(({ ok }) => !ok).length;
  const sum = (of: (row: RunRow) => number): number => rows.reduce((total, row) => total + of(row), 0);
  const faults = sum((row) => Object.values(row.faults).reduce((total, count) => total + count, 0));
  const counted = [
    `${rows.length} ${rows.length === 1 ? 'run' : 'runs'}, ${failed === 0 ? 'all good' : `${failed} failed`}`,
    `${faults} faults`,
    `${sum(({ leaderChanges }) => leaderChanges)} leader changes`,
    `${requestsOf(rows).toLocaleString('en-US')} requests`,
    `${(sum(({ wallSeconds }) => wallSeconds) / 60).toFixed(1)} minutes`,
  ];
  return [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
    `<title>Chaos: ${rows.length} runs, ${failed} failed</title><style>${STYLE}</style></head><body>`,
    `<h1>Chaos <span class="${failed === 0 ? 'good' : 'bad'}">${failed === 0 ? '✓' : '✗'}</span></h1>`,
    `<p>${counted.join(' · ')}</p>`,
    matrix(rows),
    ...rows.map((row) => section(row, rows.length <= MOST_OPEN, picturesOf(row))),
    '</body></html>\n',
  ].join('\n');
}

const requestsOf = (rows: readonly RunRow[]): number =>
  rows.reduce((total, { requests }) => total + (typeof requests === 'number' ? requests : 0), 0);

const anchor = ({ command }: RunRow): string => command.replaceAll(/[^a-z0-9.]+/gi, '-');

/** Scenarios down, seeds across. */
function matrix(rows: readonly RunRow[]): string {
  const scenarios = [...new Set(rows.map(({ scenario }) => scenario))];
  const seeds = [...new Set(rows.map(({ seed }) => seed))].toSorted((a, b) => a - b);
  const cell = (scenario: string, seed: number): string => {
    const found = rows.filter((row) => row.scenario === scenario && row.seed === seed);
    const marks = found.map(
      (row) =>
        `<a class="${row.ok ? 'good' : 'bad'}" href="#${anchor(row)}" title="${escaped(row.command)}">${row.ok ? '✓' : '✗'}</a>`,
    );
    return `<td>${marks.join(' ')}</td>`;
  };
  return [
    '<table class="matrix">',
    `<tr><th>scenario \\ seed</th>${seeds.map((seed) => `<th>${seed}</th>`).join('')}</tr>`,
    ...scenarios.map(
      (scenario) =>
        `<tr><th>${escaped(scenario)}</th>${seeds.map((seed) => cell(scenario, seed)).join('')}</tr>`,
    ),
    '</table>',
  ].join('\n');
}

function section(row: RunRow, isOpen: boolean, pictures: readonly string[]): string {
  const { scenario, seed, ok, timeline, leaderChanges, wallSeconds, command, faults } = row;
  const kinds = Object.entries(faults)
    .filter(([, count]) => count > 0)
    .map(([kind, count]) => `${count} × ${kind}`);
  const came = [...kinds, `${leaderChanges} leader changes`, `${wallSeconds} s`].join(' · ');
  return [
    `<details class="run"${isOpen || !ok ? ' open' : ''}>`,
    `<summary><span class="${ok ? 'good' : 'bad'}">${ok ? '✓' : '✗'}</span> ${escaped(scenario)}, seed ${seed} <small>${escaped(came)}</small></summary>`,
    // Inside, so that whoever follows a link to it finds it open.
    `<div id="${anchor(row)}">`,
    ...(timeline === undefined
      ? ['<p>It broke before there was anything to see.</p>']
      : [legend(row), timelineSvg(`${scenario}, seed ${seed}: ${came}`, timeline)]),
    `<p>Again: <code>${escaped(command)}</code></p>`,
    verdicts(row),
    ...pictures,
    figures(row),
    faultTable(row),
    '</div></details>',
  ].join('\n');
}

function legend({ timeline }: RunRow): string {
  const kinds = colours(
    (timeline?.faults ?? []).map(({ kind }) => kind),
    FAULTS,
  );
  const entries = Array.from(
    kinds,
    ([kind, colour]) => `<span><i class="swatch" style="background:${colour}"></i>${escaped(kind)}</span>`,
  );
  return `<p class="legend">${entries.join('')}</p>`;
}

/** What failed comes first. */
function verdicts(row: RunRow): string {
  const all = Object.entries(row.verdicts).toSorted(([, a], [, b]) => Number(a.ok) - Number(b.ok));
  const lines = all.map(
    ([name, { ok, what }]) =>
      `<tr><td class="${ok ? 'good' : 'bad'}">${ok ? '✓' : '✗'}</td><td>${escaped(name)}</td><td>${escaped(what)}</td></tr>`,
  );
  return `<table class="verdicts">\n${lines.join('\n')}\n</table>`;
}

function figures({ requests, failures, latencyMs, keptIn }: RunRow): string {
  const told: string[] = [];
  if (typeof requests === 'number') told.push(`${requests.toLocaleString('en-US')} requests`);
  if (typeof failures === 'number') told.push(`${failures} failed`);
  if (typeof latencyMs === 'object' && latencyMs !== null)
    for (const [name, value] of Object.entries(latencyMs)) {
      const { n, p50, p99, max } = value as Distribution;
      told.push(`${name}: ${n} in p50 ${p50}, p99 ${p99}, max ${max} ms`);
    }
  if (typeof keptIn === 'string') told.push(`logs and disks in ${keptIn}`);
  return `<p>${escaped(told.join(' · '))}</p>`;
}

function faultTable({ timeline }: RunRow): string {
  const faults = timeline?.faults ?? [];
  const lines = faults.map(
    ({ kind, target, fromMs, toMs, proof }, i) =>
      `<tr><td>${i + 1}</td><td>${escaped(kind)}</td><td>${escaped(target)}</td><td>${(fromMs / 1_000).toFixed(1)}–${(toMs / 1_000).toFixed(1)} s</td><td>${escaped(proof)}</td></tr>`,
  );
  return `<details><summary>${faults.length} faults, and what shows that they happened</summary><table class="faults">\n${lines.join('\n')}\n</table></details>`;
}
