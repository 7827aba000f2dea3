/** Functions: deploy, apply, delete, invoke, logs. */
import { readFileSync } from 'node:fs';
import { basename, dirname, extname, resolve } from 'node:path';
import type { Command } from 'commander';
import { request as httpRequest } from 'undici';
import { parseAllDocuments } from 'yaml';
import type { ApiClient, PutFunctionReply } from '../../api/client.ts';
import { parseFunctionDocument } from '../../api/spec.ts';
import { BatonError } from '../../lib/errors.ts';
import { functionName } from '../../lib/ids.ts';
import { collect, Context, usage, wholeNumber } from '../context.ts';
import { packageFunction } from '../package-function.ts';
import { jsonText, type Terminal } from '../output.ts';

interface DeployFlags {
  readonly name?: string;
  readonly replica?: string;
  readonly concurrency?: number;
  readonly target?: number;
  readonly min?: number;
  readonly max?: number;
  readonly timeout?: number;
  readonly env?: readonly string[];
  readonly set?: readonly string[];
  readonly ifGeneration?: number;
  readonly trial: boolean;
}

export function addFunctionCommands(program: Command, terminal: Terminal): void {
  program
    .command('deploy')
    .description('make a function of a module, a program or a directory')
    .argument('<path>', 'a .ts or .js module, a Python script, an executable, or a directory of one')
    .argument('[command...]', 'after --: how to run a program')
    .option('--name <name>', 'name of the function (the file’s base name)')
    .option('--replica <id>', 'call this replica of a local cluster')
    .option(
      '--concurrency <n>',
      'hard limit of requests at once per sandbox, 0 for none',
      wholeNumber('--concurrency'),
    )
    .option('--target <n>', 'soft target of requests at once per sandbox', wholeNumber('--target'))
    .option('--min <n>', 'sandboxes at least', wholeNumber('--min'))
    .option('--max <n>', 'sandboxes at most, 0 for no bound', wholeNumber('--max'))
    .option('--timeout <ms>', 'from the request to the response head', wholeNumber('--timeout'))
    .option('--env <key=value>', 'environment variable; may be repeated', collect)
    .option(
      '--set <key=value>',
      'any other key of docs/spec.md, also selector.disk=ssd; may be repeated',
      collect,
    )
    .option(
      '--if-generation <n>',
      'only if it is at this generation; 0: only if it is new',
      wholeNumber('--if-generation'),
    )
    .option('--no-trial', 'register without starting it once')
    .addHelpText(
      'after',
      '\nExamples:\n  baton deploy examples/hello.ts\n  baton deploy examples/python --name py --max 4\n  baton deploy ./server --name api --env MODE=fast -- ./serve --quiet\n',
    )
    .action(async (path: string, argv: string[], flags: DeployFlags, command: Command) =>
      deploy(new Context(terminal, command), path, argv, flags),
    );

  program
    .command('apply')
    .description('create or update functions from YAML documents (keys: docs/spec.md)')
    .requiredOption('-f, --file <file>', 'a file; - reads standard input')
    .action(async (flags: { file: string }, command: Command) =>
      apply(new Context(terminal, command), flags.file),
    );

  program
    .command('delete')
    .description('delete functions')
    .argument('<name...>')
    .action(async (names: string[], _flags: object, command: Command) => {
      const context = new Context(terminal, command);
      const rows = await context.withClient(async (client) => {
        const replies = [];
        for (const name of names) replies.push(await client.deleteFunction(functionName(name)));
        return replies;
      });
      for (const { name, laggards } of rows) warnLaggards(context, name, laggards);
      context.value(
        rows.map(({ name, uid, laggards }) => ({ name, uid, laggards })),
        () => rows.map(({ name }) => `deleted ${name}\n`).join(''),
      );
    });

  program
    .command('invoke')
    .description('call a function through a data plane')
    .argument('<name>')
    .argument('[path]', 'path and query below the function', '/')
    .option('-X, --method <method>', 'GET, or POST with data')
    .option('-d, --data <text>', 'request body; @FILE reads a file')
    .option('-H, --header <name:value>', 'request header; may be repeated', collect)
    .option('--data-plane <id>', 'through this data plane')
    .option('-i, --include', 'show status and headers')
    .action(async (name: string, path: string, flags: InvokeFlags, command: Command) =>
      invoke(new Context(terminal, command), name, path, flags),
    );

  program
    .command('logs')
    .description('what a function’s sandboxes wrote')
    .argument('[name]', 'a function')
    .option('-f, --follow', 'go on as lines come')
    .option('--sandbox <id>', 'one sandbox only')
    .option('--tail <n>', 'the last lines only', wholeNumber('--tail'))
    .action(async (name: string | undefined, flags: LogFlags, command: Command) =>
      logs(new Context(terminal, command), name ?? '', flags),
    );
}

