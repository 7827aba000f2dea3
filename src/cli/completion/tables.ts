/** Tables as functions of the shell, in what bash and zsh have in common. */
import { KIND_ALIASES } from '../commands/kinds.ts';
import { NAME_KINDS, WORDS, type CommandModel, type Model, type OptionModel } from './model.ts';

/**
 *   __baton_takes COMMAND OPTION      succeeds where the option takes a value
 *   __baton_value COMMAND OPTION      what completes that value
 *   __baton_position COMMAND N        what completes the Nth word after the command, from 0
 *   __baton_kind WORD                 the names of which kind are meant by `get WORD` and `describe WORD`
 *   __baton_words VALUES              words that are known without asking anybody
 *   __baton_asks VALUES               succeeds where the cluster has to be asked
 *   __baton_options COMMAND           options, a line each, with a tabulator before the description
 *   __baton_commands                  commands, in the same way
 */
export function shellTables(model: Model): string {
  const everywhere: CommandModel = {
    name: '',
    description: '',
    options: model.options,
    positions: [],
    repeats: false,
  };
  const all = [everywhere, ...model.commands];
  const valued = all.flatMap(({ name, options }) =>
    options.flatMap(({ names, value }) =>
      value === undefined ? [] : names.map((option) => ({ key: `${name} ${option}`, value })),
    ),
  );
  return [
    choice(
      '__baton_takes',
      '"$1 $2"',
      [{ keys: valued.map(({ key }) => quoted(key)), body: 'return 0' }],
      'return 1',
    ),
    choice('__baton_value', '"$1 $2"', grouped(valued)),
    choice('__baton_position', '"$1 $2"', grouped(all.flatMap(positionsOf), true)),
    choice(
      '__baton_kind',
      '"$1"',
      grouped(Object.entries(KIND_ALIASES).map(([key, value]) => ({ key, value }))),
    ),
    choice(
      '__baton_words',
      '"$1"',
      Object.entries(WORDS).map(([name, words]) => ({ keys: [quoted(name)], body: printed(words) })),
    ),
    choice('__baton_asks', '"$1"', [{ keys: NAME_KINDS.map(quoted), body: 'return 0' }], 'return 1'),
    choice(
      '__baton_options',
      '"$1"',
      all.map(({ name, options }) => ({ keys: [quoted(name)], body: printed(options.flatMap(optionLines)) })),
    ),
    `__baton_commands() {\n  ${printed(model.commands.map(({ name, description }) => `${name}\t${description}`))}\n}\n`,
  ].join('\n');
}

interface Arm {
  readonly keys: readonly string[];
  readonly body: string;
}

function choice(name: string, subject: string, arms: readonly Arm[], otherwise = ':'): string {
  const lines = arms
    .filter(({ keys }) => keys.length > 0)
    .map(({ keys, body }) => `    ${keys.join('|')}) ${body} ;;`);
  return `${name}() {\n  case ${subject} in\n${lines.join('\n')}\n    *) ${otherwise} ;;\n  esac\n}\n`;
}

interface Entry {
  readonly key: string;
  readonly value: string;
}

/** @param patterns keys may end with a star */
function grouped(entries: readonly Entry[], patterns = false): readonly Arm[] {
  const byValue = new Map<string, string[]>();
  for (const { key, value } of entries) {
    const text = patterns && key.endsWith('*') ? `${quoted(key.slice(0, -1))}*` : quoted(key);
    byValue.set(value, [...(byValue.get(value) ?? []), text]);
  }
  return [...byValue].map(([value, keys]) => ({ keys, body: `echo ${value}` }));
}

function positionsOf({ name, positions, repeats }: CommandModel): readonly Entry[] {
  return positions.map((value, i) => ({
    key: repeats && i === positions.length - 1 ? `${name} *` : `${name} ${i}`,
    value,
  }));
}

const optionLines = ({ names, description }: OptionModel): readonly string[] =>
  names.map((name) => `${name}\t${description}`);

function printed(lines: readonly string[]): string {
  return lines.length === 0 ? ':' : `printf '%s\\n' ${lines.map(quoted).join(' ')}`;
}

/** A word of bash and zsh that is exactly this text. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
