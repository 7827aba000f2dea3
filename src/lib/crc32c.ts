/** CRC-32C (Castagnoli), as in RFC 3720 appendix B.4: check value of "123456789" is 0xe3069283. Eight bytes at a time. */
const POLYNOMIAL = 0x82f63b78;
/** TABLES[256 * k + b]: what byte b does to a checksum when k bytes follow it in the block (Kounavis and Berry, "slicing-by-8"). */
const TABLES: Int32Array = new Int32Array(256 * 8);
for (let n = 0; n < 256; n++) {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ POLYNOMIAL : c >>> 1;
  TABLES[n] = c;
}
for (let n = 256; n < TABLES.length; n++) {
  const before = TABLES[n - 256] as number;
  TABLES[n] = (TABLES[before & 0xff] as number) ^ (before >>> 8);
}

const table = (followers: number, byte: number): number => TABLES[256 * followers + byte] as number;

/** Continue a checksum by passing the previous one. */
export function crc32c(bytes: Uint8Array, previous = 0): number {
  let crc = ~previous;
  let at = 0;
  for (const end = bytes.length - 7; at < end; at += 8) {
    crc =
      table(7, (crc ^ (bytes[at] as number)) & 0xff) ^
      table(6, ((crc >>> 8) ^ (bytes[at + 1] as number)) & 0xff) ^
      table(5, ((crc >>> 16) ^ (bytes[at + 2] as number)) & 0xff) ^
      table(4, (crc >>> 24) ^ (bytes[at + 3] as number)) ^
      table(3, bytes[at + 4] as number) ^
      table(2, bytes[at + 5] as number) ^
      table(1, bytes[at + 6] as number) ^
      table(0, bytes[at + 7] as number);
  }
  for (; at < bytes.length; at++) crc = table(0, (crc ^ (bytes[at] as number)) & 0xff) ^ (crc >>> 8);
  return ~crc >>> 0;
}
