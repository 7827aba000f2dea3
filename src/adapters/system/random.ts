/** A generator seeded from the operating system. */
import { randomBytes, randomInt } from 'node:crypto';
import { prng } from '../../lib/prng.ts';
import type { Random } from '../../ports/system.ts';

export const systemRandom = (): Random => prng(randomBytes(16).toString('hex'));

/** A nonce for an incarnation: 32 bits, not 0. */
export const systemNonce = (): number => randomInt(1, 0xffff_ffff);
