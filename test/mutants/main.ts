/**
 * `npm run sim:mutants -- [--json FILE] [--group raft|recovery|placement|autoscaler] [--only ID] [--check NAME] [--jobs N] [--list]`:
 * plants each known bug in a copy of the tree and names the check that catches it; `--check golden|sim|tests` asks that one alone. Exit 1
 * when one survives, 2 when the hunt cannot begin.
 */
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Flags } from '../setup/flags.ts';
import { mutants } from './catalogue.ts';
import { killAll } from './child.ts';
import { hasGolden } from './checks.ts';
import { Baseline, hunt, type Row } from './hunt.ts';
import type { CheckName, Mutant } from './mutant.ts';
import { planted, removeAllWorkspaces } from './workspace.ts';

const MAX_JOBS = 2;

const flags = new Flags('sim:mutants');

const isCheck = (name: string): name is CheckName => ['golden', 'sim', 'tests'].includes(name);

function parse(): { json: string | undefined; jobs: number; list: boolean; chosen: readonly Mutant[] } {
  const values = flags.parse({
    json: { type: 'string' },
    group: { type: 'string' },
    only: { type: 'string', multiple: true },
    check: { type: 'string' },
    jobs: { type: 'string' },
    list: { type: 'boolean', default: false },
  });
  const { group, only, list, check } = values;
  const json = flags.writable('json', values.json);
  const jobs = values.jobs === undefined ? availableParallelism() : Number(values.jobs);
  if (!Number.isInteger(jobs) || jobs < 1)
    return flags.refuse(`--jobs: ${values.jobs ?? ''} is not a number of jobs — give 1 or ${MAX_JOBS}`);
  if (group !== undefined && !mutants.some((mutant) => mutant.group === group))
    return flags.refuse(
      `--group: there is no group ${group} — there is ${[...new Set(mutants.map((mutant) => mutant.group))].join(', ')}`,
    );
  const unknown = only?.find((id) => mutants.every((mutant) => mutant.id !== id));
  if (unknown !== undefined) return flags.refuse(`--only: there is no mutant ${unknown}; --list names them`);
  const chosen = mutants.filter(
    (mutant) => (group === undefined || mutant.group === group) && (only?.includes(mutant.id) ?? true),
  );
  if (chosen.length === 0) return flags.refuse(`--only: none of these is in the group ${group ?? ''}`);
  if (check !== undefined && !isCheck(check))
    return flags.refuse(`--check: ${check}: give golden, sim or tests`);
  const asked = check === undefined ? chosen : chosen.map((mutant) => ({ ...mutant, checks: [check] }));
  return { json, jobs: Math.min(jobs, MAX_JOBS), list, chosen: asked };
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

function printTable(rows: readonly Row[]): void {
  const cells = rows.map(({ id, source, caught, by, seeds, seconds }) => [
    id,
    source,
    caught ? 'caught' : 'NOT CAUGHT',
    by,
    String(seeds),
    seconds.toFixed(1),
  ]);
  const all = [['mutant', 'source', '', 'by', 'seeds', 'seconds'], ...cells];
  const widths = all[0]?.map((_, i) => Math.max(...all.map((line) => line[i]?.length ?? 0))) ?? [];
  for (const line of all)
    process.stdout.write(
      `${line
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd()}\n`,
    );
}

async function huntAll(chosen: readonly Mutant[], jobs: number, baseline: Baseline): Promise<Row[]> {
  const rows: Row[] = [];
  const left = [...chosen];
  const work = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const row = await hunt(next, baseline);
      rows.push(row);
      const seeds = row.seeds > 0 ? `, ${row.seeds} seeds` : '';
      const what = `${row.caught ? 'caught' : 'NOT CAUGHT'} (${row.by}${seeds}, ${row.seconds} s)`;
      say(`  ${String(rows.length).padStart(3)} of ${chosen.length}  ${row.id}: ${what}`);
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  const order = new Map(chosen.map(({ id }, i) => [id, i]));
  return rows.sort((a, b) => (order.get(a.id) ?? 0) - (order.get(b.id) ?? 0));
}

async function main(): Promise<number> {
  const { json, jobs, list, chosen } = parse();
  if (list) {
    for (const { id, group, source, title, checks } of chosen)
      process.stdout.write(`${group}  ${id}  (${source}; ${checks.join(', ')})\n    ${title}\n`);
    return 0;
  }
  const beganMs = performance.now();
  const baseline = new Baseline();
  for (const mutant of chosen) planted(mutant, baseline.workspace);
  say('the tree as it is must pass first …');
  if (!hasGolden()) say('there are no golden dialogues: the simulator alone is asked');
  const red = await baseline.check(chosen);
  if (red.length > 0) return flags.refuse(`the tree fails without any mutant: ${red[0] ?? ''}`);
  const rows = await huntAll(chosen, jobs, baseline);
  printTable(rows);
  const caught = rows.filter((row) => row.caught).length;
  const wallSeconds = Math.round((performance.now() - beganMs) / 100) / 10;
  process.stdout.write(`${caught} of ${rows.length} caught in ${wallSeconds} s\n`);
  if (json !== undefined)
    writeFileSync(json, `${JSON.stringify({ mutants: rows.length, caught, wallSeconds, rows }, null, 2)}\n`);
  return caught === rows.length ? 0 : 1;
}

process.on('exit', () => {
  killAll();
  removeAllWorkspaces();
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));
try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`sim:mutants: ${(error as Error).message}\n`);
  process.exitCode = 2;
  process.exit();
}
