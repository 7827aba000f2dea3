/** Looking: get, describe, events. */
import type { Command } from 'commander';
import { stringify } from 'yaml';
import { documentFromWire, type ApiClient } from '../../api/client.ts';
import type * as api from '../../api/client.ts';
import { BatonError } from '../../lib/errors.ts';
import { functionName } from '../../lib/ids.ts';
import { Context, usage } from '../context.ts';
import { addEventsCommand } from './events.ts';
import { workerState, type Column, type Terminal } from '../output.ts';

const DESCRIBED_EVENTS = 10;

type Kind = 'functions' | 'workers' | 'sandboxes' | 'data-planes' | 'replicas';

const ALIASES: Readonly<Record<string, Kind>> = {
  function: 'functions',
  functions: 'functions',
  fn: 'functions',
  worker: 'workers',
  workers: 'workers',
  sandbox: 'sandboxes',
  sandboxes: 'sandboxes',
  'data-plane': 'data-planes',
  'data-planes': 'data-planes',
  replica: 'replicas',
  replicas: 'replicas',
};

function kindOf(text: string): Kind {
  const kind = Object.hasOwn(ALIASES, text) ? ALIASES[text] : undefined;
  if (kind !== undefined) return kind;
  throw usage(
    'KIND',
    `${JSON.stringify(text)} is not a kind`,
    'use functions, workers, sandboxes, data-planes or replicas',
  );
}

export function addInspectCommands(program: Command, terminal: Terminal): void {
  program
    .command('get')
    .description('list functions, workers, sandboxes, data-planes or replicas')
    .argument('<kind>')
    .argument('[name]', 'one of them only')
    .addHelpText(
      'after',
      '\nExamples:\n  baton get functions\n  baton get sandboxes -o json\n  baton get workers -o wide\n',
    )
    .action(async (text: string, name: string | undefined, _flags: object, command: Command) => {
      const kind = kindOf(text);
      const context = new Context(terminal, command);
      await context.withClient((client) => get(context, client, kind, name));
    });

  program
    .command('describe')
    .description('everything about one function, worker, sandbox, data plane or replica')
    .argument('<kind-or-name>', 'a kind, or the name of a function')
    .argument('[name]')
    .action(async (first: string, second: string | undefined, _flags: object, command: Command) => {
      const context = new Context(terminal, command);
      const kind = second === undefined ? 'functions' : kindOf(first);
      await context.withClient((client) => describe(context, client, kind, second ?? first));
    });

  addEventsCommand(program, terminal);
}

function only<Row extends { readonly id: string }>(
  rows: readonly Row[],
  name: string | undefined,
  kind: string,
): readonly Row[] {
  if (name === undefined) return rows;
  const found = rows.filter(({ id }) => id === name);
  if (found.length === 0)
    throw new BatonError('not-found', `no ${name} among the ${kind}`, {
      hint: `baton get ${kind} lists them`,
    });
  return found;
}

async function get(context: Context, client: ApiClient, kind: Kind, name: string | undefined): Promise<void> {
  switch (kind) {
    case 'functions': {
      const rows =
        name === undefined
          ? (await client.call('listFunctions', {})).rows
          : [await client.call('getFunction', { name: functionName(name) })];
      return context.rows(
        rows.map(functionRow),
        functionColumns,
        'no functions; deploy one: baton deploy examples/hello.ts',
      );
    }
    case 'workers': {
      const { rows } = await client.call('listWorkers', {});
      return context.rows(only(rows, name, kind), workerColumns, 'no workers');
    }
    case 'sandboxes': {
      const rows = (await client.call('listSandboxes', {})).rows.map(
        ({ id, function: fn, worker, pid, state, address, generation }) => {
          return { id, function: fn, worker, pid, state, address, generation };
        },
      );
      return context.rows(only(rows, name, kind), sandboxColumns, 'no sandboxes');
    }
    case 'data-planes': {
      const { rows } = await client.call('listDataPlanes', {});
      return context.rows(only(rows, name, kind), dataPlaneColumns, 'no data planes');
    }
    case 'replicas': {
      const { replicas } = await client.call('getStatus', {});
      return context.rows(only(replicas, name, kind), replicaColumns, 'no replicas');
    }
    default:
      return kind satisfies never;
  }
}

interface FunctionRow {
  readonly name: string;
  readonly uid: number;
  readonly generation: number;
  readonly specIndex: number;
  readonly ready: number;
  readonly starting: number;
  readonly desired: number;
  readonly concurrency: number;
  readonly reason: string;
  readonly urls: readonly string[];
  readonly spec: Record<string, unknown>;
}

function functionRow(fn: api.FunctionMessage): FunctionRow {
  const { name, uid, generation, specIndex, ready, starting, desired, concurrency, reason, urls } = fn;
  const spec = fn.spec === undefined ? {} : documentFromWire(fn.spec);
  return { name, uid, generation, specIndex, ready, starting, desired, concurrency, reason, urls, spec };
}

