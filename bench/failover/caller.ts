/**
 * The least that a client of HTTP/1.1 can be: GET over kept connections, one request at a time on each. The load must not eat the
 * machine on which a failover is measured; a client for everything costs several times as much.
 */
import { connect, type Socket } from 'node:net';
import { systemClock } from '../../src/adapters/system/clock.ts';

export interface Answer {
  /** 0: there was none, and `error` says why. */
  readonly status: number;
  /** Of the platform's own errors; empty for what a function answered. */
  readonly reason: string;
  readonly body: string;
  /** When the first byte of the response was here; monotonic. */
  readonly firstByteMs: number;
  readonly error: string;
}

type OnAnswer = (answer: Answer) => void;

/** Younger than what the server closes. */
const IDLE_MS = 30_000;
const LOOK_EVERY_MS = 500;
const HEAD_END = '\r\n\r\n';

export class Caller {
  readonly #address: { readonly host: string; readonly port: number };
  readonly #timeoutMs: number;
  readonly #idle: Connection[] = [];
  readonly #all = new Set<Connection>();
  readonly #clock: NodeJS.Timeout;

  constructor(url: string, timeoutMs: number) {
    const { hostname, port } = new URL(url);
    this.#address = { host: hostname, port: Number(port) };
    this.#timeoutMs = timeoutMs;
    this.#clock = setInterval(() => this.#lookAfter(), LOOK_EVERY_MS);
  }

  get(path: string, onAnswer: OnAnswer): void {
    const connection = this.#idle.pop() ?? this.#open();
    connection.send(`GET ${path} HTTP/1.1\r\nhost: bench\r\n\r\n`, (answer) => {
      if (connection.isOpen) this.#idle.push(connection);
      onAnswer(answer);
    });
  }

  #open(): Connection {
    const connection = new Connection(this.#address, () => {
      this.#all.delete(connection);
      const at = this.#idle.indexOf(connection);
      if (at >= 0) this.#idle.splice(at, 1);
    });
    this.#all.add(connection);
    return connection;
  }

  #lookAfter(): void {
    const nowMs = systemClock.now();
    for (const connection of this.#all) {
      if (connection.isBusy && nowMs - connection.sinceMs > this.#timeoutMs)
        connection.end('no answer in time');
      else if (!connection.isBusy && nowMs - connection.sinceMs > IDLE_MS) connection.end('idle');
    }
  }

  close(): void {
    clearInterval(this.#clock);
    for (const connection of this.#all) connection.end('the run is over');
  }
}

class Connection {
  /** Of the request under way, or of the end of the last. */
  sinceMs: number = systemClock.now();
  isOpen = true;
  readonly #socket: Socket;
  readonly #onClosed: () => void;
  #onAnswer: OnAnswer | undefined;
  #text = '';
  #firstByteMs = 0;

  constructor(address: { host: string; port: number }, onClosed: () => void) {
    this.#onClosed = onClosed;
    this.#socket = connect({ ...address, noDelay: true });
    this.#socket.setEncoding('latin1');
    this.#socket.on('data', (piece: string) => this.#onData(piece));
    this.#socket.on('error', (error: NodeJS.ErrnoException) => this.end(error.code ?? error.message));
    this.#socket.on('close', () => this.end('the connection was closed'));
  }

  get isBusy(): boolean {
    return this.#onAnswer !== undefined;
  }

  send(request: string, onAnswer: OnAnswer): void {
    this.#onAnswer = onAnswer;
    this.#text = '';
    this.#firstByteMs = 0;
    this.sinceMs = systemClock.now();
    this.#socket.write(request);
  }

  #onData(piece: string): void {
    if (this.#firstByteMs === 0) this.#firstByteMs = systemClock.now();
    this.#text += piece;
    const headEnd = this.#text.indexOf(HEAD_END);
    if (headEnd < 0) return;
    const head = this.#text.slice(0, headEnd).toLowerCase();
    const body = wholeBody(head, this.#text.slice(headEnd + HEAD_END.length));
    if (body === undefined) return;
    this.#settle({
      status: Number(head.slice(9, 12)),
      reason: headerOf(head, 'x-baton-error') ?? '',
      body,
      firstByteMs: this.#firstByteMs,
      error: '',
    });
  }

  #settle(answer: Answer): void {
    const onAnswer = this.#onAnswer;
    this.#onAnswer = undefined;
    this.sinceMs = systemClock.now();
    onAnswer?.(answer);
  }

  end(error: string): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#socket.destroy();
    this.#onClosed();
    this.#settle({ status: 0, reason: '', body: '', firstByteMs: this.#firstByteMs, error });
  }
}

/** @param head in lower case */
function headerOf(head: string, name: string): string | undefined {
  const at = head.indexOf(`\r\n${name}:`);
  if (at < 0) return undefined;
  const from = at + name.length + 3;
  const end = head.indexOf('\r\n', from);
  return head.slice(from, end < 0 ? undefined : end).trim();
}

/** Undefined: more is to come. */
function wholeBody(head: string, text: string): string | undefined {
  const length = headerOf(head, 'content-length');
  if (length !== undefined) return text.length >= Number(length) ? text : undefined;
  return text.endsWith('0\r\n\r\n') ? unchunked(text) : undefined;
}

function unchunked(text: string): string {
  let body = '';
  for (let at = 0; at < text.length;) {
    const end = text.indexOf('\r\n', at);
    const size = Number.parseInt(text.slice(at, end), 16);
    if (!(size > 0)) return body;
    body += text.slice(end + 2, end + 2 + size);
    at = end + 2 + size + 2;
  }
  return body;
}
