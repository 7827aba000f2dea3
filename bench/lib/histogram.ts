/** Histograms as SVG, one under the other, on one logarithmic axis of milliseconds; median and 99th percentile are lines. */
import { distribution } from './figures.ts';

export interface Histogram {
  readonly title: string;
  readonly valuesMs: readonly number[];
  readonly colour: string;
}

const WIDTH = 900;
const LEFT = 60;
const RIGHT = 24;
const PLOT = 120;
const TITLE = 44;
const AXIS = 30;
const BARS = 80;

export function histogramSvg(title: string, histograms: readonly Histogram[], footnote: string): string {
  const all = histograms.flatMap(({ valuesMs }) => valuesMs).filter((ms) => ms > 0);
  const low = Math.log10(Math.min(1, ...all));
  const high = Math.log10(Math.max(10, ...all) * 1.05);
  const x = (ms: number): number =>
    LEFT + ((Math.log10(Math.max(ms, 10 ** low)) - low) / (high - low)) * (WIDTH - LEFT - RIGHT);
  const parts: string[] = [];
  let y = 34;
  for (const histogram of histograms) {
    parts.push(...panel(histogram, x, y, low, high));
    y += TITLE + PLOT + AXIS;
  }
  const height = y + 36;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12" fill="#333">`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    `<text x="16" y="24" font-size="15">${escaped(title)}</text>`,
    ...parts,
    `<text x="16" y="${y + 20}" fill="#777">${escaped(footnote)}</text>`,
    '</svg>\n',
  ].join('\n');
}

function panel(
  { title, valuesMs, colour }: Histogram,
  x: (ms: number) => number,
  top: number,
  low: number,
  high: number,
): string[] {
  const { n, p50, p99, max } = distribution(valuesMs);
  const counts = Array.from({ length: BARS }, () => 0);
  for (const ms of valuesMs) {
    const share = (Math.log10(Math.max(ms, 10 ** low)) - low) / (high - low);
    const at = Math.min(BARS - 1, Math.floor(share * BARS));
    counts[at] = (counts[at] ?? 0) + 1;
  }
  const most = Math.max(1, ...counts);
  const base = top + TITLE + PLOT;
  const wide = (WIDTH - LEFT - RIGHT) / BARS;
  const bars = counts.map((count, i) => {
    const tall = Math.round((count / most) * PLOT);
    return count === 0
      ? ''
      : `<rect x="${(LEFT + i * wide).toFixed(1)}" y="${base - tall}" width="${(wide - 1).toFixed(1)}" height="${tall}" fill="${colour}"/>`;
  });
  const line = (ms: number, label: string, lift: number): string =>
    `<line x1="${x(ms).toFixed(1)}" y1="${top + TITLE - lift}" x2="${x(ms).toFixed(1)}" y2="${base}" stroke="#cc3311"/>` +
    `<text x="${(x(ms) + 4).toFixed(1)}" y="${top + TITLE - lift + 10}" fill="#cc3311">${label} ${ms} ms</text>`;
  return [
    `<text x="16" y="${top + 16}" font-weight="bold">${escaped(title)}</text>`,
    `<text x="${WIDTH - RIGHT}" y="${top + 16}" text-anchor="end" fill="#777">n ${n}, max ${max} ms</text>`,
    `<text x="${LEFT - 6}" y="${top + TITLE + 10}" text-anchor="end" fill="#777">${most}</text>`,
    ...bars.filter((bar) => bar !== ''),
    `<line x1="${LEFT}" y1="${base}" x2="${WIDTH - RIGHT}" y2="${base}" stroke="#333"/>`,
    ...ticks(low, high).map(
      (ms) =>
        `<line x1="${x(ms).toFixed(1)}" y1="${base}" x2="${x(ms).toFixed(1)}" y2="${base + 4}" stroke="#333"/>` +
        `<text x="${x(ms).toFixed(1)}" y="${base + 17}" text-anchor="middle">${ms}</text>`,
    ),
    line(p50, 'p50', 18),
    line(p99, 'p99', 4),
  ];
}

function ticks(low: number, high: number): number[] {
  const all: number[] = [];
  for (let decade = Math.floor(low); decade <= high; decade++)
    for (const step of [1, 2, 5]) {
      const ms = Number((step * 10 ** decade).toPrecision(1));
      if (Math.log10(ms) >= low && Math.log10(ms) <= high) all.push(ms);
    }
  return all;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