// ---- deploy and apply -----------------------------------------------------------------------------------------------

async function deploy(
  context: Context,
  path: string,
  argv: readonly string[],
  flags: DeployFlags,
): Promise<void> {
  const name = functionName(flags.name ?? defaultName(path), '--name');
  const options = keysOf(flags);
  const packaged = await packageFunction(path, argv);
  const document = {
    ...options,
    name,
    runtime: packaged.runtime,
    artifact: packaged.digest,
    artifactBytes: packaged.artifact.length,
    ...(packaged.runtime === 'javascript' ? { entry: packaged.entry } : { command: packaged.command }),
  };
  // Wrong keys are told before anything is sent.
  parseFunctionDocument(document);
  const reply = await context.withClient(async (client) => {
    await client.upload(packaged.artifact, packaged.digest);
    return client.putFunction(document, { ifGeneration: flags.ifGeneration, trial: flags.trial });
  }, flags.replica);
  tell(context, reply, flags.trial);
  const { uid, generation, urls, laggards } = reply;
  context.value({ name, uid, generation, urls, laggards }, () => {
    const where = urls.length === 0 ? 'no data plane is live yet' : urls.join('\n  ');
    return `${name}, generation ${generation}\n  ${where}\n`;
  });
}

function defaultName(path: string): string {
  const base = basename(resolve(path), extname(path));
  return base.toLowerCase().replaceAll(/[^a-z0-9-]+/g, '-');
}

/** Keys of a specification that hold keys of their own; `--env` is for the third. */
const MAPS: ReadonlySet<string> = new Set(['selector', 'resources']);

function keysOf(flags: DeployFlags): Record<string, unknown> {
  const document: Record<string, unknown> = {};
  for (const pair of flags.set ?? []) {
    const [key, value] = split('--set', pair);
    // Names of labels may have dots too: the first one counts.
    const [outer = '', inner] = key.split(/\.(.*)/s);
    if (!MAPS.has(outer)) document[key] = parseScalar(value);
    else if (inner === undefined || inner === '')
      throw usage('--set', `${outer} has keys of its own`, `write ${outer}.KEY=VALUE`);
    else
      document[outer] = {
        ...(document[outer] as object | undefined),
        [inner]: outer === 'resources' ? parseScalar(value) : value,
      };
  }
  if (flags.env !== undefined)
    document['env'] = Object.fromEntries(flags.env.map((pair) => split('--env', pair)));
  const direct = {
    concurrency: flags.concurrency,
    target: flags.target,
    min: flags.min,
    max: flags.max,
    timeoutMs: flags.timeout,
  };
  for (const [key, value] of Object.entries(direct)) if (value !== undefined) document[key] = value;
  return document;
}

function split(flag: string, pair: string): [string, string] {
  const at = pair.indexOf('=');
  if (at < 1) throw usage(flag, `${JSON.stringify(pair)} is not KEY=VALUE`, 'write KEY=VALUE');
  return [pair.slice(0, at), pair.slice(at + 1)];
}

function parseScalar(text: string): unknown {
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}

