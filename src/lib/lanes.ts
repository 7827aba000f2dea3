/**
 * Order-independent hashing of a set: each entry hashes to 128 bits (four murmur3-style lanes over its text), and the set's
 * hash is the lane-wise sum, so that one change costs one entry. Not cryptographic: it tells copies apart, it does not
 * defend against anybody.
 */
export type Lanes = readonly [number, number, number, number];

const stir = (h: number, unit: number, mix: number): number => {
  const k = Math.imul(unit, mix);
  const mixed = Math.imul(h ^ Math.imul((k << 15) | (k >>> 17), 0x1b873593), 5) + 0xe6546b64;
  return (mixed << 13) | (mixed >>> 19);
};

const finish = (h: number, length: number): number => {
  let mixed = h ^ length;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
};

export function hashText(text: string): Lanes {
  const { length } = text;
  let a = 1;
  let b = 2;
  let c = 3;
  let d = 4;
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i) + i;
    a = stir(a, unit, 0xcc9e2d51);
    b = stir(b, unit, 0x1b873593);
    c = stir(c, unit, 0x85ebca6b);
    d = stir(d, unit, 0xc2b2ae35);
  }
  return [finish(a, length), finish(b, length), finish(c, length), finish(d, length)];
}

/** The first of the four, for those who need no more. */
export function hashLane(text: string): number {
  const { length } = text;
  let a = 1;
  for (let i = 0; i < length; i++) a = stir(a, text.charCodeAt(i) + i, 0xcc9e2d51);
  return finish(a, length);
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
