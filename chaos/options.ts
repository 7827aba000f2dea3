/** What is typed after `npm run chaos --`. */
import { parseArgs } from 'node:util';
import { BatonError } from '../src/lib/errors.ts';

export interface ChaosOptions {
  /** In the order in which they are played. */
  readonly scenarios: readonly string[];
  readonly seeds: readonly number[];
  /** Of strikes, rounds or kills; undefined: as many as each scenario is meant to have. */
  readonly count: number | undefined;
  /** Of faults, instead of a count. */
  readonly minutes: number | undefined;
  /** Each run is one of many, and kept short. */
  readonly isShort: boolean;
  /** Where the cluster lives; undefined: a temporary directory. */
  readonly directory: string | undefined;
  readonly json: string | undefined;
  /** What is good by the JSON file is not played again. */
  readonly isResumed: boolean;
  /** Where the report goes, and pictures of violations; undefined: no report, and pictures beside the JSON. */
  readonly report: string | undefined;
}

const MOST = 10_000;
const MOST_SEEDS = 10_000;
const MOST_SEED = 999_999_999;
const MOST_MINUTES = 24 * 60;

const USAGE =
  'npm run chaos -- --scenario NAME[,NAME] | --all [--seed N] [--seeds N] [--minutes N | --kills N | --rounds N] [--dir DIR] [--json FILE] [--resume] [--report DIR]';

/**
 * @param known names of scenarios, in the order in which they are played
 * @param drawn the seed where none is given
 * @throws BatonError `invalid-argument` that names the flag, with a hint
 */
export function parseOptions(argv: readonly string[], known: readonly string[], drawn: number): ChaosOptions {
  const values = parse(argv);
  const scenarios = scenariosOf(values, known);
  const seeds = seedsOf(values, drawn);
  const count = countOf(values);
  const minutes = minutesOf(values.minutes);
  if (count !== undefined && minutes !== undefined)
    throw wrong('--minutes', 'a count is given too', 'give --minutes, or one of --kills and --rounds');
  const isResumed = values.resume === true;
  if (isResumed && values.json === undefined)
    throw wrong('--resume', 'there is no file to go on from', 'name it with --json FILE');
  const isMany = values.all === true || values.seeds !== undefined || scenarios.length > 1;
  return {
    scenarios,
    seeds,
    count,
    minutes,
    isShort: isMany && count === undefined && minutes === undefined,
    directory: values.dir,
    json: values.json,
    isResumed,
    report: values.report,
  };
}

/** What plays one run of these again. */
export function commandOf({ count, minutes, isShort }: ChaosOptions, scenario: string, seed: number): string {
  const extent = [
    ...(isShort ? ['--seeds 1'] : []),
    ...(count === undefined ? [] : [`--rounds ${count}`]),
    ...(minutes === undefined ? [] : [`--minutes ${minutes}`]),
  ];
  return ['npm run chaos --', `--scenario ${scenario}`, `--seed ${seed}`, ...extent].join(' ');
}

interface Values {
  readonly scenario?: string[] | undefined;
  readonly all?: boolean | undefined;
  readonly kills?: string | undefined;
  readonly rounds?: string | undefined;
  readonly minutes?: string | undefined;
  readonly seed?: string | undefined;
  readonly seeds?: string | undefined;
  readonly dir?: string | undefined;
  readonly json?: string | undefined;
  readonly resume?: boolean | undefined;
  readonly report?: string | undefined;
}

function parse(argv: readonly string[]): Values {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        scenario: { type: 'string', multiple: true },
        all: flag,
        kills: text,
        rounds: text,
        minutes: text,
        seed: text,
        seeds: text,
        dir: text,
        json: text,
        resume: flag,
        report: text,
      },
    });
    return values;
  } catch (error) {
    const [line = ''] = error instanceof Error ? error.message.split(/\. |\n/) : [];
    throw wrong('flags', line, USAGE);
  }
}

function scenariosOf({ scenario, all }: Values, known: readonly string[]): string[] {
  const hint = `there is ${known.join(', ')}`;
  if (all === true) {
    if (scenario === undefined) return [...known];
    throw wrong('--all', 'a scenario is named too', 'give --all, or --scenario');
  }
  const named = (scenario ?? []).flatMap((list) => list.split(','));
  if (named.length === 0) throw wrong('--scenario', 'missing', `${hint}; or --all`);
  const unknown = named.find((name) => !known.includes(name));
  if (unknown !== undefined) throw wrong('--scenario', `no scenario ${JSON.stringify(unknown)}`, hint);
  return known.filter((name) => named.includes(name));
}

/** One, or as many as are asked for: from 1 on, or from the one that is given. */
function seedsOf(values: Values, drawn: number): number[] {
  const seed = whole('--seed', values.seed, 0, MOST_SEED);
  const count = whole('--seeds', values.seeds, 1, MOST_SEEDS);
  if (count === undefined) return [seed ?? drawn];
  const first = seed ?? 1;
  if (first + count - 1 > MOST_SEED)
    throw wrong('--seeds', `goes beyond ${MOST_SEED}`, 'begin with a lower --seed');
  return Array.from({ length: count }, (_, i) => first + i);
}

function countOf({ kills, rounds }: Values): number | undefined {
  const counts = [whole('--kills', kills, 1, MOST), whole('--rounds', rounds, 1, MOST)];
  if (counts.every((count) => count !== undefined))
    throw wrong('--kills', '--rounds is given too', 'give one of them: both say how many faults there are');
  return counts.find((count) => count !== undefined);
}

function minutesOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^\d{1,4}(\.\d{1,3})?$/.test(text) && value > 0 && value <= MOST_MINUTES) return value;
  throw wrong(
    '--minutes',
    `${JSON.stringify(text)} is not possible`,
    `give a number up to ${MOST_MINUTES}, such as 30 or 0.5`,
  );
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
