/** `baton completion`: the script for a shell; and what the script asks while somebody types. */
import type { Command } from 'commander';
import { bashScript } from '../completion/bash.ts';
import { fishScript } from '../completion/fish.ts';
import { modelOf, SHELLS, type Model, type NameKind, type Shell } from '../completion/model.ts';
import { zshScript } from '../completion/zsh.ts';
import { Context, usage } from '../context.ts';
import type { Terminal } from '../output.ts';

/** Somebody waits with a finger on the key. */
const ASK_TIMEOUT_MS = 1_000;

const SCRIPTS: Readonly<Record<Shell, (model: Model) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

export function addCompletionCommands(program: Command, terminal: Terminal): void {
  program
    .command('completion')
    .description('a script that completes commands, options and names')
    .argument('<shell>', SHELLS.join(', '))
    .addHelpText(
      'after',
      '\nExamples:\n  source <(baton completion bash)\n  source <(baton completion zsh)\n  baton completion fish | source\n',
    )
    .action((shell: string) => {
      if (!Object.hasOwn(SCRIPTS, shell))
        throw usage(
          'SHELL',
          `${JSON.stringify(shell)} is not a shell that is known`,
          `use ${SHELLS.join(', ')}`,
        );
      terminal.out(SCRIPTS[shell as Shell](modelOf(program)));
    });

  program
    .command('complete-names', { hidden: true })
    .description('names of a kind, a line each, for completion; nothing where nobody answers')
    .argument('<kind>')
    .action(async (kind: string, _flags: object, command: Command) => {
      const context = new Context(terminal, command);
      const names = await namesOf(context, kind as NameKind).catch(() => []);
      terminal.out(names.map((name) => `${name}\n`).join(''));
    });
}

async function namesOf(context: Context, kind: NameKind): Promise<readonly string[]> {
  const ids = (rows: readonly { readonly id: string }[]): readonly string[] => rows.map(({ id }) => id);
  const ask = <M extends 'getStatus' | 'listFunctions' | 'listWorkers' | 'listSandboxes' | 'listDataPlanes'>(
    method: M,
  ) => context.withClient((client) => client.call(method, {}, ASK_TIMEOUT_MS));
  switch (kind) {
    case 'processes':
    case 'replicas': {
      const local = context.localCluster();
      if (local === undefined) return ids((await ask('getStatus')).replicas);
      if (kind === 'replicas') return ids(local.replicas);
      return ids([...local.nats, ...local.replicas, ...local.dataPlanes, ...local.workers]);
    }
    case 'functions':
      return (await ask('listFunctions')).rows.map(({ name }) => name);
    case 'workers':
      return ids((await ask('listWorkers')).rows);
    case 'sandboxes':
      return ids((await ask('listSandboxes')).rows);
    case 'data-planes':
      return ids((await ask('listDataPlanes')).rows);
    default:
      // Of a script that is newer than this program.
      kind satisfies never;
      return [];
  }
}
