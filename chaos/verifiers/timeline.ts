/** A history that no single copy could have produced, as a picture: a bar per operation, a lane per client. */
import type { Operation, Verdict } from './linearizability.ts';

const WIDTH = 1_100;
const LEFT = 90;
const LANE = 26;
const TOP = 46;

const escape = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');

/** Green: in the longest order that was found, by its number; red: what could not follow it; grey: everything else. */
export function timelineSvg<Input, Output>(
  title: string,
  history: readonly Operation<Input, Output>[],
  verdict: Extract<Verdict<Input, Output>, { kind: 'violation' }>,
  label: (operation: Operation<Input, Output>) => string,
): string {
  const stuckAt = Math.max(0, ...verdict.stuck.map(({ callMs }) => callMs));
  // Around the place where it goes wrong: a whole history would show nothing.
  const shown = history.filter(
    (operation) => operation.returnMs >= stuckAt - 2_000 && operation.callMs <= stuckAt + 1_000,
  );
  const clients = [...new Set(shown.map(({ client }) => client))].toSorted();
  const fromMs = Math.min(...shown.map(({ callMs }) => callMs));
  const ends = shown.map(({ callMs, returnMs }) => (Number.isFinite(returnMs) ? returnMs : callMs));
  const toMs = Math.max(fromMs + 1, ...ends) * 1.0;
  const x = (ms: number): number => LEFT + ((ms - fromMs) / (toMs - fromMs)) * (WIDTH - LEFT - 20);
  const bars = shown.map((operation) => {
    const lane = clients.indexOf(operation.client);
    const y = TOP + lane * LANE;
    const from = x(operation.callMs);
    const to = Number.isFinite(operation.returnMs) ? x(operation.returnMs) : WIDTH - 20;
    const place = verdict.longest.indexOf(operation);
    const colour = verdict.stuck.includes(operation) ? '#cc3311' : place >= 0 ? '#228833' : '#999999';
    const text = `${place >= 0 ? `${place + 1}. ` : ''}${label(operation)}`;
    return [
      `<rect x="${from.toFixed(1)}" y="${y}" width="${Math.max(2, to - from).toFixed(1)}" height="${LANE - 12}" fill="${colour}" fill-opacity="0.35" stroke="${colour}"${Number.isFinite(operation.returnMs) ? '' : ' stroke-dasharray="4 3"'}/>`,
      `<text x="${(from + 2).toFixed(1)}" y="${y + LANE - 15}">${escape(text)}</text>`,
    ].join('\n');
  });
  const height = TOP + clients.length * LANE + 20;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="10" fill="#222">`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    `<text x="10" y="20" font-size="14">${escape(title)}</text>`,
    `<text x="10" y="36">green: an order that fits, by number; red: what cannot follow it; dashed: nobody learned its outcome</text>`,
    ...clients.map(
      (client, lane) => `<text x="10" y="${TOP + lane * LANE + LANE - 15}">${escape(client)}</text>`,
    ),
    ...bars,
    '</svg>\n',
  ].join('\n');
}
