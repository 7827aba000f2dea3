/** Looking: get, describe, events. */
import type { Command } from 'commander';
import type { ApiClient } from '../../api/client.ts';
import type * as api from '../../api/client.ts';
import { functionName } from '../../lib/ids.ts';
import { Context } from '../context.ts';
import { describe } from './describe.ts';
import { addEventsCommand } from './events.ts';
import { functionRow, kindOf, only, type FunctionRow, type Kind } from './kinds.ts';
import { workerState, type Column, type Terminal } from '../output.ts';

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
