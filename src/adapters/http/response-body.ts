/** A response body between the connection that reads it and the sink that takes it, with backpressure. */
import { assert } from '../../lib/assert.ts';
import type { ByteSink, ByteSource } from '../../ports/byte-stream.ts';

type End = { readonly kind: 'end' } | { readonly kind: 'fail'; readonly error: Error };

export class ResponseBody implements ByteSource {
  readonly #onFlow: (flowing: boolean) => void;
  readonly #onCancel: () => void;
  #sink: ByteSink | undefined = undefined;
  #pending: Uint8Array[] = [];
  #end: End | undefined = undefined;
  #blocked = true;
  #over = false;

  /**
   * @param onFlow whether more may be read
   * @param onCancel the consumer has lost interest
   */
  constructor(onFlow: (flowing: boolean) => void, onCancel: () => void) {
    this.#onFlow = onFlow;
    this.#onCancel = onCancel;
  }

  start(sink: ByteSink): void {
    assert(this.#sink === undefined, 'a body is read once');
    this.#sink = sink;
    this.resume();
  }

  resume(): void {
    if (this.#sink === undefined || this.#over) return;
    this.#blocked = false;
    while (this.#pending.length > 0 && !this.#blocked) {
      const chunk = this.#pending.shift();
      if (chunk !== undefined && !this.#sink.write(chunk)) this.#blocked = true;
      if (this.#isOver()) return;
    }
    if (this.#blocked) return;
    if (this.#end !== undefined) this.#finish(this.#end);
    else this.#onFlow(true);
  }

  cancel(): void {
    if (this.#over) return;
    this.#over = true;
    this.#pending = [];
    this.#onCancel();
  }

  /** False: nothing more should be read for now. */
  push(chunk: Uint8Array): boolean {
    if (this.#over) return true;
    if (this.#blocked || this.#sink === undefined) {
      this.#pending.push(chunk);
      return false;
    }
    if (!this.#sink.write(chunk)) this.#blocked = true;
    return !this.#blocked;
  }

  end(): void {
    this.#settle({ kind: 'end' });
  }

  fail(error: Error): void {
    this.#settle({ kind: 'fail', error });
  }

  #settle(end: End): void {
    if (this.#over || this.#end !== undefined) return;
    this.#end = end;
    // A failure need not wait for what the sink has not taken.
    if (this.#sink !== undefined && (end.kind === 'fail' || !this.#blocked)) this.#finish(end);
  }

  #finish(end: End): void {
    this.#over = true;
    this.#pending = [];
    if (end.kind === 'end') this.#sink?.end();
    else this.#sink?.fail(end.error);
  }

  /** A function, so that the compiler does not keep what it knew before the sink was called. */
  #isOver(): boolean {
    return this.#over;
  }
}
