/** The command line: what is typed, and what comes of it. Exit codes: 0 done, 1 the operation failed, 2 wrong usage. */
import { Command, CommanderError } from 'commander';
import { isBatonError } from '../lib/errors.ts';
import { addClusterCommands } from './commands/cluster.ts';
import { addCompletionCommands } from './commands/completion.ts';
import { addFunctionCommands } from './commands/functions.ts';
import { addInspectCommands } from './commands/inspect.ts';
import { addOperateCommands } from './commands/operate.ts';
import { collect } from './context.ts';
import { renderError, type Terminal } from './output.ts';

export interface ProgramOptions {
  readonly terminal: Terminal;
  readonly version: string;
  /** argv that runs this program again. */
  readonly self: readonly string[];
  /** Commands that become a process of the cluster: only what wires roles can add them. */
  readonly addProcessCommands: (program: Command) => void;
}

const EXAMPLES = `
Examples:
  baton up --detach                      start a local cluster
  baton deploy examples/hello.ts         make a function
  baton invoke hello '?name=you'         call it
  baton status                           see who leads
  baton down                             end the cluster
`;

export function makeProgram(options: ProgramOptions): Command {
  const { terminal, version, self, addProcessCommands } = options;
  const program = new Command('baton')
    .description('functions on a highly available cluster')
    .version(version)
    .option('--dir <dir>', 'directory of a local cluster (BATON_DIR, ./.baton)')
    .option(
      '--server <host:port>',
      'gRPC address of a replica of any other cluster; may be repeated',
      collect,
    )
    .option('--token <token>', 'for clusters that demand one (BATON_TOKEN)')
    .option('-o, --output <format>', 'table, wide, json or yaml')
    .option('--json', 'the same as -o json')
    .addHelpText('after', EXAMPLES)
    .showSuggestionAfterError(true)
    .configureOutput({ writeOut: (text) => terminal.out(text), writeErr: (text) => terminal.err(text) })
    .exitOverride();
  addClusterCommands(program, terminal, self);
  addFunctionCommands(program, terminal);
  addInspectCommands(program, terminal);
  addOperateCommands(program, terminal);
  addCompletionCommands(program, terminal);
  addProcessCommands(program);
  for (const command of program.commands) {
    // Global flags may stand after the command too, where people put them.
    command.exitOverride().configureOutput(program.configureOutput());
    for (const option of program.options)
      if (!command.options.some((own) => own.long === option.long) && option.long !== '--version')
        command.addOption(option);
  }
  return program;
}

/** @returns the exit code */
export async function run(options: ProgramOptions, argv: readonly string[]): Promise<number> {
  const program = makeProgram(options);
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    options.terminal.err(renderError(error));
    const path = isBatonError(error, 'invalid-argument') ? error.fields['path'] : undefined;
    return typeof path === 'string' && /^(-|[A-Z]+$)/.test(path) ? 2 : 1;
  }
}
