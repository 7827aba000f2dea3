/** What happened, as a hash and as the last lines of a story. */
import { crc32c } from '../../src/lib/crc32c.ts';

const KEPT_LINES = 400;

export class Trace {
  readonly lines: string[] = [];
  #hash = 0;
  #events = 0;

  /** Part of the hash only: there are too many to tell. */
  message(atMs: number, from: string, subject: string, payload: Uint8Array): void {
    this.#events++;
    this.#mix(Math.floor(atMs * 1_000));
    for (let i = 0; i < from.length; i++) this.#mix(from.charCodeAt(i));
    for (let i = 0; i < subject.length; i++) this.#mix(subject.charCodeAt(i));
    this.#mix(crc32c(payload));
  }

  /** A line of the story. */
  tell(atMs: number, text: string): void {
    this.lines.push(`${(atMs / 1_000).toFixed(3).padStart(9)}  ${text}`);
    if (this.lines.length > 2 * KEPT_LINES) this.lines.splice(0, KEPT_LINES);
    for (let i = 0; i < text.length; i++) this.#mix(text.charCodeAt(i));
    this.#mix(Math.floor(atMs * 1_000));
  }

  #mix(value: number): void {
    this.#hash = Math.imul(this.#hash ^ value, 0x01000193) >>> 0;
    this.#hash = ((this.#hash << 13) | (this.#hash >>> 19)) >>> 0;
  }

  get events(): number {
    return this.#events;
  }

  get hash(): string {
    return this.#hash.toString(16).padStart(8, '0');
  }
}
