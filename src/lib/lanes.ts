/**
 * Order-independent hashing of a set: each entry hashes to 128 bits (four murmur3-style lanes over its text), and the set's
 * hash is the lane-wise sum, so that one change costs one entry. Not cryptographic: it tells copies apart, it does not
 * defend against anybody.
 */
export type Lanes = readonly [number, number, number, number];

const MIX: readonly number[] = [0xcc9e2d51, 0x1b873593, 0x85ebca6b, 0xc2b2ae35];

function lane(text: string, seed: number, mix: number): number {
  let h = seed;
  for (let i = 0; i < text.length; i++) {
    let k = Math.imul(text.charCodeAt(i) + i, mix);
    k = (k << 15) | (k >>> 17);
    h = Math.imul(h ^ Math.imul(k, 0x1b873593), 5) + 0xe6546b64;
    h = (h << 13) | (h >>> 19);
  }
  h ^= text.length;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

export function hashText(text: string): Lanes {
  const [a = 0, b = 0, c = 0, d = 0] = MIX;
  return [lane(text, 1, a), lane(text, 2, b), lane(text, 3, c), lane(text, 4, d)];
}

export function addLanes(sum: Lanes, add: Lanes): Lanes {
  return [(sum[0] + add[0]) >>> 0, (sum[1] + add[1]) >>> 0, (sum[2] + add[2]) >>> 0, (sum[3] + add[3]) >>> 0];
}

export function subtractLanes(sum: Lanes, sub: Lanes): Lanes {
  return [(sum[0] - sub[0]) >>> 0, (sum[1] - sub[1]) >>> 0, (sum[2] - sub[2]) >>> 0, (sum[3] - sub[3]) >>> 0];
}

export function lanesToHex(lanes: Lanes): string {
  return lanes.map((value) => value.toString(16).padStart(8, '0')).join('');
}
