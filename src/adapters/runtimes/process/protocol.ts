/**
 * Between a worker and the shim inside a JavaScript sandbox: JSON lines over a pipe of its own (file descriptor 3).
 *
 *   C1  a function can write to that pipe too, so nothing that comes out of it is trusted: no line, however malformed, may
 *       harm the worker. (Node's own IPC channel throws in the parent at a line that is not JSON.)
 */
export interface StartModule {
  readonly kind: 'start';
  /** Absolute path of the module. */
  readonly module: string;
  /** The unpacked artifact: the function's working directory. */
  readonly directory: string;
  /** A unix socket's path, or a TCP port on a host. */
  readonly listen: { readonly path: string } | { readonly host: string; readonly port: number };
  readonly env: Readonly<Record<string, string>>;
  readonly function: string;
  readonly sandbox: string;
  readonly generation: number;
}

export type ToShim = StartModule | { readonly kind: 'drain' };

export type FromShim =
  | { readonly kind: 'booted' }
  | { readonly kind: 'ready'; readonly loadMicros: number; readonly listenMicros: number }
  /** The error itself, with its stack, is on stderr. */
  | { readonly kind: 'failed'; readonly message: string };

/** The file descriptor, in the shim. */
export const CHANNEL = 3;

export function encodeMessage(message: ToShim | FromShim): string {
  return `${JSON.stringify(message)}\n`;
}

/** Undefined for anything that is not a message. */
export function decodeFromShim(line: string): FromShim | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { kind, loadMicros, listenMicros, message } = value as Record<string, unknown>;
  if (kind === 'booted') return { kind };
  if (kind === 'ready' && isMicros(loadMicros) && isMicros(listenMicros))
    return { kind, loadMicros, listenMicros };
  if (kind === 'failed' && typeof message === 'string') return { kind, message };
  return undefined;
}

function isMicros(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
