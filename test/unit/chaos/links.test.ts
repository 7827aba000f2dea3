/** A fault on links is believed when the witnesses saw it, and not before. */
import { expect, it } from 'vitest';
import { showsCut, type Watched } from '../../../chaos/faults/links.ts';

const lane = (name: string, sent: number, arrived: number): Watched => ({
  name,
  sent: Array.from({ length: sent }, (_, i) => ({ sentMs: i, arrivedMs: i < arrived ? i + 1 : undefined })),
});
const shown = (touched: Watched[], untouched: Watched[]): string[] =>
  showsCut({ touched, untouched, healingMs: 1_000 });

it('shows a cut over which nothing came, while everything else did', () => {
  expect(shown([lane('n1→n2', 20, 0), lane('n1→n3', 19, 0)], [lane('n2→n1', 20, 20)])).toEqual([
    '0 of 39 messages crossed n1→n2, n1→n3',
  ]);
});

it('is no cut when a single message crossed', () => {
  expect(() => shown([lane('n1→n2', 20, 1)], [])).toThrow('1 of 20 messages crossed n1→n2, which was cut');
});

it('shows nothing when hardly anything was tried', () => {
  expect(() => shown([lane('n1→n2', 3, 0)], [])).toThrow('only 3 messages were tried over n1→n2');
});

it('is another fault when it reached further than it should', () => {
  expect(() => shown([lane('n1→n2', 20, 0)], [lane('n2→n1', 20, 9)])).toThrow(
    '9 of 20 messages crossed n2→n1, which was not cut',
  );
});
