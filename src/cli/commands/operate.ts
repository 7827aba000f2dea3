/** Operating: cordon, uncordon, drain, transfer-leadership; and what is known by name but not there yet. */
import type { Command } from 'commander';
import { BatonError } from '../../lib/errors.ts';
import { Context } from '../context.ts';
import type { Terminal } from '../output.ts';
import { addDrainCommand } from './drain.ts';

const LATER: readonly (readonly [name: string, feature: string])[] = [
  ['rollback', 'rollback'],
  ['revisions', 'revisions'],
  ['traffic', 'traffic split'],
  ['secret', 'secrets'],
  ['quota', 'quotas'],
  ['dashboard', 'the dashboard'],
  ['calls', 'asynchronous invocation'],
  ['top', 'live resource usage'],
];

export function addOperateCommands(program: Command, terminal: Terminal): void {
  for (const [name, on] of [
    ['cordon', true],
    ['uncordon', false],
  ] as const) {
    program
      .command(name)
      .description(on ? 'place nothing new on a worker' : 'place on a worker again')
      .argument('<worker>')
      .action(async (worker: string, _flags: object, command: Command) => {
        const context = new Context(terminal, command);
        const reply = await context.withClient((client) => client.call('setCordon', { worker, on }));
        context.value({ worker: reply.worker, cordoned: reply.cordoned }, () => `${worker} ${name}ed\n`);
      });
  }

  addDrainCommand(program, terminal);

  program
    .command('transfer-leadership')
    .description('hand leadership to another replica')
    .argument('[replica]', 'the one that should lead; left out: the successor')
    .action(async (replica: string | undefined, _flags: object, command: Command) => {
      const context = new Context(terminal, command);
      const reply = await context.withClient((client) =>
        client.call('transferLeadership', { to: replica ?? '' }),
      );
      context.value(
        { leader: reply.leader, term: reply.term },
        () => `${reply.leader} leads term ${reply.term}\n`,
      );
    });

  for (const [name, feature] of LATER) {
    program
      .command(name, { hidden: true })
      .argument('[anything...]')
      .allowUnknownOption()
      .action(() => {
        throw new BatonError('unsupported', `${feature}: not there yet`, {
          hint: 'baton --help lists what is',
        });
      });
  }
}
