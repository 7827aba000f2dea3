/**
 * `npm run bench:stability [-- --minutes N --json FILE]`: three replicas under warm traffic, all cores filled by other work.
 * Counted: terms that rise with no fault. Then the leader's control loop is held for a second, and must lose leadership.
 */
import { writable } from '../../cluster/result-file.ts';
import { distribution } from '../lib/figures.ts';
import { describeMachine, loadAverage } from '../lib/machine.ts';
import { flagsOf, positive, runBench, writeJson } from '../lib/program.ts';
import { ReplicaSet } from '../lib/replica-set.ts';
import { table } from '../lib/table.ts';
import { ReplicaProcesses } from '../replica/processes.ts';
import { blockLeader, LOSE_WITHIN_MS } from './blocked.ts';
import { Burden } from './burden.ts';
import { beginTraffic } from './traffic.ts';
import { termOf, watchTerms } from './watch.ts';

await runBench('bench:stability', async (bench) => {
  const flags = flagsOf({ json: { type: 'string' }, minutes: { type: 'string', default: '10' } });
  const minutes = positive('minutes', flags.minutes);
  const json = writable('json', flags.json);
  const replicas = await ReplicaSet.open(bench.directory, bench.say, { workers: 1, keepAll: true });
  bench.atEnd(() => replicas.close());
  const traffic = await beginTraffic(replicas);
  const burden = new Burden();
  bench.atEnd(() => burden.end());
  bench.say(`${minutes} min of warm traffic beside ${burden.processes} spinning processes`);

  await replicas.leader();
  const termBefore = await termOf(replicas);
  const rows = await watchTerms(replicas, minutes, bench);
  const termAfter = Math.max(await termOf(replicas), ...rows.map(({ term }) => term));
  await traffic.stop();
  const failed = traffic.samples.filter(({ ok }) => !ok).length;

  // Still under the burden. Processes that can be held take over; their own election is nobody's fault.
  const processes = await ReplicaProcesses.takeOver(replicas);
  bench.atEnd(() => processes.close());
  const blocked = await blockLeader(replicas, processes);

  const falseElections = termAfter - termBefore;
  const warm = { ...distribution(traffic.samples.map(({ ms }) => ms)), failed };
  const isWatched = rows.length >= minutes * 30;
  const ok = falseElections === 0 && blocked.lostLeadership && isWatched && failed === 0;
  process.stdout.write(
    table([
      ['', 'seen', 'wanted'],
      ['minutes, all cores busy', String(minutes), ''],
      ['looks at the term', String(rows.length), `≥ ${minutes * 30}`],
      ['false elections', String(falseElections), '0'],
      ['warm requests, failed', `${failed} of ${warm.n}`, '0'],
      ['warm request, p50 and p99', `${warm.p50} and ${warm.p99} ms`, ''],
      ['control loop held', `${blocked.blockedMs} ms`, ''],
      ['another replica leads after', `${blocked.newLeaderMs} ms`, `≤ ${LOSE_WITHIN_MS} ms`],
      ['load average', String(loadAverage()), ''],
    ]),
  );
  writeJson(json, {
    ok,
    minutes,
    falseElections,
    termBefore,
    termAfter,
    blocked,
    warm,
    loadAverage: loadAverage(),
    machine: describeMachine(bench.directory),
    rows,
  });
  return ok;
});
