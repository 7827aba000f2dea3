/** The report: one page that needs nothing else and tells everything. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Timeline } from '../../../chaos/histories/chronicle.ts';
import { reportPage } from '../../../chaos/report/page.ts';
import { momentsOf, timelineSvg } from '../../../chaos/report/timeline-svg.ts';
import { writeReport } from '../../../chaos/report/write.ts';
import type { RunRow } from '../../../chaos/results.ts';

const timeline: Timeline = {
  binMs: 100,
  endMs: 500,
  served: [10, 20, 30, 0, 40],
  failed: [0, 0, 2, 0, 0],
  worstMs: [5, 6, 700, 0, 8],
  leaders: [
    { id: 'r1', term: 1, fromMs: 0, toMs: 210 },
    { id: 'r3', term: 4, fromMs: 210, toMs: 500 },
  ],
  faults: [
    { kind: 'leader-kill', target: 'r1', fromMs: 200, toMs: 330, proof: 'pid 7 gone, <r3> leads' },
    { kind: 'nats-pause', target: 'n1, n2', fromMs: 400, toMs: 450, proof: 'stopped' },
  ],
};

const row = (changes: Partial<RunRow> = {}): RunRow => ({
  scenario: 'leader-kill',
  seed: 5,
  ok: true,
  verdicts: { ledger: { ok: true, what: '102 requests' }, conv: { ok: true, what: 'one view' } },
  faults: { 'leader-kill': 1, 'nats-pause': 1 },
  leaderChanges: 1,
  wallSeconds: 30,
  command: 'npm run chaos -- --scenario leader-kill --seed 5',
  commit: 'abc1234',
  requests: 102,
  failures: 2,
  latencyMs: { warm: { n: 102, p50: 5, p99: 600, max: 700 } },
  timeline,
  ...changes,
});

const page = (...rows: RunRow[]): string => reportPage(rows, () => []);
const count = (text: string, part: string): number => text.split(part).length - 1;

describe('the page', () => {
  it('needs nothing from elsewhere', () => {
    const text = page(row());
    expect(text).not.toMatch(/<script|<link|<img|@import|url\(|\ssrc=/);
    expect(text.replaceAll('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:/);
  });

  it('tells of a run its verdicts, its faults with their proofs, its figures and its command', () => {
    const text = page(row());
    expect(text).toContain('<code>npm run chaos -- --scenario leader-kill --seed 5</code>');
    for (const part of ['102 requests', 'one view', 'pid 7 gone, &lt;r3&gt; leads', '2 failed', 'p99 600'])
      expect(text).toContain(part);
    expect(text).toContain('1 run, all good · 2 faults · 1 leader changes · 102 requests · 0.5 minutes');
  });

  it('has each run in its scenario’s row and its seed’s column, and a link that leads there', () => {
    const rows = [row(), row({ seed: 6, command: 'b' }), row({ scenario: 'storm', command: 'c', ok: false })];
    const text = page(...rows);
    expect(text).toContain('<th>scenario \\ seed</th><th>5</th><th>6</th>');
    const [, storm = ''] = text.split('<tr><th>storm</th>');
    expect(storm.startsWith('<td><a class="bad" href="#c"')).toBe(true);
    expect(storm.split('</tr>')[0]).toContain('<td></td>');
    for (const [, target] of text.matchAll(/href="#([^"]+)"/g)) expect(text).toContain(`id="${target}"`);
  });

  it('shows what failed first, and open', () => {
    const good = Array.from({ length: 9 }, (_, seed) => row({ seed, command: `good ${seed}` }));
    const verdicts = { ledger: { ok: true, what: 'x' }, lin: { ok: false, what: 'no order <fits>' } };
    const text = page(...good, row({ ok: false, seed: 77, command: 'bad', verdicts }));
    expect(text).toContain('10 runs, 1 failed');
    expect(count(text, '<details class="run" open>')).toBe(1);
    expect(text.indexOf('no order &lt;fits&gt;')).toBeLessThan(text.indexOf('<td>x</td>'));
  });

  it('has room for a run that broke before there was anything to see', () => {
    const verdicts = { run: { ok: false, what: 'no port' } };
    const text = page(row({ ok: false, timeline: undefined, verdicts, faults: {}, requests: undefined }));
    expect(text).toContain('no port');
    expect(text).not.toContain('<svg');
  });
});

describe('the picture of a run', () => {
  it('has a band for each fault, with what shows it, and a span for each leader', () => {
    const svg = timelineSvg('leader-kill', timeline);
    expect(svg).toContain('<title>1. leader-kill: r1\npid 7 gone, &lt;r3&gt; leads</title>');
    expect(svg).toContain('<title>2. nats-pause: n1, n2\nstopped</title>');
    expect(svg).toContain('r3 leads term 4 from 0.2 s');
    expect(svg).toContain('<title>2 failed</title>');
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  });

  it('says so where nothing failed, and stands a run in which nothing happened', () => {
    const empty = { ...timeline, endMs: 0, served: [], failed: [], worstMs: [], leaders: [], faults: [] };
    const svg = timelineSvg('nothing', empty);
    expect(svg).toContain('>none<');
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  });

  it('puts bins of a long run together, and loses no request', () => {
    const bins = 18_000;
    const each = (value: number): number[] => Array.from({ length: bins }, () => value);
    const worstMs = each(3);
    worstMs[12_345] = 900;
    const long = { ...timeline, endMs: bins * 100, served: each(10), failed: each(1), worstMs };
    const { served, failed, worstMs: worst, everyMs } = momentsOf(long);
    expect(served.length).toBeLessThanOrEqual(320);
    expect(served.length * everyMs).toBeGreaterThanOrEqual(long.endMs);
    expect(failed.reduce((sum, n) => sum + n, 0)).toBe(bins);
    expect(served[0]).toBe(100);
    expect(worst.filter((ms) => ms === 900)).toHaveLength(1);
  });
});

it('is written in one step, with pictures of violations that are there', () => {
  const folder = mkdtempSync(join(tmpdir(), 'baton-unit-report-'));
  try {
    const picture = join(folder, 'violation.svg');
    writeFileSync(picture, '<svg id="violation"></svg>');
    const path = writeReport(folder, [row({ pictures: [picture, join(folder, 'gone.svg')] })]);
    expect(existsSync(path)).toBe(true);
    expect(readFileSync(path, 'utf8')).toContain('<svg id="violation"></svg>');
    expect(readdirSync(folder).toSorted()).toEqual(['index.html', 'violation.svg']);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
