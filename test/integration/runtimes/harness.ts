/** The compiled runtime, functions written to disk, and calls to their sandboxes. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request, type IncomingMessage, type RequestOptions } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { processRuntime } from '../../../src/adapters/runtimes/process/process-runtime.ts';
import type { FunctionSpec } from '../../../src/core/model/function.ts';
import { sandboxId, type SandboxId } from '../../../src/lib/ids.ts';
import { prng } from '../../../src/lib/prng.ts';
import type {
  LogLine,
  SandboxExit,
  SandboxRuntime,
  StartedSandbox,
} from '../../../src/ports/sandbox-runtime.ts';
import type { Clock } from '../../../src/ports/system.ts';
import { startRequest } from '../../unit/runtimes/fixtures.ts';

export const ROOT: string = fileURLToPath(new URL('../../..', import.meta.url));
const COMPILED = join(ROOT, 'dist/src/adapters/runtimes/process/process-runtime.js');

interface Module {
  readonly processRuntime: typeof processRuntime;
}

const clock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
  soon: (run) => void setImmediate(run),
};

export interface Bench {
  readonly runtime: SandboxRuntime;
  readonly directory: string;
  readonly exits: readonly SandboxExit[];
  readonly logs: readonly LogLine[];
  /** Writes the files of a function and starts a sandbox of it; ids never repeat. */
  start(files: Readonly<Record<string, string>>, spec?: Partial<FunctionSpec>): Promise<Started>;
  /** The same, for what goes on meanwhile. */
  begin(files: Readonly<Record<string, string>>, spec?: Partial<FunctionSpec>): Beginning;
  exitsOf(sandbox: SandboxId): readonly SandboxExit[];
  textOf(sandbox: SandboxId): readonly string[];
  remove(): Promise<void>;
}

export interface Started extends StartedSandbox {
  readonly id: SandboxId;
}

export interface Beginning {
  readonly id: SandboxId;
  readonly started: Promise<Started>;
}

export interface BenchOptions {
  readonly directory?: string;
  readonly stemCells?: number;
  readonly ports: { readonly from: number; readonly to: number };
  readonly startTimeoutMs?: number;
  readonly host?: string;
  readonly listenHost?: string;
}

export async function makeBench(options: BenchOptions): Promise<Bench> {
  const compiled = (await import(pathToFileURL(COMPILED).href)) as Module;
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'baton-test-'));
  const runtime = compiled.processRuntime({
    directory: join(directory, 'worker'),
    stemCells: options.stemCells ?? 1,
    ports: options.ports,
    host: options.host,
    listenHost: options.listenHost,
    clock,
    random: prng(directory),
    ...(options.startTimeoutMs === undefined ? {} : { startTimeoutMs: options.startTimeoutMs }),
  });
  const exits: SandboxExit[] = [];
  const logs: LogLine[] = [];
  runtime.onExit((exit) => exits.push(exit));
  runtime.onLog((line) => logs.push(line));
  let count = 0;
  const begin: Bench['begin'] = (files, spec = {}) => {
    const id = sandboxId(`s${++count}`);
    const artifact = join(directory, 'artifacts', id);
    mkdirSync(artifact, { recursive: true });
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(artifact, name)), { recursive: true });
      writeFileSync(join(artifact, name), text);
    }
    const started = runtime.start(startRequest(id, spec, artifact)).then((answer) => ({ ...answer, id }));
    return { id, started };
  };
  return {
    runtime,
    directory,
    exits,
    logs,
    begin,
    start: (files, spec) => begin(files, spec).started,
    exitsOf: (sandbox) => exits.filter((exit) => exit.sandbox === sandbox),
    textOf: (sandbox) => logs.filter((line) => line.sandbox === sandbox).map(({ text }) => text),
    async remove() {
      await runtime.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

export const program = (...command: string[]): Partial<FunctionSpec> => ({ runtime: 'program', command });

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/**
 * On a connection that stays open, as a data plane's does: node's client ends each request with an empty write, which fails
 * once the other side has closed.
 */
export function open(address: string, options: RequestOptions = {}, body?: string): Promise<IncomingMessage> {
  const agent = new Agent({ keepAlive: true });
  return new Promise((resolve, reject) => {
    request({ agent, ...target(address), ...options }, resolve)
      .once('socket', (socket) => socket.on('error', () => undefined))
      .once('error', reject)
      .end(body);
  });
}

function target(address: string): RequestOptions {
  if (address.startsWith('unix:')) return { socketPath: address.slice('unix:'.length) };
  const [, host, port] = address.split(':');
  return { host, port };
}

export async function call(address: string, options?: RequestOptions, body?: string): Promise<Answer> {
  const answer = await open(address, options, body);
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  return { status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks).toString() };
}

/** A process that has ended and that nobody has asked about yet is as dead as one that is gone. */
export function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) !== 'Z';
  } catch {
    return false;
  }
}

/** A program: listens on $PORT, answers with its environment, and logs as it was told to by its source. */
export function nodeProgram(before = '', after = ''): Record<string, string> {
  return {
    'program.mjs': `
import { createServer } from 'node:http';
import { spawn } from 'node:child_process';
${before}
createServer((request, response) => response.end(JSON.stringify(process.env)))
  .listen(Number(process.env.PORT), process.env.HOST);
${after}
`,
  };
}

export const RUN_NODE_PROGRAM: Partial<FunctionSpec> = program(process.execPath, 'program.mjs');

/** A child in a session of its own, with a child of its own; prints both pids in one line. */
export const RUNAWAY = `
const runaway = spawn('/bin/sh', ['-c', 'sleep 600 & echo $$ $!; wait'], {
  detached: true, stdio: ['ignore', 'pipe', 'ignore'],
});
runaway.stdout.once('data', (pids) => console.log('runaways', String(pids).trim()));
runaway.unref();
`;

/** What {@link RUNAWAY} printed. */
export function runaways(lines: readonly string[]): number[] {
  const line = lines.find((text) => text.startsWith('runaways '));
  return line === undefined ? [] : line.split(' ').slice(1).map(Number);
}
