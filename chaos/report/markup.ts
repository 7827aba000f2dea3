/** Text in HTML and SVG. */
const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

export const escaped = (text: string): string => text.replaceAll(/[&<>"]/g, (sign) => ENTITIES[sign] ?? sign);

/** Told apart by people who see fewer colours too. */
export const FAULTS: readonly string[] = [
  '#4477aa',
  '#ee6677',
  '#228833',
  '#ccbb44',
  '#66ccee',
  '#aa3377',
  '#ee7733',
  '#44aa99',
  '#882255',
  '#999933',
  '#332288',
  '#cc79a7',
  '#117733',
  '#b25d00',
  '#0099bb',
  '#7f4fc9',
  '#6b6b6b',
  '#d62728',
  '#8c6d31',
  '#3f8f8f',
];

/** Of another kind, so that nobody takes a leader for a fault. */
export const LEADERS: readonly string[] = ['#5b7083', '#8d6e63', '#6d8f5e', '#7e6b9e', '#a07c3b'];

export const BAD = '#cc3311';

/** The same names get the same colours, in their order. */
export function colours(names: readonly string[], palette: readonly string[]): ReadonlyMap<string, string> {
  return new Map([...new Set(names)].map((name, i) => [name, palette[i % palette.length] ?? BAD]));
}
