/**
 * A run as a picture, its lanes under one clock: requests served, the slowest of each moment, failures, who led in which term,
 * and the faults as numbered bands through all of them.
 */
import type { FaultBand, Timeline } from '../histories/chronicle.ts';
import { BAD, colours, escaped, FAULTS, LEADERS } from './markup.ts';

const WIDTH = 1_080;
const LEFT = 132;
const RIGHT = 16;
const TOP = 26;
const GAP = 16;
const AXIS = 22;
const PLOT_WIDTH = WIDTH - LEFT - RIGHT;
/** More would be narrower than can be seen. */
const MOST_POINTS = 320;
/** A label that does not fit is left to the tooltip. */
const CHARACTER_PX = 6.6;
const LEAST_MS = 0.5;
const HEADS = [1, 1.5, 2, 3, 4, 6, 8] as const;
/** Between two ticks, in seconds. */
const STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200] as const;
const MOST_TICKS = 13;

/** Bins put together, so that there are no more than can be seen. */
export interface Moments {
  readonly everyMs: number;
  /** In a second. */
  readonly served: readonly number[];
  /** In the whole moment. */
  readonly failed: readonly number[];
  readonly worstMs: readonly number[];
}

export function momentsOf({ binMs, endMs, served, failed, worstMs }: Timeline): Moments {
  const bins = Math.max(1, Math.ceil(endMs / binMs));
  const together = Math.ceil(bins / MOST_POINTS);
  const everyMs = binMs * together;
  const count = Math.ceil(bins / together);
  const of = (values: readonly number[], n: number): readonly number[] =>
    values.slice(n * together, (n + 1) * together);
  const each = (value: (n: number) => number): number[] => Array.from({ length: count }, (_, n) => value(n));
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  return {
    everyMs,
    served: each((n) => (sum(of(served, n)) * 1_000) / everyMs),
    failed: each((n) => sum(of(failed, n))),
    worstMs: each((n) => Math.max(0, ...of(worstMs, n))),
  };
}

type Scale = (ms: number) => number;

interface Lane {
  readonly height: number;
  readonly name: string;
  /** @param top of the lane, in the picture */
  draw(top: number, x: Scale): string[];
}

/** @param title for those who cannot see it */
export function timelineSvg(title: string, timeline: Timeline): string {
  const { endMs, faults } = timeline;
  const moments = momentsOf(timeline);
  const x: Scale = (ms) => LEFT + (Math.min(Math.max(ms, 0), endMs) / Math.max(1, endMs)) * PLOT_WIDTH;
  const lanes = [throughput(moments), slowest(moments), failures(moments), leaders(timeline)];
  const parts: string[] = [];
  let top = TOP;
  for (const lane of lanes) {
    parts.push(`<text x="8" y="${top + 11}" fill="#333">${lane.name}</text>`);
    parts.push(...lane.draw(top, x));
    top += lane.height + GAP;
  }
  const bottom = top - GAP;
  const height = bottom + AXIS;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escaped(title)}" font-family="system-ui, sans-serif" font-size="11" fill="#666">`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    ...bands(faults, x, bottom),
    ...parts,
    ...clock(endMs, x, bottom),
    '</svg>',
  ].join('\n');
}

function bands(faults: readonly FaultBand[], x: Scale, bottom: number): string[] {
  const colour = colours(
    faults.map(({ kind }) => kind),
    FAULTS,
  );
  let labelledTo = 0;
  return faults.flatMap(({ kind, target, fromMs, toMs, proof }, i) => {
    const [from, to] = [x(fromMs), x(toMs)];
    const width = Math.max(1.5, to - from);
    const fill = colour.get(kind) ?? BAD;
    const label = String(i + 1);
    const isRoomy = from >= labelledTo;
    if (isRoomy) labelledTo = from + (label.length + 1) * CHARACTER_PX;
    return [
      `<g><title>${escaped(`${i + 1}. ${kind}: ${target}\n${proof}`)}</title>`,
      `<rect x="${px(from)}" y="${TOP - 8}" width="${px(width)}" height="${bottom - TOP + 8}" fill="${fill}" fill-opacity="0.13"/>`,
      `<rect x="${px(from)}" y="${TOP - 8}" width="${px(width)}" height="3" fill="${fill}"/>`,
      `<line x1="${px(from)}" y1="${TOP - 8}" x2="${px(from)}" y2="${bottom}" stroke="${fill}" stroke-opacity="0.5" stroke-width="0.7"/>`,
      ...(isRoomy ? [`<text x="${px(from)}" y="${TOP - 12}" fill="${fill}">${label}</text>`] : []),
      '</g>',
    ];
  });
}

function throughput({ served, everyMs }: Moments): Lane {
  const height = 90;
  return {
    name: 'served/s',
    height,
    draw(top, x) {
      const most = ceiling(Math.max(1, ...served));
      const y = (value: number): number => top + height - (value / most) * height;
      const points = served.map((value, n) => `${px(x((n + 0.5) * everyMs))},${px(y(value))}`);
      const [first, last] = [x(everyMs / 2), x((served.length - 0.5) * everyMs)];
      return [
        ...[0, most / 2, most].map((value) => level(y(value), figure(value))),
        `<polygon points="${px(first)},${px(y(0))} ${points.join(' ')} ${px(last)},${px(y(0))}" fill="#4477aa" fill-opacity="0.18"/>`,
        `<polyline points="${points.join(' ')}" fill="none" stroke="#4477aa" stroke-width="1.3"/>`,
      ];
    },
  };
}

