import { KIND_ALIASES } from '../commands/kinds.ts';
import { WORDS, type CommandModel, type Model, type OptionModel, type Values } from './model.ts';

export function fishScript(model: Model): string {
  return `# Completion of baton for fish. Load it now: baton completion fish | source
# and for good: baton completion fish > ~/.config/fish/completions/baton.fish

# The words before the one that is typed, without options and their values.
function __baton_typed
    set -l skip 0
    for word in (commandline -opc)[2..-1]
        if test $skip -eq 1
            set skip 0
        else if contains -- $word ${alwaysValued(model).map(quoted).join(' ')}
            set skip 1
        else if not string match -q -- '-*' $word
            echo $word
        end
    end
end

# Succeeds where no command was typed yet.
function __baton_begins
    test (count (__baton_typed)) -eq 0
end

# Succeeds where this command was typed, and so many words after it where a number is given.
function __baton_at
    set -l typed (__baton_typed)
    test "$typed[1]" = $argv[1]; or return 1
    set -q argv[2]; or return 0
    test (count $typed) -eq (math $argv[2] + 1)
end

function __baton_names
    set -l words (commandline -opc)
    set -l flags
    for i in (seq (count $words))
        if contains -- $words[$i] --dir --server --token
            set -a flags $words[$i] $words[(math $i + 1)]
        end
    end
    $words[1] complete-names $argv[1] $flags 2>/dev/null </dev/null
end

function __baton_of_kind
    switch (__baton_typed)[2]
${kindCases()}
    end
end

complete -c baton -f
${model.options.map((option) => optionLine('__baton_begins', option)).join('\n')}
${model.commands.map(commandLines).join('\n')}
`;
}

/** Those that take a value under whatever command: what follows them is no word of their own. */
function alwaysValued(model: Model): readonly string[] {
  const options = [model.options, ...model.commands.map((command) => command.options)].flat();
  const bare = new Set(options.flatMap(({ names, value }) => (value === undefined ? names : [])));
  return [...new Set(options.flatMap(({ names }) => names))].filter((name) => !bare.has(name));
}

function kindCases(): string {
  return Object.entries(KIND_ALIASES)
    .map(([alias, kind]) => `        case ${alias}\n            __baton_names ${kind}`)
    .join('\n');
}

function commandLines(command: CommandModel): string {
  const { name, description, options, positions, repeats } = command;
  return [
    `complete -c baton -n __baton_begins -a ${name} -d ${quoted(description)}`,
    ...options.map((option) => optionLine(`__baton_at ${name}`, option)),
    ...positions.flatMap((values, i) => {
      const at = repeats && i === positions.length - 1 ? `__baton_at ${name}` : `__baton_at ${name} ${i}`;
      const offered = offer(values);
      return offered === '' ? [] : [`complete -c baton -n ${quoted(at)} ${offered}`];
    }),
  ].join('\n');
}

function optionLine(condition: string, { names, description, value }: OptionModel): string {
  const flags = names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`));
  const values = value === undefined ? '' : value === 'files' ? ' -r -F' : ` -x ${offer(value)}`;
  return `complete -c baton -n ${quoted(condition)} ${flags.join(' ')} -d ${quoted(description)}${values}`.trimEnd();
}

/** Empty: nothing is known of them. */
function offer(values: Values): string {
  const words = WORDS[values];
  switch (values) {
    case 'anything':
      return '';
    case 'files':
      return '-F';
    case 'directories':
      return `-a '(__fish_complete_directories)'`;
    case 'of-kind':
      return `-a '(__baton_of_kind)'`;
    case 'kinds-or-functions':
      return `-a ${quoted(`${(WORDS.kinds ?? []).join(' ')} (__baton_names functions)`)}`;
    case 'event-kinds':
      return `-a ${quoted(`(__fish_complete_list , 'printf %s\\\\n ${(words ?? []).join(' ')}')`)}`;
    default:
      return words === undefined ? `-a '(__baton_names ${values})'` : `-a ${quoted(words.join(' '))}`;
  }
}

/** In single quotes fish knows two escapes. */
function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
