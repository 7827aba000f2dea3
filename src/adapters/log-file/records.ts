/**
 * The bytes of a segment: records chained by CRC32C.
 *
 *   record = length u32 | header crc u32 | payload | payload crc u32          (little endian)
 *
 * The header's checksum covers the length and the chain so far, the payload's continues it. So a length that was damaged is
 * told from one that ran past a crash:
 *
 *   D1  fewer bytes left than a record needs, with a good header or none: torn, cut;
 *   D2  nothing but zeros left: torn (the file grew before its data arrived);
 *   D3  anything else that fails a checksum: damage, and nothing is cut.
 */
import { crc32c } from '../../lib/crc32c.ts';

const HEADER_BYTES = 8;
const TRAILER_BYTES = 4;

export interface SegmentScan {
  readonly payloads: readonly Uint8Array[];
  /** Bytes that are good. */
  readonly goodBytes: number;
  readonly chain: number;
  readonly state: 'whole' | 'torn' | 'damaged';
}

export function chainSeed(segment: number): number {
  return crc32c(new TextEncoder().encode(`segment ${segment}`));
}

export function encodeRecord(payload: Uint8Array, chain: number): { bytes: Buffer; chain: number } {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + payload.length + TRAILER_BYTES);
  bytes.writeUInt32LE(payload.length, 0);
  const head = crc32c(bytes.subarray(0, 4), chain);
  bytes.writeUInt32LE(head, 4);
  bytes.set(payload, HEADER_BYTES);
  const next = crc32c(payload, head);
  bytes.writeUInt32LE(next, HEADER_BYTES + payload.length);
  return { bytes, chain: next };
}

export function scanSegment(bytes: Buffer, segment: number): SegmentScan {
  const payloads: Uint8Array[] = [];
  let chain = chainSeed(segment);
  let at = 0;
  const end = (state: SegmentScan['state']): SegmentScan => ({ payloads, goodBytes: at, chain, state });
  while (at < bytes.length) {
    const left = bytes.length - at;
    if (left < HEADER_BYTES) return end('torn');
    const length = bytes.readUInt32LE(at);
    const head = crc32c(bytes.subarray(at, at + 4), chain);
    if (head !== bytes.readUInt32LE(at + 4)) return end(isZero(bytes.subarray(at)) ? 'torn' : 'damaged');
    if (left < HEADER_BYTES + length + TRAILER_BYTES) return end('torn');
    const payload = bytes.subarray(at + HEADER_BYTES, at + HEADER_BYTES + length);
    const next = crc32c(payload, head);
    if (next !== bytes.readUInt32LE(at + HEADER_BYTES + length)) return end('damaged');
    payloads.push(payload);
    chain = next;
    at += HEADER_BYTES + length + TRAILER_BYTES;
  }
  return end('whole');
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

/** The head of a sealed file: length and checksum of a content that comes in pieces. */
export class Sealing {
  static readonly BYTES: number = 8;
  readonly #head = Buffer.alloc(Sealing.BYTES);
  #crc: number;

  constructor(contentBytes: number) {
    this.#head.writeUInt32LE(contentBytes, 0);
    this.#crc = crc32c(this.#head.subarray(0, 4));
  }

  add(piece: Uint8Array): void {
    this.#crc = crc32c(piece, this.#crc);
  }

  head(): Buffer {
    this.#head.writeUInt32LE(this.#crc, 4);
    return this.#head;
  }
}

/** A file with a checksum in front: identity, hard-state slots, snapshots. */
export function seal(content: Uint8Array): Buffer {
  const sealing = new Sealing(content.length);
  sealing.add(content);
  return Buffer.concat([sealing.head(), content]);
}

/** Undefined when the checksum fails. Bytes after the content are ignored. */
export function unseal(bytes: Buffer): Uint8Array | undefined {
  if (bytes.length < 8) return undefined;
  const length = bytes.readUInt32LE(0);
  if (bytes.length < 8 + length) return undefined;
  const content = bytes.subarray(8, 8 + length);
  return crc32c(content, crc32c(bytes.subarray(0, 4))) === bytes.readUInt32LE(4) ? content : undefined;
}
