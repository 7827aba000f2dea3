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
import { splitEndpoints } from '../wire/data-plane-codec.ts';

const MAGIC = 0x31545442;
const HEADER = 8;
const TRAILER = 4;

export interface SavedTables {
  readonly specs: SpecSnapshot;
  readonly endpoints: SavedTable;
}

/**
 * The file in pieces, each encoded when it is asked for: whoever writes them one after the other holds up nothing else, however
 * large the tables are. They are as of the call.
 */
export function* encodeTables({ specs, endpoints }: SavedTables): Generator<Uint8Array, void> {
  let checksum = 0;
  const sum = (piece: Uint8Array): Uint8Array => {
    checksum = crc32c(piece, checksum);
    return piece;
  };
  const specBytes = encodeSpecSnapshot(specs);
  const header = new Uint8Array(HEADER);
  const view = new DataView(header.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, specBytes.length, true);
  yield sum(header);
  yield sum(specBytes);
  // Encodings of one message, one after the other, decode as its fields put together.
  const rest = { seq: 0, complete: false, withdrawn: [] };
  yield sum(encodeEndpointSnapshot({ ...endpoints, ...rest, endpoints: [] }));
  for (const part of splitEndpoints(endpoints.endpoints))
    yield sum(encodeEndpointSnapshot({ fence: endpoints.fence, owners: [], ...rest, endpoints: part }));
  const trailer = new Uint8Array(TRAILER);
  new DataView(trailer.buffer).setUint32(0, checksum, true);
  yield trailer;
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
