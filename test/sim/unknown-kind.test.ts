/** A message to the leader of a kind that it does not know: a newer sender's, or anybody's. It costs that message, and no leader. */
import { expect, it } from 'vitest';
import { drawOptions } from './options.ts';
import { SimProcess } from './process.ts';
import { World } from './world.ts';

it('is dropped, and the leader goes on', async () => {
  const world = new World({ ...drawOptions(1), replicas: 3 });
  await world.bootstrap();
  for (const replica of world.replicas) world.startReplica(replica);
  await world.scheduler.runUntil(10_000, () => world.leader() !== undefined);
  const leader = world.leader();
  const term = leader?.controlPlane?.raft().term ?? 0;
  const stranger = world.network.connect(new SimProcess('w9', world.scheduler), 'worker-w9');
  let heard = false;
  world.network.onMessage = (_, subject) => (heard ||= subject.includes('.gossip.'));
  stranger.publish(`baton.sim.lead.${term}.gossip.w9`, Uint8Array.of(1));
  await world.scheduler.runUntil(world.nowMs + 1_000, () => false);
  expect({ heard, violations: world.violations, same: world.leader() === leader }).toEqual({
    heard: true,
    violations: [],
    same: true,
  });
});
