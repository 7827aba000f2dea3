/** What is typed after `npm run chaos --`. */
import { parseArgs } from 'node:util';
import { BatonError } from '../src/lib/errors.ts';

export interface ChaosOptions {
  readonly scenario: string;
  /** Undefined: as many as the scenario is meant to have. */
  readonly kills: number | undefined;
  readonly rounds: number | undefined;
  readonly seed: number;
  /** Where the cluster lives; undefined: a temporary directory. */
  readonly directory: string | undefined;
  readonly json: string | undefined;
  /** Where pictures of violations go; undefined: beside the JSON. */
  readonly report: string | undefined;
}

const MOST = 10_000;

/** Flags that will mean something later: refused by name, so that nobody believes they work. */
const LATER: ReadonlySet<string> = new Set(['all', 'minutes', 'seeds', 'resume']);

const USAGE =
  'npm run chaos -- --scenario NAME [--kills N] [--rounds N] [--seed N] [--dir DIR] [--json FILE] [--report DIR]';

/** @throws BatonError `invalid-argument` or `unsupported`, with a hint */
export function parseOptions(
  argv: readonly string[],
  scenarios: readonly string[],
  drawn: number,
): ChaosOptions {
  const values = parse(argv);
  const scenario = values['scenario'];
  if (scenario === undefined || !scenarios.includes(scenario)) {
    const what = scenario === undefined ? 'missing' : `no scenario ${JSON.stringify(scenario)}`;
    throw wrong('--scenario', what, `there is ${scenarios.join(', ')}`);
  }
  return {
    scenario,
    kills: whole('--kills', values['kills'], 1, MOST),
    rounds: whole('--rounds', values['rounds'], 1, MOST),
    seed: whole('--seed', values['seed'], 0, 999_999_999) ?? drawn,
    directory: values['dir'],
    json: values['json'],
    report: values['report'],
  };
}

function parse(argv: readonly string[]): Readonly<Record<string, string | undefined>> {
  for (const word of argv) {
    const flag = /^--([a-z]+)(?:=|$)/.exec(word)?.[1];
    if (flag === undefined || !LATER.has(flag)) continue;
    throw new BatonError('unsupported', `--${flag}: not there yet`, {
      fields: { path: `--${flag}` },
      hint: USAGE,
    });
  }
  const text = { type: 'string' } as const;
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        scenario: text,
        kills: text,
        rounds: text,
        seed: text,
        dir: text,
        json: text,
        report: text,
      },
    });
    return values;
  } catch (error) {
    const [line = ''] = error instanceof Error ? error.message.split(/\. |\n/) : [];
    throw wrong('flags', line, USAGE);
  }
}

function whole(flag: string, text: string | undefined, least: number, most: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^\d{1,9}$/.test(text) && value >= least && value <= most) return value;
  throw wrong(
    flag,
    `${JSON.stringify(text)} is not possible`,
    `give a whole number from ${least} to ${most}`,
  );
}

function wrong(path: string, what: string, hint: string): BatonError {
  return new BatonError('invalid-argument', `${path}: ${what}`, { fields: { path }, hint });
}
