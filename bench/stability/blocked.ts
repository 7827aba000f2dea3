/** The leader's one thread is held for a second: it must not lead through that, and somebody else must. */
import { setTimeout as delay } from 'node:timers/promises';
import { BatonError } from '../../src/lib/errors.ts';
import { round } from '../lib/figures.ts';
import type { Leader, ReplicaSet } from '../lib/replica-set.ts';
import type { ReplicaProcesses } from '../replica/processes.ts';

export interface Blocked {
  readonly blockedMs: number;
  /** From the beginning of the block to another replica that says it leads, in a later term. */
  readonly newLeaderMs: number;
  readonly lostLeadership: boolean;
}

const BLOCK_MS = 1_000;
const GIVE_UP_MS = 10_000;
const LOOK_EVERY_MS = 5;

/** Within this time leadership must have moved. */
export const LOSE_WITHIN_MS = 2_000;

export async function blockLeader(replicas: ReplicaSet, processes: ReplicaProcesses): Promise<Blocked> {
  const before = await replicas.settled();
  const beganMs = performance.now();
  const [blockedMs, after] = await Promise.all([
    processes.block(before.id, BLOCK_MS),
    untilAnotherLeads(replicas, before, beganMs),
  ]);
  return {
    blockedMs: round(blockedMs),
    newLeaderMs: round(after.ms),
    lostLeadership: after.ms <= LOSE_WITHIN_MS && (await untilItFollows(replicas, before, beganMs)),
  };
}

async function untilAnotherLeads(
  replicas: ReplicaSet,
  before: Leader,
  beganMs: number,
): Promise<{ ms: number }> {
  for (;;) {
    // The blocked one cannot answer: only the others are asked.
    const leader = await replicas.leaderAmong((id) => id !== before.id);
    const ms = performance.now() - beganMs;
    if (leader !== undefined && leader.term > before.term) return { ms };
    if (ms > GIVE_UP_MS)
      throw new BatonError('timeout', `${before.id} was blocked for ${BLOCK_MS} ms and nobody else leads`);
    await delay(LOOK_EVERY_MS);
  }
}

/** Awake again, it must know. */
async function untilItFollows(replicas: ReplicaSet, before: Leader, beganMs: number): Promise<boolean> {
  while (performance.now() - beganMs < BLOCK_MS + LOSE_WITHIN_MS) {
    const itself = (await replicas.statuses()).find(({ id }) => id === before.id);
    if (itself !== undefined && itself.role !== 'leader') return true;
    await delay(LOOK_EVERY_MS);
  }
  return false;
}
