/**
 * The tables as bytes: what a data plane that was restarted serves from while there is nobody to ask.
 *
 *   "BTT1", length of the specs (u32 LE), specs, endpoints, CRC-32C over all before it (u32 LE)
 */
import { BatonError } from '../lib/errors.ts';
import { crc32c } from '../lib/crc32c.ts';
import type { SavedTable } from '../core/endpoints/endpoint-replica.ts';
import type { SpecSnapshot } from '../core/model/broadcast.ts';
import {
  decodeEndpointSnapshot,
  decodeSpecSnapshot,
  encodeEndpointSnapshot,
  encodeSpecSnapshot,
} from '../wire/broadcast-codec.ts';

const MAGIC = 0x31545442;
const HEADER = 8;
const TRAILER = 4;

export interface SavedTables {
  readonly specs: SpecSnapshot;
  readonly endpoints: SavedTable;
}

export function encodeTables({ specs, endpoints }: SavedTables): Uint8Array {
  const specBytes = encodeSpecSnapshot(specs);
  const endpointBytes = encodeEndpointSnapshot({ ...endpoints, seq: 0, complete: false, withdrawn: [] });
  const whole = new Uint8Array(HEADER + specBytes.length + endpointBytes.length + TRAILER);
  const view = new DataView(whole.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, specBytes.length, true);
  whole.set(specBytes, HEADER);
  whole.set(endpointBytes, HEADER + specBytes.length);
  const end = whole.length - TRAILER;
  view.setUint32(end, crc32c(whole.subarray(0, end)), true);
  return whole;
}

/** @throws BatonError `damaged` */
export function decodeTables(bytes: Uint8Array): SavedTables {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = bytes.length - TRAILER;
  const isWhole =
    bytes.length >= HEADER + TRAILER &&
    view.getUint32(0, true) === MAGIC &&
    view.getUint32(end, true) === crc32c(bytes.subarray(0, end));
  const specsEnd = isWhole ? HEADER + view.getUint32(4, true) : 0;
  if (!isWhole || specsEnd > end) throw new BatonError('damaged', 'the table file is damaged');
  return {
    specs: decodeSpecSnapshot(bytes.subarray(HEADER, specsEnd)),
    endpoints: decodeEndpointSnapshot(bytes.subarray(specsEnd, end)),
  };
}
