/** HTTP/JSON: which method and path calls which method of the service, and what is known by name but not there yet. */
import { BatonError } from '../lib/errors.ts';
import { documentFromWire, documentToWire } from './document.ts';
import type { FunctionMessage, LogCursor } from '../wire/gen/baton/api/v1/api.ts';
import type { ApiMethods } from './service.ts';
import { parseFunctionDocument, toFunctionDocument } from './spec.ts';

export interface RouteInput {
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** Parsed JSON; undefined without a body. */
  readonly body: unknown;
  /** "<base>-<nonce>" for a caller that gave none. */
  readonly freshRequestId: () => string;
}

export type HttpMethod = 'GET' | 'PUT' | 'POST' | 'DELETE';

export interface Route {
  readonly method: HttpMethod;
  /** `{name}` stands for one segment. */
  readonly path: string;
  readonly calls: keyof ApiMethods;
  readonly summary: string;
  readonly query: readonly { readonly name: string; readonly description: string }[];
  readonly body: 'none' | 'function' | 'transfer';
  readonly request: (input: RouteInput) => unknown;
  /** Turns the reply into JSON that users know. */
  readonly reply?: (reply: never) => unknown;
}

function wholeNumber(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  if (!/^\d{1,15}$/.test(text)) {
    throw new BatonError(
      'invalid-argument',
      `${name}: ${JSON.stringify(text.slice(0, 40))} is not a whole number`,
      {
        fields: { path: name },
        hint: 'give 0 or a positive whole number',
      },
    );
  }
  return Number(text);
}

function truth(query: URLSearchParams, name: string, fallback: boolean): boolean {
  const text = query.get(name);
  if (text === null) return fallback;
  if (text === 'true' || text === 'false') return text === 'true';
  throw new BatonError(
    'invalid-argument',
    `${name}: ${JSON.stringify(text.slice(0, 40))} is neither true nor false`,
    {
      fields: { path: name },
      hint: 'give true or false',
    },
  );
}

function withName(body: unknown, name: string): unknown {
  if (body === null || typeof body !== 'object' || Array.isArray(body)) {
    throw new BatonError('invalid-argument', 'body: a function document is missing', {
      fields: { path: 'body' },
      hint: 'send JSON with the keys of docs/spec.md',
    });
  }
  const given = (body as { name?: unknown }).name;
  if (given !== undefined && given !== name) {
    throw new BatonError('invalid-argument', `name: ${JSON.stringify(given)} is not the name in the path`, {
      fields: { path: 'name' },
      hint: 'leave it out of the body, or use the same name',
    });
  }
  return { ...body, name };
}

function cursorsOf(query: URLSearchParams): LogCursor[] {
  return query.getAll('cursor').map((text) => {
    const [worker = '', after = ''] = text.split(':');
    if (!/^\d{1,15}$/.test(after)) {
      throw new BatonError('invalid-argument', 'cursor: not a cursor', {
        fields: { path: 'cursor' },
        hint: 'repeat what the last answer gave, as WORKER:AFTER',
      });
    }
    return { worker, after: Number(after) };
  });
}

const shown = (row: FunctionMessage): unknown => ({
  ...row,
  spec: row.spec === undefined ? undefined : documentFromWire(row.spec),
});

const REQUEST_ID = {
  name: 'requestId',
  description: '"<commit index>-<nonce>"; a retry with the same id takes effect once',
};
const IF_GENERATION = {
  name: 'ifGeneration',
  description: 'only if it is at this generation; 0: only if it is new',
};

const list = (path: string, calls: keyof ApiMethods, summary: string): Route => ({
  method: 'GET',
  path,
  calls,
  summary,
  query: [],
  body: 'none',
  request: () => ({}),
});

