/** `baton describe`: everything about one thing; of a function also why it has its scale. */
import type { ApiClient, Event, ScaleReport } from '../../api/client.ts';
import { functionName } from '../../lib/ids.ts';
import type { Context } from '../context.ts';
import { yamlText } from '../output.ts';
import { functionRow, only, type FunctionRow, type Kind } from './kinds.ts';

const DESCRIBED_EVENTS = 10;

export async function describe(context: Context, client: ApiClient, kind: Kind, name: string): Promise<void> {
  switch (kind) {
    case 'functions':
      return describeFunction(context, client, name);
    case 'workers': {
      const [row] = only((await client.call('listWorkers', {})).rows, name, kind);
      const runs = await sandboxesOf(client, 'worker', name);
      return show(context, { ...row, runs, events: await eventsOf(client, '', name) });
    }
    case 'sandboxes': {
      const [row] = only((await client.call('listSandboxes', {})).rows, name, kind);
      return show(context, { ...row, events: await eventsOf(client, row?.function ?? '', name) });
    }
    case 'data-planes': {
      const [row] = only((await client.call('listDataPlanes', {})).rows, name, kind);
      return show(context, { ...row, events: await eventsOf(client, '', name) });
    }
    case 'replicas': {
      const [row] = only((await client.call('getStatus', {})).replicas, name, kind);
      return show(context, { ...row, events: await eventsOf(client, '', name) });
    }
    default:
      return kind satisfies never;
  }
}

function show(context: Context, whole: object): void {
  context.value(whole, () => yamlText(whole));
}

async function describeFunction(context: Context, client: ApiClient, name: string): Promise<void> {
  const message = await client.call('getFunction', { name: functionName(name) });
  const { scale } = message;
  const fn = functionRow(message);
  const sandboxes = await sandboxesOf(client, 'function', name);
  const events = await eventsOf(client, name);
  context.value({ ...fn, scale, sandboxes, events }, () =>
    yamlText({ ...fn, scale: scaleText(fn, scale), sandboxes, events }),
  );
}

async function sandboxesOf(
  client: ApiClient,
  key: 'function' | 'worker',
  name: string,
): Promise<readonly object[]> {
  const { rows } = await client.call('listSandboxes', {});
  return rows
    .filter((row) => row[key] === name)
    .map(({ id, function: fn, worker, state, generation, pid }) => {
      return { id, ...(key === 'worker' ? { function: fn } : { worker }), state, generation, pid };
    });
}

/** The latest about a function, or a subject. */
async function eventsOf(client: ApiClient, name: string, subject?: string): Promise<readonly object[]> {
  const { rows } = await client.call('listEvents', {
    after: 0,
    afterTerm: 0,
    kinds: [],
    function: name,
    limit: subject === undefined ? DESCRIBED_EVENTS : undefined,
  });
  return rows
    .filter((event) => subject === undefined || event.subject === subject)
    .slice(-DESCRIBED_EVENTS)
    .map(shownEvent);
}

function shownEvent({ wallMs, kind: event, subject, message }: Event): object {
  return { time: new Date(wallMs).toISOString(), event, subject, message };
}

const RULES: Readonly<Record<string, string>> = {
  idle: 'nothing is asked of it',
  stable: 'the average over the stable window',
  panic: 'the panic window, which asks for much more than there is',
};

/** For people: the rule that decided, what it saw, what held it, what is in the way, and when that changed last. */
function scaleText(fn: FunctionRow, scale: ScaleReport | undefined): Record<string, unknown> {
  const { ready, starting, desired } = fn;
  const is = `${ready} ready and ${starting} starting of ${desired} wanted`;
  if (scale?.decision === undefined)
    return { is, 'decided by': 'nothing: it was idle since this leader came' };
  const { decision, beginsWith, waitingFor, change } = scale;
  const { rule, wanted, bound, stableLoad, panicLoad, target } = decision;
  const stable = `${amount(stableLoad)} at once over ${duration(decision.stableWindowMs)}`;
  const panic = `${amount(panicLoad)} in the panic window`;
  return {
    is,
    'decided by': `${RULES[rule] ?? rule}, ${duration(decision.msAgo)} ago`,
    load: `${stable}, ${panic}; ${amount(target)} for each sandbox asks for ${wanted}`,
    ...(decision.panicLeftMs === undefined ? {} : { panic: `another ${duration(decision.panicLeftMs)}` }),
    ...(bound === undefined ? {} : { 'held by': bound.text }),
    ...(beginsWith === 0 ? {} : { 'begins with': beginsWith }),
    ...(waitingFor.length === 0 ? {} : { 'waiting for': waitingFor }),
    ...(change === undefined
      ? {}
      : { 'last change': `${change.from} → ${change.to}, ${duration(change.msAgo)} ago: ${change.why}` }),
  };
}

function amount(load: number): string {
  return String(Number(load.toFixed(2)));
}

function duration(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 1_000)} s`;
}
