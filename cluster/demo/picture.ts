/** The failover as a picture: every warm request as a dot, latency over time, the kill as a line. */
import type { Failover } from './acts.ts';
import type { LoadSample } from './load.ts';

const WIDTH = 960;
const HEIGHT = 360;
const LEFT = 60;
const BOTTOM = 40;
const TOP = 50;

export function failoverSvg(samples: readonly LoadSample[], killAtMs: number, fallen: Failover): string {
  const endMs = Math.max(...samples.map(({ atMs }) => atMs), killAtMs + 1);
  const topMs = Math.max(10, ...samples.map(({ ms }) => ms));
  const x = (ms: number): string => (LEFT + (ms / endMs) * (WIDTH - LEFT - 20)).toFixed(1);
  // Logarithmic: a millisecond and a second are both seen.
  const y = (ms: number): string => {
    const share = Math.log10(Math.max(0.1, ms) / 0.1) / Math.log10(topMs / 0.1);
    return (HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)).toFixed(1);
  };
  const ticks = [0.1, 1, 10, 100, 1_000, 10_000].filter((ms) => ms <= topMs);
  const line = (x1: string, y1: string, x2: string, y2: string, colour: string): string =>
    `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="${colour}"/>`;
  const text = (atX: string, atY: string, anchor: string, content: string): string =>
    `<text x="${atX}" y="${atY}" text-anchor="${anchor}">${content}</text>`;
  const elected = killAtMs + fallen.newLeaderMs;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" fill="#333">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    text(
      String(LEFT),
      '22',
      'start',
      `${fallen.warmRequests} warm requests across the leader's kill, ${fallen.warmFailures} failed; new leader after ${fallen.newLeaderMs} ms`,
    ),
    ...ticks.map(
      (ms) =>
        line(String(LEFT), y(ms), String(WIDTH - 20), y(ms), '#eee') +
        text(String(LEFT - 6), y(ms), 'end', `${ms} ms`),
    ),
    ...samples.map(
      ({ atMs, ms, ok }) =>
        `<circle cx="${x(atMs)}" cy="${y(ms)}" r="1.6" fill="${ok ? '#4477aa' : '#cc3311'}"/>`,
    ),
    line(x(killAtMs), String(TOP), x(killAtMs), String(HEIGHT - BOTTOM), '#cc3311'),
    text(x(killAtMs), String(TOP - 6), 'end', 'kill −9'),
    line(x(elected), String(TOP), x(elected), String(HEIGHT - BOTTOM), '#228833'),
    text(x(elected), String(TOP - 6), 'start', ' new leader'),
    text(String(WIDTH / 2), String(HEIGHT - 12), 'middle', `time, ${(endMs / 1_000).toFixed(1)} s in all`),
    '</svg>\n',
  ].join('\n');
}