export const routes: readonly Route[] = [
  list('/v1/status', 'getStatus', 'The cluster as the leader sees it, and every replica’s own word'),
  list('/v1/replica', 'getReplica', 'This replica alone; also without a leader'),
  {
    ...list('/v1/functions', 'listFunctions', 'All functions'),
    reply: (reply: { rows: readonly FunctionMessage[] }) => ({ rows: reply.rows.map(shown) }),
  },
  {
    ...list('/v1/functions/{name}', 'getFunction', 'One function'),
    request: ({ params }) => ({ name: params['name'] }),
    reply: shown,
  },
  {
    method: 'PUT',
    path: '/v1/functions/{name}',
    calls: 'putFunction',
    summary: 'Creates or updates a function',
    query: [
      REQUEST_ID,
      IF_GENERATION,
      { name: 'trial', description: 'start it once before it is registered (default true)' },
    ],
    body: 'function',
    request: ({ params, query, body, freshRequestId }) => ({
      function: documentToWire(
        toFunctionDocument(parseFunctionDocument(withName(body, params['name'] ?? ''))),
      ),
      requestId: query.get('requestId') ?? freshRequestId(),
      ifGeneration: wholeNumber(query, 'ifGeneration'),
      trial: truth(query, 'trial', true),
    }),
  },
  {
    method: 'DELETE',
    path: '/v1/functions/{name}',
    calls: 'deleteFunction',
    summary: 'Deletes a function',
    query: [REQUEST_ID, IF_GENERATION],
    body: 'none',
    request: ({ params, query, freshRequestId }) => ({
      name: params['name'],
      requestId: query.get('requestId') ?? freshRequestId(),
      ifGeneration: wholeNumber(query, 'ifGeneration'),
    }),
  },
  list('/v1/workers', 'listWorkers', 'Workers as last reported'),
  {
    ...list('/v1/workers/{worker}/cordon', 'setCordon', 'Places nothing new on a worker'),
    method: 'POST',
    request: ({ params }) => ({ worker: params['worker'], on: true }),
  },
  {
    ...list('/v1/workers/{worker}/uncordon', 'setCordon', 'Places on a worker again'),
    method: 'POST',
    request: ({ params }) => ({ worker: params['worker'], on: false }),
  },
  {
    ...list(
      '/v1/workers/{worker}/drain',
      'drainWorker',
      'Places nothing new on a worker, and moves what runs there elsewhere',
    ),
    method: 'POST',
    request: ({ params }) => ({ worker: params['worker'] }),
  },
  {
    ...list('/v1/workers/{worker}/drain', 'getDrain', 'How far that is'),
    request: ({ params }) => ({ worker: params['worker'] }),
  },
  list('/v1/sandboxes', 'listSandboxes', 'Sandboxes as the leader knows them'),
  list('/v1/data-planes', 'listDataPlanes', 'Data planes as last reported'),
  {
    ...list('/v1/events', 'listEvents', 'What the leader did and why, oldest first'),
    query: [
      { name: 'after', description: 'seq of the last answer: only what came after it' },
      { name: 'afterTerm', description: 'term of the last answer, beside after' },
      { name: 'kind', description: 'only of this kind (docs/events.md); may be repeated' },
      { name: 'function', description: 'only about this function' },
      { name: 'limit', description: 'the latest so many' },
    ],
    request: ({ query }) => ({
      after: wholeNumber(query, 'after') ?? 0,
      afterTerm: wholeNumber(query, 'afterTerm') ?? 0,
      kinds: query.getAll('kind'),
      function: query.get('function') ?? '',
      limit: wholeNumber(query, 'limit'),
    }),
  },
  {
    ...list('/v1/logs', 'getLogs', 'Output of a function or a sandbox'),
    query: [
      { name: 'function', description: 'name of the function' },
      { name: 'sandbox', description: 'id of the sandbox' },
      { name: 'cursor', description: 'WORKER:AFTER of the last answer; may be repeated' },
      { name: 'limit', description: 'lines at most' },
    ],
    request: ({ query }) => ({
      function: query.get('function') ?? '',
      sandbox: query.get('sandbox') ?? '',
      cursors: cursorsOf(query),
      limit: wholeNumber(query, 'limit') ?? 0,
    }),
  },
  {
    method: 'POST',
    path: '/v1/leadership/transfer',
    calls: 'transferLeadership',
    summary: 'Hands leadership to another replica',
    query: [],
    body: 'transfer',
    request: ({ body }) => ({ to: (body as { to?: string } | undefined)?.to ?? '' }),
  },
];

/** Known by name, not there yet. */
const LATER: readonly (readonly [pattern: RegExp, feature: string])[] = [
  [/^\/v1\/functions\/[^/]+\/(rollback|revisions|traffic)\b/, 'revisions, rollback and traffic split'],
  [/^\/v1\/secrets\b/, 'secrets'],
  [/^\/v1\/quotas\b/, 'quotas'],
  [/^\/v1\/(calls|async-calls)\b/, 'asynchronous invocation'],
  [/^\/dashboard\b/, 'the dashboard'],
];

export function laterFeature(path: string): string | undefined {
  return LATER.find(([pattern]) => pattern.test(path))?.[1];
}

export type Match =
  | { readonly kind: 'route'; readonly route: Route; readonly params: Readonly<Record<string, string>> }
  | { readonly kind: 'wrong-method'; readonly allowed: readonly string[] }
  | { readonly kind: 'none' };

export function matchRoute(method: string, path: string): Match {
  const allowed: string[] = [];
  for (const route of routes) {
    const params = matchPath(route.path, path);
    if (params === undefined) continue;
    if (route.method === method) return { kind: 'route', route, params };
    allowed.push(route.method);
  }
  return allowed.length === 0 ? { kind: 'none' } : { kind: 'wrong-method', allowed };
}

export function matchPath(pattern: string, path: string): Record<string, string> | undefined {
  const wanted = pattern.split('/');
  const given = path.split('/');
  if (wanted.length !== given.length) return undefined;
  const params: Record<string, string> = {};
  for (const [i, part] of wanted.entries()) {
    const value = given[i] ?? '';
    if (part.startsWith('{')) params[part.slice(1, -1)] = value;
    else if (part !== value) return undefined;
  }
  return params;
}
