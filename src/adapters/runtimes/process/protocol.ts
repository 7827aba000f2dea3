/** Between a worker and the shim inside a JavaScript sandbox, over the IPC channel. */
export interface StartModule {
  readonly kind: 'start';
  /** Absolute path of the module. */
  readonly module: string;
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
  | { readonly kind: 'failed'; readonly message: string; readonly stack: string };
