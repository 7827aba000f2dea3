/** R1, R2, R5 and R6 once faults have stopped: everything comes to rest, of one mind, stays so, serves, and survives its leader. */
import type { DataPlaneId } from '../../../src/lib/ids.ts';
import { names, unsettled } from './picture.ts';
import type { Outcome } from './request.ts';
import type { Departure, Stage } from './stage.ts';

/** R6: the bound on the way back. */
const SETTLE_MS = 20_000;
const STILL_MS = 1_000;

type Looked<T> = Generator<T, string | undefined, void>;

/** Undefined: nothing is. */
export function* whatIsWrong<T>(stage: Stage<T>): Looked<T> {
  stage.endFaults();
  return (
    (yield* settle(stage)) ??
    (yield* callEverything(stage)) ??
    (yield* settle(stage)) ??
    (yield* surviveFailover(stage, 'dead')) ??
    (yield* surviveFailover(stage, 'handed over'))
  );
}

/** Until it has been at rest for a while. @returns what keeps it from that, if anything does */
function* settle<T>(stage: Stage<T>): Looked<T> {
  const untilMs = stage.nowMs + SETTLE_MS;
  let restedMs = 0;
  while (stage.nowMs < untilMs && restedMs < STILL_MS) {
    yield stage.run(100);
    restedMs = unsettled(stage.picture()) === undefined ? restedMs + 100 : 0;
  }
  return unsettled(stage.picture());
}

interface Call {
  readonly name: string;
  readonly id: DataPlaneId;
}

/** Each function through each data plane. */
function* callEverything<T>(stage: Stage<T>): Looked<T> {
  const calls = stage
    .functions()
    .flatMap(({ spec: { name } }) => stage.dataPlaneIds.map((id) => ({ name, id })));
  return yield* failures(stage, calls, 5_000);
}

function* failures<T>(stage: Stage<T>, wanted: readonly Call[], withinMs: number): Looked<T> {
  const calls = wanted.map((call) => ({ ...call, request: stage.call(call.name, call.id) }));
  yield stage.run(withinMs);
  const failed = calls.filter(({ request }) => request?.outcome !== 'ok');
  if (failed.length === 0) return undefined;
  const tell = (outcome: Outcome | undefined): string => outcome ?? 'no end';
  return failed.map(({ name, id, request }) => `${name} through ${id}: ${tell(request?.outcome)}`).join(', ');
}

/** R2, where nothing else is wrong: the same sandboxes before and after, and what is warm notices nothing. */
function* surviveFailover<T>(stage: Stage<T>, how: Departure): Looked<T> {
  const fleet = fleetOf(stage);
  // One call each, so that there is no reason to start anything.
  const warm = stage
    .functions()
    .filter(({ spec }) => spec.scaling.min > 0)
    .flatMap(({ spec: { name } }, n) => {
      const id = stage.dataPlaneIds[n % stage.dataPlaneIds.length];
      return id === undefined ? [] : [{ name, id }];
    });
  const before = stage.startedCount;
  yield stage.failOver(how, 50);
  const failed = yield* failures(stage, warm, 500);
  if (failed !== undefined) return `while the leader was ${how}: ${failed}`;
  const missing = yield* settle(stage);
  if (missing !== undefined) return missing;
  const now = fleetOf(stage);
  if (now !== fleet) return `R2: the leader was ${how}, and of [${fleet}] there are [${now}]`;
  const started = stage.startedCount - before;
  return started === 0 ? undefined : `the leader was ${how} at rest, and ${started} sandboxes were started`;
}

function fleetOf<T>(stage: Stage<T>): string {
  return names(stage.picture().truth.map(({ id }) => id));
}
