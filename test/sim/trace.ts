/** What happened: all of it as a hash, the last of it as a story. */
import { createHash } from 'node:crypto';
import { crc32c } from '../../src/lib/crc32c.ts';

const KEPT_LINES = 400;
const BUFFER_BYTES = 65_536;
/** When, from whom, on what subject, and the checksum of what is said. */
const RECORD_BYTES = 20;

export class Trace {
  readonly lines: string[] = [];
  readonly #hash = createHash('sha256');
  readonly #buffer: Buffer = Buffer.alloc(BUFFER_BYTES);
  readonly #names = new Map<string, number>();
  #used = 0;
  #messages = 0;

  /** Part of the hash only: there are too many to tell, and too many to print. */
  message(atMs: number, from: string, subject: string, payload: Uint8Array): void {
    this.#messages++;
    const sender = this.#numberOf(from);
    const topic = this.#numberOf(subject);
    if (this.#used + RECORD_BYTES > BUFFER_BYTES) this.#flush();
    const at = this.#used;
    this.#buffer.writeDoubleLE(atMs, at);
    this.#buffer.writeUInt32LE(sender, at + 8);
    this.#buffer.writeUInt32LE(topic, at + 12);
    this.#buffer.writeUInt32LE(crc32c(payload), at + 16);
    this.#used = at + RECORD_BYTES;
  }

  /** A name is hashed once, and is a number from then on. */
  #numberOf(name: string): number {
    let number = this.#names.get(name);
    if (number === undefined) {
      this.#names.set(name, (number = this.#names.size));
      this.#add(`${name}\n`);
    }
    return number;
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
