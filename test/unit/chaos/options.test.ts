/** What is typed after `npm run chaos --`, and what is refused by name. */
import { describe, expect, it } from 'vitest';
import { commandOf, parseOptions, type ChaosOptions } from '../../../chaos/options.ts';
import { BatonError } from '../../../src/lib/errors.ts';

const KNOWN = ['metadata', 'leader-kill', 'everything'];
const parse = (...argv: string[]): ChaosOptions => parseOptions(argv, KNOWN, 77);

function refusal(...argv: string[]): BatonError {
  try {
    parse(...argv);
  } catch (error) {
    if (error instanceof BatonError) return error;
  }
  throw new Error(`accepted: ${argv.join(' ')}`);
}

describe('chaos flags', () => {
  it('need a scenario alone; the seed is drawn where none is given', () => {
    expect(parse('--scenario', 'metadata')).toEqual({
      scenarios: ['metadata'],
      seeds: [77],
      count: undefined,
      minutes: undefined,
      isShort: false,
      directory: undefined,
      json: undefined,
      isResumed: false,
      report: undefined,
    });
  });

  it('are all heard', () => {
    const argv = ['--scenario=metadata', '--kills', '7', '--seed', '0', '--dir', 'd', '--json', 'j'];
    expect(parse(...argv, '--resume', '--report', 'r')).toMatchObject({
      seeds: [0],
      count: 7,
      directory: 'd',
      json: 'j',
      isResumed: true,
      report: 'r',
    });
  });

  it('name scenarios in any way; they are played in their own order, each once', () => {
    const names = ['metadata', 'everything'];
    expect(parse('--scenario', 'everything,metadata').scenarios).toEqual(names);
    expect(parse('--scenario', 'everything', '--scenario', 'metadata,everything').scenarios).toEqual(names);
    expect(parse('--all').scenarios).toEqual(KNOWN);
  });

  it('give many seeds, from 1 or from a seed on', () => {
    expect(parse('--all', '--seeds', '3').seeds).toEqual([1, 2, 3]);
    expect(parse('--all', '--seed', '40', '--seeds', '2').seeds).toEqual([40, 41]);
  });

  it('keep each of many runs short, unless they say how much of it', () => {
    expect(parse('--all').isShort).toBe(true);
    expect(parse('--scenario', 'metadata', '--seeds', '1').isShort).toBe(true);
    expect(parse('--scenario', 'metadata,everything').isShort).toBe(true);
    expect(parse('--all', '--minutes', '0.5')).toMatchObject({ isShort: false, minutes: 0.5 });
    expect(parse('--all', '--rounds', '2')).toMatchObject({ isShort: false, count: 2 });
  });

  it.each([
    [[], '--scenario: missing', 'metadata, leader-kill, everything; or --all'],
    [['--scenario', 'weather'], 'no scenario "weather"', 'metadata'],
    [['--scenario', 'metadata,'], 'no scenario ""', 'metadata'],
    [['--all', '--scenario', 'metadata'], '--all: a scenario is named too', '--scenario'],
    [['--all', '--kills', '0'], '--kills: "0"', 'from 1 to'],
    [['--all', '--kills', 'many'], '--kills: "many"', 'from 1 to'],
    [['--all', '--rounds', '0'], '--rounds: "0"', 'from 1 to'],
    [['--all', '--rounds', '1', '--kills', '1'], '--kills: --rounds is given too', 'one of them'],
    [['--all', '--minutes', '0'], '--minutes: "0"', '30 or 0.5'],
    [['--all', '--minutes', '1e3'], '--minutes: "1e3"', '30 or 0.5'],
    [['--all', '--minutes', '1', '--kills', '1'], '--minutes: a count is given too', '--kills'],
    [['--all', '--seeds', '0'], '--seeds: "0"', 'from 1 to'],
    [['--all', '--seeds', '2', '--seed', '999999999'], '--seeds: goes beyond', '--seed'],
    [['--all', '--seed', '-1'], 'flags', 'npm run chaos'],
    [['--all', '--seed', '1.5'], '--seed: "1.5"', 'from 0 to'],
    [['--all', '--resume'], '--resume: there is no file', '--json FILE'],
    [['--all=yes'], 'flags', 'npm run chaos'],
    [['--all', '--storm'], "Unknown option '--storm'", 'npm run chaos'],
    [['metadata'], 'flags', 'npm run chaos'],
  ])('%j are refused with a hint', (argv, message, hint) => {
    const error = refusal(...argv);
    expect(error.message).toContain(message);
    expect(error.message.split('\n')).toHaveLength(1);
    expect(error.hint).toContain(hint);
    expect(error.fields['path']).toBeDefined();
  });
});

it.each([
  ['--scenario metadata', '--seed 5'],
  ['--scenario metadata --seeds 9', '--seed 5 --seeds 1'],
  ['--all', '--seed 5 --seeds 1'],
  ['--all --kills 12', '--seed 5 --rounds 12'],
  ['--all --seeds 3 --minutes 0.5', '--seed 5 --minutes 0.5'],
])('one run of "%s" is played again by its command', (argv, rest) => {
  const asked = parse(...argv.split(' '));
  const command = commandOf(asked, 'metadata', 5);
  expect(command).toBe(`npm run chaos -- --scenario metadata ${rest}`);
  const again = parse(...command.split(' ').slice(4));
  const { count, minutes, isShort } = asked;
  expect(again).toMatchObject({ scenarios: ['metadata'], seeds: [5], count, minutes, isShort });
});
