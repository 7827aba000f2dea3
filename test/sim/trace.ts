/** What happened: all of it as a hash, the last of it as a story. */
import { createHash } from 'node:crypto';
import { crc32c } from '../../src/lib/crc32c.ts';

const KEPT_LINES = 400;
const BUFFER_BYTES = 65_536;

export class Trace {
  readonly lines: string[] = [];
  readonly #hash = createHash('sha256');
  readonly #buffer: Buffer = Buffer.alloc(BUFFER_BYTES);
  #used = 0;
  #messages = 0;

  /** Part of the hash only: there are too many to tell. */
  message(atMs: number, from: string, subject: string, payload: Uint8Array): void {
    this.#messages++;
    this.#add(`${Math.floor(atMs * 1_000)} ${from} ${subject} ${crc32c(payload)}\n`);
  }

  /** A line of the story. */
  tell(atMs: number, text: string): void {
    const line = `${(atMs / 1_000).toFixed(3).padStart(9)}  ${text}`;
    this.lines.push(line);
    if (this.lines.length > 2 * KEPT_LINES) this.lines.splice(0, KEPT_LINES);
    this.#add(`${line}\n`);
  }

  get messages(): number {
    return this.#messages;
  }

  /** 64 hexadecimal digits; ends the trace. */
  end(): string {
    this.#flush();
    return this.#hash.digest('hex');
  }

  #add(text: string): void {
    if (this.#used + 4 * text.length > BUFFER_BYTES) this.#flush();
    this.#used += this.#buffer.write(text.slice(0, BUFFER_BYTES / 8), this.#used);
  }

  #flush(): void {
    this.#hash.update(this.#buffer.subarray(0, this.#used));
    this.#used = 0;
  }
}
