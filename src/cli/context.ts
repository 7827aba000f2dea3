/** Whom a command speaks to, and how it answers. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { ApiClient } from '../api/client.ts';
import { CLUSTER_FILE, loadLocalCluster, type LocalCluster } from '../config/cluster.ts';
import { BatonError } from '../lib/errors.ts';
import {
  OUTPUT_FORMATS,
  printRows,
  printValue,
  type Column,
  type OutputFormat,
  type Terminal,
} from './output.ts';

export const DEFAULT_DIRECTORY = '.baton';
const CALL_TIMEOUT_MS = 60_000;

interface GlobalFlags {
  readonly dir?: string;
  readonly server?: readonly string[];
  readonly token?: string;
  readonly output?: string;
  readonly json?: boolean;
}

export class Context {
  readonly terminal: Terminal;
  readonly #flags: GlobalFlags;

  constructor(terminal: Terminal, command: Command) {
    this.terminal = terminal;
    this.#flags = command.optsWithGlobals<GlobalFlags>();
  }

  get directory(): string {
    return this.#flags.dir ?? process.env['BATON_DIR'] ?? DEFAULT_DIRECTORY;
  }

  get format(): OutputFormat {
    if (this.#flags.json === true) return 'json';
    const format = this.#flags.output ?? 'table';
    if (OUTPUT_FORMATS.includes(format as OutputFormat)) return format as OutputFormat;
    throw usage('-o', `${JSON.stringify(format)} is not a format`, `use ${OUTPUT_FORMATS.join(', ')}`);
  }

  get token(): string | undefined {
    return this.#flags.token ?? process.env['BATON_TOKEN'];
  }

  progress = (line: string): void => this.terminal.err(`${line}\n`);

  /** Undefined when --server names another cluster. @throws BatonError `not-found` when there is none */
  localCluster(): LocalCluster | undefined {
    if (this.#flags.server !== undefined) return undefined;
    if (existsSync(join(this.directory, CLUSTER_FILE))) return loadLocalCluster(this.directory);
    const shown = this.directory === DEFAULT_DIRECTORY ? './.baton' : this.directory;
    throw new BatonError('not-found', `no cluster in ${shown}`, {
      hint: 'start one: baton up; or name one with --dir, BATON_DIR or --server',
    });
  }

  /** @param replica id of the replica to call first, of a local cluster */
  client(replica?: string): ApiClient {
    const cluster = this.localCluster();
    return new ApiClient({
      servers: cluster === undefined ? this.#servers(replica) : localServers(cluster, replica),
      token: this.token ?? cluster?.tokens.api,
      timeoutMs: CALL_TIMEOUT_MS,
    });
  }

  #servers(replica: string | undefined): readonly string[] {
    if (replica !== undefined)
      throw usage('--replica', 'names a replica of a local cluster', 'with --server, name its address there');
    const servers = this.#flags.server ?? [];
    for (const server of servers) {
      if (!/^.+:\d{1,5}$/.test(server))
        throw usage(
          '--server',
          `${JSON.stringify(server)} is not HOST:PORT`,
          'give the gRPC address of a replica',
        );
    }
    return servers;
  }

  /** Opens a client for one piece of work, and closes it. */
  async withClient<T>(work: (client: ApiClient) => Promise<T>, replica?: string): Promise<T> {
    const client = this.client(replica);
    try {
      return await work(client);
    } finally {
      client.close();
    }
  }

  rows<Row>(rows: readonly Row[], columns: readonly Column<Row>[], emptyLine: string): void {
    printRows(this.terminal, this.format, rows, columns, emptyLine);
  }

  /** The whole as JSON or YAML, or a text for people. */
  value(value: unknown, text: () => string): void {
    if (this.format === 'json' || this.format === 'yaml') printValue(this.terminal, this.format, value);
    else this.terminal.out(text());
  }
}

function localServers(cluster: LocalCluster, replica: string | undefined): readonly string[] {
  const address = ({ grpc }: { grpc: number }): string => `${cluster.host}:${grpc}`;
  if (replica === undefined) return cluster.replicas.map(address);
  const chosen = cluster.replicas.find(({ id }) => id === replica);
  if (chosen === undefined) {
    const known = cluster.replicas.map(({ id }) => id).join(', ');
    throw usage('--replica', `no replica ${replica}`, `there are ${known}`);
  }
  return [address(chosen)];
}

/** What was typed is wrong: exit code 2. */
export function usage(flag: string, message: string, hint: string): BatonError {
  return new BatonError('invalid-argument', `${flag}: ${message}`, { fields: { path: flag }, hint });
}

export function wholeNumber(flag: string): (text: string) => number {
  return (text) => {
    if (/^\d{1,12}$/.test(text)) return Number(text);
    throw usage(flag, `${JSON.stringify(text)} is not a whole number`, 'give 0 or a positive whole number');
  };
}

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** As people write it: 500ms, 60s, 5m, 1h. @returns ms */
export function duration(flag: string): (text: string) => number {
  return (text) => {
    const [, amount, unit] = /^(\d{1,6})(ms|s|m|h)$/.exec(text) ?? [];
    if (amount !== undefined && unit !== undefined) return Number(amount) * (UNITS_MS[unit] ?? 0);
    throw usage(flag, `${JSON.stringify(text)} is not a time`, 'give one like 500ms, 60s or 5m');
  };
}

export function collect(text: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), text];
}
