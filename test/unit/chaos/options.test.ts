/** What is typed after `npm run chaos --`, and what is refused by name. */
import { describe, expect, it } from 'vitest';
import { parseOptions, type ChaosOptions } from '../../../chaos/options.ts';
import { BatonError } from '../../../src/lib/errors.ts';

const parse = (...argv: string[]): ChaosOptions => parseOptions(argv, ['metadata'], 77);

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
      scenario: 'metadata',
      kills: undefined,
      rounds: undefined,
      seed: 77,
      directory: undefined,
      json: undefined,
      report: undefined,
    });
  });

  it('are all heard', () => {
    const argv = ['--scenario=metadata', '--kills', '7', '--rounds', '9', '--seed', '0', '--dir', 'd'];
    expect(parse(...argv, '--json', 'j', '--report', 'r')).toEqual({
      scenario: 'metadata',
      kills: 7,
      rounds: 9,
      seed: 0,
      directory: 'd',
      json: 'j',
      report: 'r',
    });
  });

  it.each([
    [[], '--scenario: missing', 'metadata'],
    [['--scenario', 'weather'], 'no scenario "weather"', 'metadata'],
    [['--scenario', 'metadata', '--kills', '0'], '--kills: "0"', 'from 1 to'],
    [['--scenario', 'metadata', '--kills', 'many'], '--kills: "many"', 'from 1 to'],
    [['--scenario', 'metadata', '--rounds', '0'], '--rounds: "0"', 'from 1 to'],
    [['--scenario', 'metadata', '--seed', '-1'], 'flags', 'npm run chaos'],
    [['--scenario', 'metadata', '--storm'], "Unknown option '--storm'", 'npm run chaos'],
    [['metadata'], 'flags', 'npm run chaos'],
  ])('%j are refused with a hint', (argv, message, hint) => {
    const error = refusal(...argv);
    expect(error.message).toContain(message);
    expect(error.message.split('\n')).toHaveLength(1);
    expect(error.hint).toContain(hint);
    expect(error.fields['path']).toBeDefined();
  });

  it.each(['--all', '--minutes=5', '--seeds', '--resume'])('%s is known and not there yet', (flag) => {
    expect(refusal('--scenario', 'metadata', flag).code).toBe('unsupported');
  });
});
