/** What get and describe can show, and how it is named. */
import { documentFromWire } from '../../api/client.ts';
import type * as api from '../../api/client.ts';
import { BatonError } from '../../lib/errors.ts';
import { usage } from '../context.ts';

export const KIND_WORDS = ['functions', 'workers', 'sandboxes', 'data-planes', 'replicas'] as const;
export type Kind = (typeof KIND_WORDS)[number];

export const KIND_ALIASES: Readonly<Record<string, Kind>> = {
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

export function kindOf(text: string): Kind {
  const kind = Object.hasOwn(KIND_ALIASES, text) ? KIND_ALIASES[text] : undefined;
  if (kind !== undefined) return kind;
  throw usage('KIND', `${JSON.stringify(text)} is not a kind`, `use ${KIND_WORDS.join(', ')}`);
}

export function only<Row extends { readonly id: string }>(
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

export interface FunctionRow {
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

export function functionRow(fn: api.FunctionMessage): FunctionRow {
  const { name, uid, generation, specIndex, ready, starting, desired, concurrency, reason, urls } = fn;
  const spec = fn.spec === undefined ? {} : documentFromWire(fn.spec);
  return { name, uid, generation, specIndex, ready, starting, desired, concurrency, reason, urls, spec };
}