function slowest({ worstMs, everyMs }: Moments): Lane {
  const height = 70;
  return {
    name: 'slowest',
    height,
    draw(top, x) {
      const most = 10 ** Math.ceil(Math.log10(Math.max(10, ...worstMs)));
      const share = (ms: number): number =>
        Math.log10(Math.max(ms, LEAST_MS) / LEAST_MS) / Math.log10(most / LEAST_MS);
      const y = (ms: number): number => top + height - share(ms) * height;
      const decades = [1, 10, 100, 1_000, 10_000, 100_000].filter((ms) => ms <= most);
      const bars = worstMs.flatMap((ms, n) => {
        if (ms === 0) return [];
        return [`M${px(x((n + 0.5) * everyMs))} ${px(top + height)}V${px(y(ms))}`];
      });
      const width = Math.max(1, PLOT_WIDTH / worstMs.length - 0.8);
      return [
        ...decades.map((ms) => level(y(ms), ms < 1_000 ? `${ms} ms` : `${ms / 1_000} s`)),
        `<path d="${bars.join('')}" stroke="#997700" stroke-opacity="0.75" stroke-width="${px(width)}"/>`,
      ];
    },
  };
}

function failures({ failed, everyMs }: Moments): Lane {
  const height = 34;
  return {
    name: 'failed',
    height,
    draw(top, x) {
      const most = Math.max(...failed);
      const floor = level(top + height, '');
      if (most === 0)
        return [floor, `<text x="${LEFT + 6}" y="${top + height - 10}" fill="#666">none</text>`];
      const width = Math.max(2, PLOT_WIDTH / failed.length - 0.8);
      const bars = failed.flatMap((count, n) => {
        const tall = Math.max(3, (count / most) * height);
        const from = x((n + 0.5) * everyMs) - width / 2;
        if (count === 0) return [];
        return [
          `<rect x="${px(from)}" y="${px(top + height - tall)}" width="${px(width)}" height="${px(tall)}" fill="${BAD}"><title>${count} failed</title></rect>`,
        ];
      });
      return [floor, level(top, figure(most)), ...bars];
    },
  };
}

function leaders({ leaders: spans }: Timeline): Lane {
  const height = 22;
  const colour = colours(spans.map(({ id }) => id).toSorted(), LEADERS);
  return {
    name: 'leader, term',
    height,
    draw(top, x) {
      return spans.flatMap(({ id, term, fromMs, toMs }) => {
        const [from, to] = [x(fromMs), x(toMs)];
        const fill = colour.get(id) ?? BAD;
        const label = `${id} ${term}`;
        const fits = to - from > label.length * CHARACTER_PX;
        return [
          `<g><title>${escaped(`${id} leads term ${term} from ${seconds(fromMs)}`)}</title>`,
          `<rect x="${px(from)}" y="${top}" width="${px(Math.max(1, to - from))}" height="${height}" fill="${fill}" fill-opacity="0.75" stroke="#fff" stroke-width="0.8"/>`,
          ...(fits
            ? [
                `<text x="${px((from + to) / 2)}" y="${top + 15}" text-anchor="middle" fill="#fff">${escaped(label)}</text>`,
              ]
            : []),
          '</g>',
        ];
      });
    },
  };
}

function clock(endMs: number, x: Scale, bottom: number): string[] {
  const stepMs = (STEPS_S.find((step) => endMs / MOST_TICKS <= step * 1_000) ?? 7_200) * 1_000;
  const ticks = Array.from({ length: Math.floor(endMs / stepMs) + 1 }, (_, i) => i * stepMs);
  return [
    `<line x1="${LEFT}" y1="${bottom + 4}" x2="${WIDTH - RIGHT}" y2="${bottom + 4}" stroke="#aaa"/>`,
    ...ticks.map(
      (ms) =>
        `<line x1="${px(x(ms))}" y1="${bottom + 4}" x2="${px(x(ms))}" y2="${bottom + 8}" stroke="#aaa"/><text x="${px(x(ms))}" y="${bottom + 19}" text-anchor="middle">${time(ms, endMs)}</text>`,
    ),
  ];
}

function level(y: number, label: string): string {
  return `<line x1="${LEFT}" y1="${px(y)}" x2="${WIDTH - RIGHT}" y2="${px(y)}" stroke="#ddd" stroke-width="0.7"/><text x="${LEFT - 6}" y="${px(y + 3.5)}" text-anchor="end" font-size="9.5">${label}</text>`;
}

/** The next one that has zeros behind its head. */
function ceiling(value: number): number {
  const decade = 10 ** Math.floor(Math.log10(value));
  return (HEADS.find((head) => head * decade >= value) ?? 10) * decade;
}

const px = (value: number): string => String(Math.round(value * 10) / 10);
const figure = (value: number): string => value.toLocaleString('en-US', { maximumFractionDigits: 1 });
const seconds = (ms: number): string => `${Math.round(ms / 100) / 10} s`;
/** Minutes and seconds, in a run of minutes. */
const time = (ms: number, endMs: number): string =>
  endMs < 180_000
    ? seconds(ms)
    : `${Math.floor(ms / 60_000)}:${String(Math.floor(ms / 1_000) % 60).padStart(2, '0')}`;
