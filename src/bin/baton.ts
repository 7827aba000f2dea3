#!/usr/bin/env node
/** The one program: command line, and every process of a cluster. */
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import type { Command } from 'commander';
import { terminal } from '../cli/output.ts';
import { run } from '../cli/program.ts';
import { usage, wholeNumber } from '../cli/context.ts';
import { batonVersion } from './processes/lifecycle.ts';

/**
 * What a process of a cluster loads from here on is compiled at once, and stays compiled. A replica runs most of a leader's code for
 * the first time when it becomes one, which is when everybody waits for it (docs/adr/0012-compiled-when-loaded.md).
 */
function compileWhatIsLoaded(): void {
  for (const flag of ['--no-lazy', '--no-flush-bytecode']) setFlagsFromString(flag);
}

/** Loaded when needed: a command line that lists functions should not pay for a control plane. */
function addProcessCommands(program: Command): void {
  const config = ['--config <file>', 'its configuration file (docs/operations.md)'] as const;
  program
    .command('dev')
    .description('run one function in one process, and again when its file changes')
    .argument('<file>', 'a module, a program or a directory')
    .option('--port <n>', 'port of the data plane (any free one)', wholeNumber('--port'))
    .addHelpText('after', '\nExample:\n  baton dev examples/hello.ts\n')
    .action(async (file: string, { port = 0 }: { port?: number }) => {
      if (port > 65_535)
        throw usage('--port', `${port} is not a port`, 'give one up to 65535, or leave it out');
      const { runDev } = await import('./processes/dev.ts');
      await runDev(file, port, terminal);
    });
  program
    .command('control-plane')
    .description('run one replica of the control plane')
    .requiredOption(...config)
    .action(async (flags: { config: string }) => {
      compileWhatIsLoaded();
      await (await import('./processes/control-plane.ts')).runControlPlane(flags.config);
    });
  program
    .command('data-plane')
    .description('run a data plane')
    .requiredOption(...config)
    .action(async (flags: { config: string }) => {
      compileWhatIsLoaded();
      await (await import('./processes/data-plane.ts')).runDataPlane(flags.config);
    });
  program
    .command('worker')
    .description('run a worker')
    .requiredOption(...config)
    .option('--label <name=value...>', 'what functions select it by, beside the labels of the file')
    .action(async (flags: { config: string; label?: string[] }) => {
      compileWhatIsLoaded();
      await (await import('./processes/worker.ts')).runWorker(flags.config, flags.label ?? []);
    });
  program
    .command('bootstrap')
    .description('create the directory of one replica of a new cluster')
    .requiredOption('--replica <id>', 'which replica this is')
    .requiredOption(...config)
    .action(async (flags: { replica: string; config: string }) => {
      const { bootstrap } = await import('./processes/offline.ts');
      terminal.out(`${await bootstrap(flags.config, flags.replica)}\n`);
    });
  program
    .command('recover')
    .description('give a stopped replica its vote back when the majority is lost for good')
    .option('--force', 'yes: what the lost majority alone knew is lost')
    .requiredOption(...config)
    .action(async (flags: { force?: boolean; config: string }) => {
      if (flags.force !== true)
        throw usage(
          '--force',
          'missing',
          'recovery may lose acknowledged registrations; read docs/operations.md, then pass --force',
        );
      const { recover } = await import('./processes/offline.ts');
      terminal.out(`${await recover(flags.config)}\n`);
    });
}

const self = [process.execPath, '--no-warnings', fileURLToPath(import.meta.url)];
// A reader that has seen enough (baton get … | head) is no error.
process.stdout.on('error', () => process.exit(0));
const options = { terminal, version: batonVersion(), self, addProcessCommands };
const code = await run(options, process.argv.slice(2));
// A process that could not start may have connections open already: they must not keep it.
if (code === 0) process.exitCode = 0;
else process.exit(code);