function tell(context: Context, { name, trialSkipped, laggards }: PutFunctionReply, wanted: boolean): void {
  if (trialSkipped !== '') context.progress(`${name}: registered without a trial start: ${trialSkipped}`);
  else if (!wanted) context.progress(`${name}: registered without a trial start`);
  warnLaggards(context, name, laggards);
}

function warnLaggards(context: Context, name: string, laggards: readonly string[]): void {
  if (laggards.length > 0)
    context.progress(
      `${name}: ${laggards.join(', ')} did not confirm in time and may still serve what was there before`,
    );
}

/** Each document is checked before the first is sent. Bulk, so without trial starts, and says so. */
async function apply(context: Context, file: string): Promise<void> {
  const text = readFileSync(file === '-' ? 0 : file, 'utf8');
  const documents = parseAllDocuments(text);
  const prepared: { document: Record<string, unknown>; artifact: Buffer | undefined }[] = [];
  for (const [i, parsed] of documents.entries()) {
    const where = `${file}, document ${i + 1}`;
    const [problem] = parsed.errors;
    if (problem !== undefined)
      throw new BatonError(
        'invalid-argument',
        `${where}: not YAML: ${problem.message.split('\n')[0] ?? ''}`,
        {
          fields: { path: file },
        },
      );
    const document: unknown = parsed.toJS({ maxAliasCount: 100 });
    if (document === null || document === undefined) continue;
    prepared.push(await prepare(document, where, file === '-' ? '.' : dirname(file)));
  }
  if (prepared.length === 0)
    throw new BatonError('invalid-argument', `${file}: no documents`, { fields: { path: file } });
  const rows = await context.withClient(async (client) => {
    const replies: PutFunctionReply[] = [];
    for (const { document, artifact } of prepared) replies.push(await put(client, document, artifact));
    return replies;
  });
  context.progress('registered without trial starts');
  for (const reply of rows) warnLaggards(context, reply.name, reply.laggards);
  context.value(
    rows.map(({ name, uid, generation, urls }) => ({ name, uid, generation, urls })),
    () => rows.map(({ name, generation }) => `${name}, generation ${generation}\n`).join(''),
  );
}

async function put(
  client: ApiClient,
  document: unknown,
  artifact: Buffer | undefined,
): Promise<PutFunctionReply> {
  const { artifact: digest } = document as { artifact: string };
  if (artifact !== undefined) await client.upload(artifact, digest);
  return client.putFunction(document, { ifGeneration: undefined, trial: false });
}

/** `path` stands for an artifact: what is there is packaged. */
async function prepare(
  document: unknown,
  where: string,
  base: string,
): Promise<{ document: Record<string, unknown>; artifact: Buffer | undefined }> {
  if (typeof document !== 'object' || document === null || Array.isArray(document))
    throw new BatonError('invalid-argument', `${where}: not a function document`, {
      hint: 'see docs/spec.md',
    });
  const { path, ...rest } = document as Record<string, unknown>;
  if (path === undefined) {
    parseFunctionDocument(rest, `${where}: `);
    return { document: rest, artifact: undefined };
  }
  if (typeof path !== 'string')
    throw new BatonError('invalid-argument', `${where}: path: not a text`, { fields: { path: 'path' } });
  const command = Array.isArray(rest['command']) ? rest['command'].map(String) : [];
  const packaged = await packageFunction(resolve(base, path), command);
  const complete = {
    ...rest,
    runtime: packaged.runtime,
    artifact: packaged.digest,
    artifactBytes: packaged.artifact.length,
    ...(packaged.runtime === 'javascript' ? { entry: packaged.entry } : { command: packaged.command }),
  };
  parseFunctionDocument(complete, `${where}: `);
  return { document: complete, artifact: packaged.artifact };
}

// ---- invoke and logs ------------------------------------------------------------------------------------------------

interface InvokeFlags {
  readonly method?: string;
  readonly data?: string;
  readonly header?: readonly string[];
  readonly dataPlane?: string;
  readonly include?: boolean;
}

