/** `node dist/cluster/deployment/cli.js compose|kubernetes`: makes the files, with fresh secrets, that deploy/ mounts. */
import { randomInt } from 'node:crypto';
import { existsSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { BatonError, explain } from '../../src/lib/errors.ts';
import { isLabel } from '../../src/lib/ids.ts';
import { composeFiles, kubernetesFiles, siteFiles } from './files.ts';
import { composeSite, kubernetesSite } from './site.ts';

const LAYOUTS = {
  compose: { site: composeSite, files: composeFiles },
  kubernetes: { site: kubernetesSite, files: kubernetesFiles },
} as const;

const MAX_OF_A_KIND = 256;

function wrong(path: string, hint: string): BatonError {
  return new BatonError('invalid-argument', `${path}: not possible`, { fields: { path }, hint });
}

function count(flag: string, text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > MAX_OF_A_KIND)
    throw wrong(flag, `give 1 to ${MAX_OF_A_KIND}`);
  return value;
}

/**
 * Writes what the layout needs below `--out`, and names what it wrote.
 * @throws BatonError `already-exists`: fresh secrets would lock a running cluster out of its own bus
 */
export function makeFiles(argv: readonly string[]): { readonly directory: string; readonly files: string[] } {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      out: { type: 'string' },
      cluster: { type: 'string', default: `baton-${randomInt(36 ** 5, 36 ** 6).toString(36)}` },
      'data-planes': { type: 'string', default: '2' },
      workers: { type: 'string', default: '2' },
    },
  });
  const [kind] = positionals;
  if ((kind !== 'compose' && kind !== 'kubernetes') || positionals.length > 1)
    throw wrong('LAYOUT', 'give compose or kubernetes');
  if (!isLabel(values.cluster)) throw wrong('--cluster', 'use 1 to 63 of a-z, 0-9 and "-"');
  const directory = resolve(values.out ?? join('.baton', kind));
  if (existsSync(directory)) {
    throw new BatonError('already-exists', `${directory} is there already`, {
      fields: { path: '--out' },
      hint: 'its secrets are those of a cluster; remove it only together with that cluster',
    });
  }
  const size = {
    dataPlanes: count('--data-planes', values['data-planes']),
    workers: count('--workers', values.workers),
  };
  const { site, files } = LAYOUTS[kind];
  const texts = files(siteFiles(site(values.cluster, size)));
  // Containers read the files as a user of their own: the folder keeps others out, not the files.
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  for (const [name, text] of Object.entries(texts))
    writeFileSync(join(directory, name), text, { mode: 0o444 });
  return { directory, files: Object.keys(texts) };
}

function main(): void {
  try {
    const { directory, files } = makeFiles(process.argv.slice(2));
    process.stdout.write(`${directory}: ${files.join(', ')}\n`);
  } catch (error) {
    const hint = error instanceof BatonError && error.hint !== undefined ? `\n  ${error.hint}` : '';
    process.stderr.write(`${explain(error)}${hint}\n`);
    process.exitCode = 1;
  }
}

const script = process.argv[1];
if (script !== undefined && realpathSync(script) === fileURLToPath(import.meta.url)) main();