const functionColumns: readonly Column<FunctionRow>[] = [
  { title: 'NAME', value: ({ name }) => name },
  { title: 'GENERATION', value: ({ generation }) => generation },
  { title: 'READY', value: ({ ready, desired }) => `${ready}/${desired}` },
  { title: 'RUNTIME', value: ({ spec }) => String(spec['runtime']) },
  { title: 'IN FLIGHT', value: ({ concurrency }) => concurrency },
  { title: 'UID', value: ({ uid }) => uid, wide: true },
  { title: 'WHY', value: ({ reason }) => reason, wide: true },
  { title: 'URL', value: ({ urls }) => urls[0] ?? '-' },
];

const workerColumns: readonly Column<api.Worker>[] = [
  { title: 'ID', value: ({ id }) => id },
  { title: 'STATE', value: workerState },
  { title: 'SANDBOXES', value: ({ sandboxes, maxSandboxes }) => `${sandboxes}/${maxSandboxes}` },
  { title: 'CPU', value: ({ allocatedCpuMillis, cpuMillis }) => `${allocatedCpuMillis}/${cpuMillis}m` },
  { title: 'MEMORY', value: ({ allocatedMemoryMib, memoryMib }) => `${allocatedMemoryMib}/${memoryMib}Mi` },
  { title: 'DRIVER', value: ({ driver }) => driver },
  { title: 'LABELS', value: ({ labels }) => labelText(labels), wide: true },
  { title: 'ARTIFACTS', value: ({ artifacts }) => artifacts, wide: true },
  { title: 'HEARD', value: ({ heardMsAgo }) => `${heardMsAgo} ms ago`, wide: true },
  { title: 'ISOLATION', value: ({ isolation }) => isolation },
];

function labelText(labels: Readonly<Record<string, string>>): string {
  const texts = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
  return texts.length === 0 ? '-' : texts.sort().join(',');
}

interface SandboxRow {
  readonly id: string;
  readonly function: string;
  readonly worker: string;
  readonly pid: number;
  readonly state: string;
  readonly address: string;
  readonly generation: number;
}

const sandboxColumns: readonly Column<SandboxRow>[] = [
  { title: 'ID', value: ({ id }) => id },
  { title: 'FUNCTION', value: ({ function: fn }) => fn },
  { title: 'GENERATION', value: ({ generation }) => generation },
  { title: 'STATE', value: ({ state }) => state },
  { title: 'WORKER', value: ({ worker }) => worker },
  { title: 'PID', value: ({ pid }) => pid },
  { title: 'ADDRESS', value: ({ address }) => address, wide: true },
];

const dataPlaneColumns: readonly Column<api.DataPlane>[] = [
  { title: 'ID', value: ({ id }) => id },
  { title: 'LIVE', value: ({ live }) => (live ? 'yes' : 'no') },
  { title: 'URL', value: ({ url }) => url },
  { title: 'IN FLIGHT', value: ({ inFlight }) => inFlight },
  { title: 'QUEUED', value: ({ queued }) => queued },
  { title: 'SEQ', value: ({ endpointSeq }) => endpointSeq },
  { title: 'SPEC INDEX', value: ({ specIndex }) => specIndex, wide: true },
  { title: 'PEER', value: ({ peer }) => peer, wide: true },
];

const replicaColumns: readonly Column<api.Replica>[] = [
  { title: 'ID', value: ({ id }) => id },
  { title: 'ROLE', value: ({ role, voter }) => (voter ? role : `${role} (no vote)`) },
  { title: 'TERM', value: ({ term }) => term },
  { title: 'APPLIED', value: ({ appliedIndex }) => appliedIndex },
  { title: 'STATE HASH', value: ({ stateHash }) => stateHash.slice(0, 12) },
  { title: 'GRPC', value: ({ grpc }) => grpc },
  { title: 'HTTP', value: ({ http }) => http, wide: true },
  { title: 'HEARS', value: ({ reachable }) => reachable.join(','), wide: true },
];

async function describe(context: Context, client: ApiClient, kind: Kind, name: string): Promise<void> {
  if (kind !== 'functions') {
    const rows: readonly { readonly id: string }[] =
      kind === 'workers'
        ? (await client.call('listWorkers', {})).rows
        : kind === 'sandboxes'
          ? (await client.call('listSandboxes', {})).rows
          : kind === 'data-planes'
            ? (await client.call('listDataPlanes', {})).rows
            : (await client.call('getStatus', {})).replicas;
    const [row] = only(rows, name, kind);
    return context.value(row, () => stringify(row));
  }
  const fn = functionRow(await client.call('getFunction', { name: functionName(name) }));
  const sandboxes = (await client.call('listSandboxes', {})).rows.filter((row) => row.function === name);
  const { rows: events } = await client.call('listEvents', {
    after: 0,
    afterTerm: 0,
    kinds: [],
    function: name,
    limit: DESCRIBED_EVENTS,
  });
  const whole = {
    ...fn,
    sandboxes: sandboxes.map(({ id, worker, state, generation, pid }) => ({
      id,
      worker,
      state,
      generation,
      pid,
    })),
    events: events.map(({ wallMs, kind: event, subject, message }) => {
      return { time: new Date(wallMs).toISOString(), event, subject, message };
    }),
  };
  context.value(whole, () => stringify(whole));
}
