/** What can be typed after `baton`, taken from the commands themselves: the scripts of all shells are made of it. */
import type { Argument, Command, Option } from 'commander';
import { EVENT_KINDS } from '../../api/client.ts';
import { KIND_WORDS } from '../commands/kinds.ts';
import { OUTPUT_FORMATS } from '../output.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** Asked of the cluster, while somebody waits for the answer. */
export const NAME_KINDS = [
  'functions',
  'workers',
  'sandboxes',
  'data-planes',
  'replicas',
  'processes',
] as const;
export type NameKind = (typeof NAME_KINDS)[number];

/** What completes a word: of-kind are the names of what the word before says. */
export type Values =
  | NameKind
  | 'formats'
  | 'kinds'
  | 'kinds-or-functions'
  | 'of-kind'
  | 'event-kinds'
  | 'runtimes'
  | 'shells'
  | 'files'
  | 'directories'
  | 'anything';

export const WORDS: Readonly<Partial<Record<Values, readonly string[]>>> = {
  formats: OUTPUT_FORMATS,
  kinds: KIND_WORDS,
  'event-kinds': EVENT_KINDS,
  runtimes: ['process', 'simulated'],
  shells: SHELLS,
};

export interface OptionModel {
  /** --follow and -f */
  readonly names: readonly string[];
  readonly description: string;
  /** Undefined: it takes none. */
  readonly value: Values | undefined;
}

export interface CommandModel {
  readonly name: string;
  readonly description: string;
  readonly options: readonly OptionModel[];
  /** Of each position; the last one of all that follow, if it `repeats`. */
  readonly positions: readonly Values[];
  readonly repeats: boolean;
}

export interface Model {
  /** Of options that stand before the command. */
  readonly options: readonly OptionModel[];
  readonly commands: readonly CommandModel[];
}

/** By the long name: it means the same wherever it is. */
const OPTION_VALUES: Readonly<Record<string, Values>> = {
  '--dir': 'directories',
  '--output': 'formats',
  '--file': 'files',
  '--config': 'files',
  '--replica': 'replicas',
  '--data-plane': 'data-planes',
  '--sandbox': 'sandboxes',
  '--function': 'functions',
  '--kind': 'event-kinds',
  '--runtime': 'runtimes',
};

/** By command and name of the argument. What is not here completes nothing. */
const POSITION_VALUES: Readonly<Record<string, Values>> = {
  'get kind': 'kinds',
  'get name': 'of-kind',
  'describe kind-or-name': 'kinds-or-functions',
  'describe name': 'of-kind',
  'deploy path': 'files',
  'dev file': 'files',
  'delete name': 'functions',
  'invoke name': 'functions',
  'logs name': 'functions',
  'start id': 'processes',
  'stop id': 'processes',
  'cordon worker': 'workers',
  'uncordon worker': 'workers',
  'drain worker': 'workers',
  'transfer-leadership replica': 'replicas',
  'completion shell': 'shells',
};

export function modelOf(program: Command): Model {
  const help = program.createHelp();
  const commands = help
    .visibleCommands(program)
    .filter((command) => command.name() !== 'help')
    .map((command): CommandModel => {
      const { registeredArguments: given } = command;
      return {
        name: command.name(),
        description: command.description(),
        options: help.visibleOptions(command).map(optionOf),
        positions: given.map((argument) => positionOf(command, argument)),
        repeats: given.at(-1)?.variadic ?? false,
      };
    });
  return { options: help.visibleOptions(program).map(optionOf), commands };
}

function optionOf(option: Option): OptionModel {
  const { long, short, description, required, optional } = option;
  const names = [long, short].filter((name) => name !== undefined && name !== null);
  const takesValue = required || optional;
  return { names, description, value: takesValue ? (OPTION_VALUES[long ?? ''] ?? 'anything') : undefined };
}

function positionOf(command: Command, argument: Argument): Values {
  return POSITION_VALUES[`${command.name()} ${argument.name()}`] ?? 'anything';
}
