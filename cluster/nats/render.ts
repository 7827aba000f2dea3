/**
 * Fills in deploy/nats.conf. Small on purpose: values, repetition, presence.
 *
 *   N1  a name that the template uses and the renderer does not know is an error, never an empty line;
 *   N2  a value that could end the string in which it stands is refused.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BatonError } from '../../src/lib/errors.ts';
import { packageRoot } from '../package-root.ts';

export interface NatsUser {
  readonly id: string;
  readonly password: string;
}

/** `fleet`: the workers that this user is, where it is more than the one of its own id. */
export interface WorkerUser extends NatsUser {
  readonly fleet?: readonly string[];
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
  readonly workers: readonly WorkerUser[];
}

type Values = { readonly [name: string]: string | readonly Values[] };

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
  const asker =
    (role: string) =>
    ({ id }: NatsUser): Values => ({ USER: `${role}-${id}` });
  return expand(template.split('\n'), {
    ...values,
    ROUTE: (routes?.others ?? []).map((address) => ({
      URL: `nats://route:${encodeURIComponent(routes?.password ?? '')}@${address}`,
    })),
    ASKER: [...conf.replicas.map(asker('replica')), ...conf.dataPlanes.map(asker('data-plane'))],
    REPLICA: users(conf.replicas),
    DATA_PLANE: users(conf.dataPlanes),
    WORKER: conf.workers.map(({ id, password, fleet = [id] }) => ({
      ID: id,
      PASSWORD: password,
      SELF: fleet.map((self) => ({ SELF_ID: self })),
    })),
  }).join('\n');
}

function expand(lines: readonly string[], values: Values): string[] {
  const out: string[] = [];
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] ?? '';
    const open = OPEN.exec(line);
    if (open === null) {
      out.push(fill(line, values));
      continue;
    }
    const [, kind = '', name = ''] = open;
    const end = closing(lines, i);
    const inner = lines.slice(i + 1, end);
    if (kind === 'if') {
      if (values[name] !== undefined) out.push(...expand(inner, values));
    } else for (const item of listed(name, values)) out.push(...expand(inner, { ...values, ...item }));
    i = end;
  }
  return out;
}

const OPEN = /^\s*# <(each|if) ([A-Z_]+)>$/;
const CLOSE = /^\s*# <\/(each|if)>$/;

function listed(name: string, values: Values): readonly Values[] {
  const list = values[name];
  if (list === undefined || typeof list === 'string')
    throw new BatonError('internal', `nats.conf: no list ${name}`);
  return list;
}

/** The line that closes what line `from` opens; blocks nest. */
function closing(lines: readonly string[], from: number): number {
  const open: string[] = [];
  for (let i = from; i < lines.length; i++) {
    const line = lines[i] ?? '';
    const opened = OPEN.exec(line)?.[1];
    const closed = CLOSE.exec(line)?.[1];
    if (opened !== undefined) open.push(opened);
    if (closed === undefined) continue;
    if (closed !== open.pop()) break;
    if (open.length === 0) return i;
  }
  throw new BatonError('internal', `nats.conf: "${lines[from]?.trim()}" in line ${from + 1} is never closed`);
}

/** What ids, addresses and secrets may consist of (src/config demands no less of them). */
const PLAIN = /^[A-Za-z0-9._~+/=:[\]@%-]+$/;

function fill(line: string, values: Values): string {
  if (line.trimStart().startsWith('#')) return line;
  return line.replaceAll(/\$\{([A-Z_]+)\}/g, (_whole, name: string) => {
    const value = values[name];
    if (typeof value !== 'string') throw new BatonError('internal', `nats.conf: no value for ${name}`);
    if (!PLAIN.test(value))
      throw new BatonError('invalid-argument', `nats.conf: ${name} has characters that cannot stand there`, {
        fields: { path: name },
        hint: 'use A-Z, a-z, 0-9 and . _ ~ + / = -',
      });
    return value;
  });
}
