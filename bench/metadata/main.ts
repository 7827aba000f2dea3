/**
 * `npm run bench:metadata [-- --json FILE --svg FILE --seconds N --rounds N --inside N --profile DIR]`: durable
 * registrations on three replicas, each acknowledged once a majority has it on disk, beside the same disk's own figures.
 *
 * Not measured: other hosts, TLS, artifacts (one is shared, and stored before), data planes that hear of each registration.
 */
import { writeFileSync } from 'node:fs';
import { writable } from '../../cluster/result-file.ts';
import { describeMachine } from '../lib/machine.ts';
import { count, flagsOf, positive, runBench, writeJson } from '../lib/program.ts';
import { measureRound, type Round } from './round.ts';
import { metadataSvg, metadataTable } from './report.ts';
import { resultOf } from './result.ts';

await runBench('bench:metadata', async (bench) => {
  const flags = flagsOf({
    json: { type: 'string' },
    svg: { type: 'string' },
    seconds: { type: 'string', default: '6' },
    rounds: { type: 'string', default: '3' },
    inside: { type: 'string', default: '128' },
    profile: { type: 'string' },
  });
  const options = {
    seconds: positive('seconds', flags.seconds),
    inside: count('inside', flags.inside),
    profileDirectory: flags.profile,
  };
  const rounds = count('rounds', flags.rounds);
  const [json, svg] = [writable('json', flags.json), writable('svg', flags.svg)];
  const rows: Round[] = [];
  for (let round = 1; round <= rounds; round++) {
    bench.say(`round ${round} of ${rounds}`);
    rows.push(await measureRound(round, options, bench));
  }
  const result = resultOf(rows, describeMachine(bench.directory));
  process.stdout.write(metadataTable(result));
  writeJson(json, result);
  if (svg !== undefined) writeFileSync(svg, metadataSvg(result));
  return result.ok;
});
