/** Panels of horizontal bars as SVG; a panel's scale is linear from zero, its target a line. */
export interface Bar {
  readonly label: string;
  readonly value: number;
  readonly text: string;
  readonly colour: string;
  /** Undefined: none is promised. */
  readonly target?: number;
}

export interface Panel {
  readonly title: string;
  readonly bars: readonly Bar[];
}

const WIDTH = 900;
const LEFT = 250;
const BAR = 18;
const GAP = 8;
const TITLE = 36;

export function barsSvg(title: string, panels: readonly Panel[], footnote: string): string {
  const parts: string[] = [];
  let y = 34;
  for (const panel of panels) {
    parts.push(`<text x="16" y="${y + 20}" font-weight="bold">${escaped(panel.title)}</text>`);
    y += TITLE;
    const top = Math.max(...panel.bars.flatMap(({ value, target = 0 }) => [value, target]), 1e-9);
    const x = (value: number): number => Math.round((value / top) * (WIDTH - LEFT - 130));
    for (const { label, value, text, colour, target } of panel.bars) {
      const middle = y + BAR - 5;
      parts.push(
        `<text x="${LEFT - 8}" y="${middle}" text-anchor="end">${escaped(label)}</text>`,
        `<rect x="${LEFT}" y="${y}" width="${Math.max(1, x(value))}" height="${BAR}" fill="${colour}"/>`,
        `<text x="${LEFT + Math.max(x(value), x(target ?? 0)) + 8}" y="${middle}">${escaped(text)}</text>`,
      );
      if (target !== undefined) {
        const at = LEFT + x(target);
        parts.push(
          `<line x1="${at}" y1="${y - 3}" x2="${at}" y2="${y + BAR + 3}" stroke="#cc3311" stroke-width="2"/>`,
        );
      }
      y += BAR + GAP;
    }
  }
  const height = y + 40;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12" fill="#333">`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    `<text x="16" y="24" font-size="15">${escaped(title)}</text>`,
    ...parts,
    `<text x="16" y="${y + 24}" fill="#777">${escaped(footnote)}</text>`,
    '</svg>\n',
  ].join('\n');
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
