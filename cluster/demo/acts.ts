/** The story, act by act; each returns what was measured. */
import { Agent } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { getJson } from '../local/readiness.ts';
import { call, distribution, round, steadyLoad, type Distribution, type LoadSample } from './load.ts';
import { until, type Stage } from './stage.ts';

interface FunctionRow {
  readonly name: string;
  readonly ready: number;
  readonly desired: number;
}

interface StatusView {
  readonly replicas: readonly {
    readonly id: string;
    readonly appliedIndex: number;
    readonly stateHash: string;
  }[];
  readonly functions: readonly FunctionRow[];
}

const COLD_FUNCTIONS = 6;

export async function deployExamples(stage: Stage): Promise<{ deployMs: number }> {
  const times: number[] = [];
  for (const [path, name] of [
    ['hello.ts', 'hello'],
    ['stream.js', 'stream'],
    ['python', 'python'],
  ] as const) {
    const beganMs = performance.now();
    const { generation } = await stage.deploy(path, name);
    times.push(performance.now() - beganMs);
    stage.say(
      `       ${name}, generation ${generation}, in ${Math.round(times.at(-1) ?? 0)} ms (started once before it counts)`,
    );
  }
  return { deployMs: round(Math.max(...times)) };
}

/** Deployed without a trial, so that nothing of them runs; then called for the first time. */
export async function coldAndWarm(stage: Stage): Promise<{ cold: Distribution; warm: Distribution }> {
  const names = Array.from({ length: COLD_FUNCTIONS }, (_, i) => `cold-${i + 1}`);
  await Promise.all(names.map((name) => stage.deploy('hello.ts', name, '--no-trial')));
  const cold: number[] = [];
  for (const [i, name] of names.entries()) {
    const urls = stage.urls(name);
    const { status, ms } = await call(urls[i % urls.length] ?? '');
    if (status === 200) cold.push(ms);
  }
  const warm: number[] = [];
  let failures = 0;
  const agent = new Agent({ keepAlive: true });
  for (const name of ['hello', 'stream', 'python']) {
    for (const url of stage.urls(name)) {
      const path = name === 'stream' ? `${url}?lines=3&every=1` : url;
      for (let i = 0; i < 20; i++) {
        const { status, ms } = await call(path, { agent });
        if (status !== 200) failures++;
        else if (name === 'hello') warm.push(ms);
      }
    }
  }
  agent.destroy();
  stage.promise(
    'every cold call was answered',
    cold.length === names.length,
    `${cold.length} of ${names.length}`,
  );
  stage.promise(
    'every warm call was answered, through both data planes',
    failures === 0,
    `${failures} failures`,
  );
  const result = { cold: distribution(cold), warm: distribution(warm) };
  stage.say(`       cold p50 ${result.cold.p50} ms, warm p50 ${result.warm.p50} ms`);
  return result;
}

/** Requests that take a while, more at once than one sandbox should have. */
export async function scaleOut(stage: Stage): Promise<{ scaleOutTo: number; scaleOutMs: number }> {
  await stage.deploy('stream.js', 'busy', '--concurrency', '2', '--max', '6');
  const beganMs = performance.now();
  const urls = stage.urls('busy').map((url) => `${url}?lines=4&every=60`);
  const load = steadyLoad(urls, 6, 5);
  const reached = await until('scale-out of busy', 15_000, async () => {
    const { functions } = (await stage.baton('status')) as StatusView;
    const ready = functions.find(({ name }) => name === 'busy')?.ready ?? 0;
    return ready >= 3 && ready;
  }).catch(() => 0);
  const scaleOutMs = round(performance.now() - beganMs);
  await load.stop();
  const failures = load.samples.filter(({ ok }) => !ok);
  stage.promise(
    'a function under load gets more sandboxes',
    reached >= 3,
    `${reached} after ${Math.round(scaleOutMs)} ms`,
  );
  stage.promise(
    'no request failed meanwhile',
    failures.length === 0,
    `${failures.length} of ${load.samples.length}`,
  );
  return { scaleOutTo: reached, scaleOutMs };
}

export interface Failover {
  readonly newLeaderMs: number;
  readonly firstColdStartMs: number;
  readonly registrationMs: number;
  readonly warmRequests: number;
  readonly warmFailures: number;
  readonly warmP50Ms: number;
  readonly warmMaxMs: number;
  readonly catchUpMs: number;
}