async function dataPlaneUrl(context: Context, wanted: string | undefined): Promise<string> {
  const cluster = context.localCluster();
  const planes =
    cluster !== undefined
      ? cluster.dataPlanes.map(({ id, caller }) => ({
          id: String(id),
          url: `http://${cluster.host}:${caller}`,
        }))
      : (await context.withClient((client) => client.call('listDataPlanes', {}))).rows.filter(
          ({ live }) => live,
        );
  const plane = wanted === undefined ? planes[0] : planes.find(({ id }) => id === wanted);
  if (plane !== undefined) return plane.url;
  const known = planes.map(({ id }) => id).join(', ');
  throw wanted === undefined
    ? new BatonError('unavailable', 'no data plane is live', { hint: 'baton status names what is missing' })
    : usage('--data-plane', `no data plane ${wanted}`, `there are ${known}`);
}

async function invoke(context: Context, name: string, path: string, flags: InvokeFlags): Promise<void> {
  const base = await dataPlaneUrl(context, flags.dataPlane);
  const body = flags.data?.startsWith('@') === true ? readFileSync(flags.data.slice(1)) : flags.data;
  const headers = Object.fromEntries(
    (flags.header ?? []).map((text) => {
      const at = text.indexOf(':');
      if (at < 1) throw usage('-H', `${JSON.stringify(text)} is not NAME:VALUE`, 'write NAME:VALUE');
      return [text.slice(0, at).trim(), text.slice(at + 1).trim()];
    }),
  );
  const target = `${base}/function/${functionName(name)}${path.startsWith('/') || path.startsWith('?') ? path : `/${path}`}`;
  const method = (flags.method ?? (body === undefined ? 'GET' : 'POST')).toUpperCase() as 'GET';
  let response;
  try {
    response = await httpRequest(target, {
      method,
      headers,
      body: body ?? null,
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  } catch (cause) {
    throw new BatonError('unavailable', `no answer from the data plane at ${base}`, {
      cause,
      hint: 'baton status',
    });
  }
  if (flags.include === true) {
    context.terminal.out(`HTTP/1.1 ${response.statusCode}\n`);
    for (const [header, value] of Object.entries(response.headers))
      context.terminal.out(`${header}: ${String(value)}\n`);
    context.terminal.out('\n');
  }
  for await (const chunk of response.body) context.terminal.out(chunk as Buffer);
  if (response.statusCode >= 400) {
    const reason = response.headers['x-baton-error'];
    const who = reason === undefined ? `${name} itself answered` : `the platform answered ${String(reason)}:`;
    throw new BatonError('unavailable', `${who} ${response.statusCode}`);
  }
}

interface LogFlags {
  readonly follow?: boolean;
  readonly sandbox?: string;
  readonly tail?: number;
}

async function logs(context: Context, name: string, flags: LogFlags): Promise<void> {
  const { sandbox = '' } = flags;
  if (name === '' && sandbox === '')
    throw usage('NAME', 'missing', 'name a function, or a sandbox with --sandbox');
  const request = { function: name === '' ? '' : functionName(name), sandbox, cursors: [], limit: 0 };
  const show = (
    rows: readonly { wallMs: number; sandbox: string; worker: string; stream: string; text: string }[],
  ): void => {
    for (const row of rows) {
      if (context.format === 'json') context.terminal.out(jsonText(row));
      else context.terminal.out(`${new Date(row.wallMs).toISOString()} ${row.sandbox} ${row.text}\n`);
    }
  };
  if (flags.follow !== true) {
    const { rows, dropped } = await context.withClient((client) => client.call('getLogs', request));
    show(flags.tail === undefined ? rows : rows.slice(-flags.tail));
    if (dropped > 0) context.progress(`${dropped} older lines are gone`);
    return;
  }
  const stopping = new AbortController();
  process.once('SIGINT', () => stopping.abort());
  process.once('SIGTERM', () => stopping.abort());
  await context.withClient(async (client) => {
    for await (const page of client.followLogs(request, stopping.signal)) show(page.rows);
  });
}
