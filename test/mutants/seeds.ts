/**
 * Runs inside a copy: seeds `--from N --count N` of one `--length`, one after the other, until one breaks a promise. Each is a
 * line of JSON on the standard output. Rougher than what `npm run sim` draws: see {@link roughen}.
 */
import { parseArgs } from 'node:util';
import { drawOptions, type Length } from '../sim/options.ts';
import { simulate } from '../sim/run.ts';
import { roughen } from './rough.ts';

export interface SeedLine {
  readonly seed: number;
  readonly violation: string | undefined;
  /** The code itself is broken, and not a promise. */
  readonly broken: boolean;
}

async function runSeed(seed: number, length: Length): Promise<SeedLine> {
  const { violations } = await simulate(seed, roughen(drawOptions(seed, length)));
  // A fault that strikes nobody is no bug of the cluster.
  const violation = violations.find((text) => !text.includes('vacuous'));
  return { seed, violation, broken: /the run ended: (Reference|Syntax)Error:/.test(violation ?? '') };
}

const { values } = parseArgs({
  options: {
    from: { type: 'string', default: '1' },
    count: { type: 'string', default: '1' },
    length: { type: 'string', default: 'quick' },
  },
});
const from = Number(values.from);
for (let seed = from; seed < from + Number(values.count); seed++) {
  const line = await runSeed(seed, values.length === 'long' ? 'long' : 'quick');
  process.stdout.write(`${JSON.stringify(line)}\n`);
  if (line.violation !== undefined) break;
}
// What a simulated cluster left scheduled is nobody's business any more.
process.exit(0);
