/** `baton drain`: asks for it, and watches until nothing is left, whoever leads meanwhile. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import type { ApiClient, Drain } from '../../api/client.ts';
import { BatonError, isBatonError } from '../../lib/errors.ts';
import { Context, duration } from '../context.ts';
import type { Terminal } from '../output.ts';

const POLL_MS = 250;
const DEFAULT_TIMEOUT_MS = 60_000;
/** Of one question, which goes on with the next replica by itself. */
const CALL_TIMEOUT_MS = 10_000;

interface DrainFlags {
  readonly timeout: number;
  readonly wait: boolean;
}

export function addDrainCommand(program: Command, terminal: Terminal): void {
  program
    .command('drain')
    .description('move what runs on a worker elsewhere, and place nothing new there')
    .argument('<worker>')
    .option(
      '--timeout <time>',
      'how long to wait until nothing is left (60s)',
      duration('--timeout'),
      DEFAULT_TIMEOUT_MS,
    )
    .option('--no-wait', 'do not: it goes on by itself until the worker is cordoned or uncordoned')
    .action(async (worker: string, { timeout, wait }: DrainFlags, command: Command) => {
      const context = new Context(terminal, command);
      const drain = await context.withClient(async (client) => {
        const begun = await client.call('drainWorker', { worker });
        return wait ? watch(context, client, begun, timeout) : begun;
      });
      context.value(shown(drain), () => `${worker} ${wait ? 'drained' : `drains: ${progress(drain)}`}\n`);
    });
}

function shown({ worker, phase, left, moving, finishing, waiting }: Drain): object {
  return { worker, phase, left, moving, finishing, waiting };
}

/** @throws BatonError when it is ended from elsewhere, or its time is up: with what is in the way */
async function watch(context: Context, client: ApiClient, begun: Drain, timeoutMs: number): Promise<Drain> {
  const deadline = performance.now() + timeoutMs;
  let drain = begun;
  let told = '';
  for (;;) {
    const line = `${drain.worker}: ${progress(drain)}`;
    if (drain.phase === 'drained') return drain;
    if (drain.phase === 'none' || drain.phase === 'dead') throw ended(drain);
    if (line !== told) context.progress(line);
    told = line;
    if (performance.now() >= deadline) throw late(drain, timeoutMs);
    await delay(Math.max(1, Math.min(POLL_MS, deadline - performance.now())));
    drain = await ask(client, drain);
  }
}

/** While nobody leads there is nothing new to tell. */
async function ask(client: ApiClient, before: Drain): Promise<Drain> {
  try {
    return await client.call('getDrain', { worker: before.worker }, CALL_TIMEOUT_MS);
  } catch (error) {
    const mayPass = ['no-leader', 'unavailable', 'timeout'] as const;
    if (mayPass.some((code) => isBatonError(error, code))) return { ...before, phase: 'reconciling' };
    throw error;
  }
}

function progress({ phase, left, moving, finishing, waiting }: Drain): string {
  if (phase === 'reconciling') return 'waiting for the leader to know its workers';
  const counts = [`${left} left`];
  if (moving > 0) counts.push(`${moving} moving`);
  if (finishing > 0) counts.push(`${finishing} finishing`);
  return [counts.join(', '), ...waiting].join('; ');
}

function ended({ worker, phase }: Drain): BatonError {
  if (phase === 'dead')
    return new BatonError('unavailable', `worker ${worker} is dead: what it ran is gone`, {
      hint: 'what is wanted is started elsewhere; baton get sandboxes shows where',
    });
  return new BatonError('conflict', `the drain of ${worker} was ended`, {
    hint: 'by baton cordon or uncordon; baton drain begins again',
  });
}

function late(drain: Drain, timeoutMs: number): BatonError {
  const { worker, left, moving, finishing, waiting } = drain;
  return new BatonError(
    'timeout',
    `${worker} is not drained after ${timeoutMs / 1_000} s: ${progress(drain)}`,
    {
      fields: { worker, left, moving, finishing, waiting },
      hint: `it goes on; baton drain ${worker} watches again, baton uncordon ${worker} ends it`,
    },
  );
}
