/** All scenarios, in the order in which they are run. */
import type { Scenario } from '../scenario.ts';
import { blackout } from './blackout.ts';
import { dataPlaneKill } from './data-plane-kill.ts';
import { everything } from './everything.ts';
import { inflight } from './inflight.ts';
import { leaderKill } from './leader-kill.ts';
import { leaderPause } from './leader-pause.ts';
import { followerFlap } from './follower-flap.ts';
import { leaderPartition } from './leader-partition.ts';
import { partialPartition } from './partial-partition.ts';
import { sandboxLink } from './sandbox-link.ts';
import { slowLink } from './slow-link.ts';
import { workerPartitionHeal } from './worker-partition-heal.ts';
import { metadata } from './metadata.ts';
import { natsKill } from './nats-kill.ts';
import { natsPause } from './nats-pause.ts';
import { recovery } from './recovery.ts';
import { rollingRestart } from './rolling-restart.ts';
import { sandboxCrash } from './sandbox-crash.ts';
import { workerKill } from './worker-kill.ts';

export const scenarios: readonly Scenario[] = [
  metadata,
  recovery,
  blackout,
  inflight,
  leaderKill,
  leaderPause,
  natsKill,
  natsPause,
  dataPlaneKill,
  workerKill,
  sandboxCrash,
  rollingRestart,
  leaderPartition,
  partialPartition,
  followerFlap,
  slowLink,
  sandboxLink,
  workerPartitionHeal,
  everything,
];
