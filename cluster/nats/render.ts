/** Fills in deploy/nats.conf. Small on purpose: values, repetition, presence. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BatonError } from '../../src/lib/errors.ts';
import { packageRoot } from '../package-root.ts';

export interface NatsUser {
  readonly id: string;
  readonly password: string;
}

export interface NatsConf {
  readonly cluster: string;
  readonly serverName: string;
  /** host:port */
  readonly listen: string;
  readonly systemPassword: string;
  /** More than one server: where this one takes routes, and the others' addresses. */
  readonly routes:
    { readonly listen: string; readonly password: string; readonly others: readonly string[] } | undefined;
  readonly replicas: readonly NatsUser[];
  readonly dataPlanes: readonly NatsUser[];
  readonly workers: readonly NatsUser[];
}

type Values = Readonly<Record<string, string>>;

export function natsConfTemplate(): string {
  return readFileSync(join(packageRoot(), 'deploy', 'nats.conf'), 'utf8');
}

export function renderNatsConf(conf: NatsConf, template: string = natsConfTemplate()): string {
  const { routes } = conf;
  const values: Values = {
    CLUSTER_ID: conf.cluster,
    SERVER_NAME: conf.serverName,
    LISTEN: conf.listen,
    SYSTEM_PASSWORD: conf.systemPassword,
    ...(routes === undefined ? {} : { CLUSTER_LISTEN: routes.listen, ROUTE_PASSWORD: routes.password }),
  };
  const users = (list: readonly NatsUser[]): Values[] =>
    list.map(({ id, password }) => ({ ID: id, PASSWORD: password }));
  return expand(template.split('\n'), values, {
    ROUTE: (routes?.others ?? []).map((address) => ({ ADDRESS: address })),
    REPLICA: users(conf.replicas),
    DATA_PLANE: users(conf.dataPlanes),
    WORKER: users(conf.workers),
  }).join('\n');
}

function expand(
  lines: readonly string[],
  values: Values,
  lists: Readonly<Record<string, readonly Values[]>>,
): string[] {
  const out: string[] = [];
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] ?? '';
    const open = /^\s*# <(each|if) ([A-Z_]+)>$/.exec(line);
    if (open === null) {
      out.push(fill(line, values));
      continue;
    }
    const [, kind = '', name = ''] = open;
    const end = closing(lines, i, kind);
    const inner = lines.slice(i + 1, end);
    if (kind === 'if') {
      if (values[name] !== undefined) out.push(...expand(inner, values, lists));
    } else for (const item of lists[name] ?? []) out.push(...expand(inner, { ...values, ...item }, lists));
    i = end;
  }
  return out;
}

function closing(lines: readonly string[], from: number, kind: string): number {
  const end = lines.findIndex((line, i) => i > from && line.trim() === `# </${kind}>`);
  if (end === -1)
    throw new BatonError('internal', `nats.conf: "# <${kind}>" in line ${from + 1} is never closed`);
  return end;
}

function fill(line: string, values: Values): string {
  if (line.trimStart().startsWith('#')) return line;
  return line.replaceAll(/\$\{([A-Z_]+)\}/g, (_whole, name: string) => {
    const value = values[name];
    if (value === undefined) throw new BatonError('internal', `nats.conf: no value for ${name}`);
    return value;
  });
}
