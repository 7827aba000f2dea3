/** `baton events`: what the leader did and why; followed over failovers, for a cursor holds under any leader. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import { EVENT_KINDS, type ApiClient, type Event, type ListEventsReply } from '../../api/client.ts';
import { isBatonError, type ErrorCode } from '../../lib/errors.ts';
import { functionName } from '../../lib/ids.ts';
import { Context, usage, wholeNumber } from '../context.ts';
import { jsonText, type Column, type Terminal } from '../output.ts';

const FOLLOW_EVERY_MS = 250;
const RETRY_MS = 1_000;
const CALL_TIMEOUT_MS = 10_000;
/** Of what was before, where it goes on anyway. */
const FOLLOWED_LINES = 10;
const KIND_WIDTH = Math.max(...EVENT_KINDS.map(({ length }) => length));

interface EventFlags {
  readonly follow?: boolean;
  readonly lines?: number;
  readonly kind?: readonly string[];
  readonly function?: string;
}

export function addEventsCommand(program: Command, terminal: Terminal): void {
  program
    .command('events')
    .description('what the leader did and why, oldest first')
    .option('-f, --follow', 'go on as they come, under whatever leader')
    .option('-n, --lines <n>', 'the latest only (all that are held; 10 with --follow)', wholeNumber('-n'))
    .option('--kind <kind[,kind]>', 'only of these kinds (docs/events.md)', kinds)
    .option('--function <name>', 'only about this function')
    .addHelpText(
      'after',
      `\nKinds: ${EVENT_KINDS.join(', ')}\n\nExamples:\n  baton events -f --kind scaled,no-capacity\n  baton events --function hello -n 20\n`,
    )
    .action(async (flags: EventFlags, command: Command) => {
      const context = new Context(terminal, command);
      if (flags.follow === true) return follow(context, flags);
      const { rows } = await context.withClient((client) => ask(client, flags, BEGINNING, flags.lines));
      context.rows(rows, columns, 'no such event under this leader');
    });
}

function kinds(text: string): readonly string[] {
  const given = text.split(',').map((kind) => kind.trim());
  for (const kind of given)
    if (!(EVENT_KINDS as readonly string[]).includes(kind))
      throw usage(
        '--kind',
        `${JSON.stringify(kind)} is not a kind of event`,
        `there are ${EVENT_KINDS.join(', ')}`,
      );
  return given;
}

const columns: readonly Column<Event>[] = [
  { title: 'TIME', value: ({ wallMs }) => new Date(wallMs).toISOString() },
  { title: 'TERM', value: ({ term }) => term, wide: true },
  { title: 'KIND', value: ({ kind }) => kind },
  { title: 'FUNCTION', value: (row) => row.function || '-', wide: true },
  { title: 'SUBJECT', value: ({ subject }) => subject },
  { title: 'MESSAGE', value: ({ message }) => firstLine(message) },
];

/** The rest is in the JSON. */
const firstLine = (message: string): string => message.split('\n', 1)[0] ?? '';

type Cursor = Pick<ListEventsReply, 'term' | 'seq'>;

const BEGINNING: Cursor = { term: 0, seq: 0 };

function ask(
  client: ApiClient,
  flags: EventFlags,
  after: Cursor,
  limit: number | undefined,
): Promise<ListEventsReply> {
  const name = flags.function === undefined ? '' : functionName(flags.function, '--function');
  const request = { after: after.seq, afterTerm: after.term, kinds: [...(flags.kind ?? [])], function: name };
  return client.call('listEvents', { ...request, limit }, CALL_TIMEOUT_MS);
}

async function follow(context: Context, flags: EventFlags): Promise<void> {
  const { signal, stopped } = untilStopped();
  await context.withClient(async (client) => {
    let page = await Promise.race([stopped, ask(client, flags, BEGINNING, flags.lines ?? FOLLOWED_LINES)]);
    let cursor = BEGINNING;
    let waits = false;
    for (;;) {
      if (signal.aborted) return;
      if (page !== undefined) {
        for (const row of page.rows) context.terminal.out(lineOf(context, row));
        cursor = { term: page.term, seq: page.seq };
      }
      await delay(waits ? RETRY_MS : FOLLOW_EVERY_MS, undefined, { signal }).catch(() => undefined);
      page = await Promise.race([stopped, ask(client, flags, cursor, undefined)]).catch((error: unknown) => {
        if (!mayPass(error)) throw error;
        if (!waits) context.progress('nobody leads now; waiting for who does');
        return undefined;
      });
      waits = page === undefined;
      if (page?.missed === true) context.progress('some events are gone: more happened than a leader holds');
    }
  });
}

/** `stopped` settles with undefined on Ctrl-C. */
function untilStopped(): { readonly signal: AbortSignal; readonly stopped: Promise<undefined> } {
  const stopping = new AbortController();
  const { signal } = stopping;
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stopping.abort());
  const stopped = new Promise<undefined>((resolve) =>
    signal.addEventListener('abort', () => resolve(undefined), { once: true }),
  );
  return { signal, stopped };
}

const PASSING: ReadonlySet<ErrorCode> = new Set([
  'no-leader',
  'not-leader',
  'unavailable',
  'disconnected',
  // By a replica that stops.
  'canceled',
  'timeout',
]);

function mayPass(error: unknown): boolean {
  return isBatonError(error) && PASSING.has(error.code);
}

function lineOf(context: Context, row: Event): string {
  if (context.format === 'json') return jsonText(row);
  const { wallMs, kind, subject, message } = row;
  return `${new Date(wallMs).toISOString()}  ${kind.padEnd(KIND_WIDTH)}  ${subject}  ${firstLine(message)}\n`;
}