/** kill -9 of the leader under constant warm load. */
export async function failover(
  stage: Stage,
): Promise<{ failover: Failover; samples: readonly LoadSample[]; killAtMs: number }> {
  await stage.deploy('hello.ts', 'never-started', '--no-trial');
  const leader = await until('a leader', 5_000, () => stage.leader());
  const others = stage.view.replicas.filter(({ id }) => id !== leader.id);
  const artifact = await helloSpec(stage, leader.http);
  const beganMs = performance.now();
  const load = steadyLoad(stage.urls('hello'), 3, 10);
  await delay(1_500);
  stage.say(`       kill -9 of the leader ${leader.id} (pid ${leader.pid}, term ${leader.term}) under load`);
  const killedMs = performance.now();
  process.kill(leader.pid, 'SIGKILL');
  const since = (): number => round(performance.now() - killedMs);
  const [elected, cold, registered] = await Promise.all([
    until('a new leader', 10_000, async () => {
      for (const { http } of others) {
        const status = await stage.replica(http);
        if (status !== undefined && status.role === 'leader' && status.term > leader.term) return since();
      }
      return undefined;
    }),
    call(stage.urls('never-started')[0] ?? '', { timeoutMs: 20_000 }).then(({ status }) => ({
      status,
      ms: since(),
    })),
    register(others[0]?.http ?? '', artifact).then(({ status, body }) => ({ status, body, ms: since() })),
  ]);
  await until('a thousand warm requests', 20_000, () => {
    const isEnough = load.samples.length >= 1_200 && since() > 2_000;
    return Promise.resolve(isEnough);
  });
  await load.stop();
  const failures = load.samples.filter(({ ok }) => !ok);
  const catchUpMs = await bringBack(stage, leader.id);
  const latencies = distribution(load.samples.map(({ ms }) => ms));
  stage.promise(
    'no warm request failed',
    failures.length === 0,
    `${failures.length} of ${load.samples.length}${failures[0] === undefined ? '' : ` (${failures[0].why})`}`,
  );
  stage.promise('a new leader at once', elected <= 1_000, `after ${elected} ms`);
  stage.promise(
    'a function that never ran comes up under the new leader',
    cold.status === 200,
    `after ${cold.ms} ms`,
  );
  stage.promise(
    'a registration is acknowledged',
    registered.status === 200,
    `after ${registered.ms} ms${registered.status === 200 ? '' : `: ${registered.body}`}`,
  );
  return {
    samples: load.samples,
    killAtMs: killedMs - beganMs,
    failover: {
      newLeaderMs: elected,
      firstColdStartMs: cold.ms,
      registrationMs: registered.ms,
      warmRequests: load.samples.length,
      warmFailures: failures.length,
      warmP50Ms: latencies.p50,
      warmMaxMs: latencies.max,
      catchUpMs,
    },
  };
}

async function helloSpec(stage: Stage, http: string): Promise<object> {
  const fn = (await getJson(`${http}/v1/functions/hello`, undefined)) as { spec: object } | undefined;
  stage.promise(
    'the API shows what was deployed',
    fn !== undefined,
    fn === undefined ? 'no answer' : 'GET /v1/functions/hello',
  );
  return fn?.spec ?? {};
}

function register(http: string, spec: object): Promise<{ status: number; body: string }> {
  return call(`${http}/v1/functions/after-the-kill?trial=false`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...spec, name: 'after-the-kill' }),
  });
}

async function bringBack(stage: Stage, id: string): Promise<number> {
  const beganMs = performance.now();
  await stage.restart(id);
  const caughtUp = await until('equal state on all replicas', 15_000, async () => {
    const { replicas } = (await stage.baton('status')) as StatusView;
    return replicas.length === 3 && new Set(replicas.map(({ stateHash }) => stateHash)).size === 1;
  }).catch(() => false);
  const ms = round(performance.now() - beganMs);
  stage.promise(`${id} is back with the same state as the others`, caughtUp, `after ${Math.round(ms)} ms`);
  return ms;
}

export async function scaleToZero(stage: Stage): Promise<{ scaleToZeroMs: number }> {
  const beganMs = performance.now();
  const isIdle = await until('scale to zero', 40_000, async () => {
    const { functions } = (await stage.baton('status')) as StatusView;
    await delay(200);
    return functions.every(({ ready }) => ready === 0);
  }).catch(() => false);
  const ms = round(performance.now() - beganMs);
  stage.promise('what nobody calls goes to zero', isIdle, `after ${Math.round(ms)} ms`);
  return { scaleToZeroMs: ms };
}
