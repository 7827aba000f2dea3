/** `node dist/cluster/provision/cli.js`: brings in what the tests and the demo need, ahead of time. */
import { explain, isBatonError } from '../../src/lib/errors.ts';
import { provision } from './provision.ts';

try {
  for (const name of ['nats-server', 'toxiproxy-server'] as const) {
    const { path, version, source } = await provision(name, (line) => console.error(line));
    console.log(`${name} ${version} (${source}): ${path}`);
  }
} catch (error) {
  const hint = isBatonError(error) && error.hint !== undefined ? ` — ${error.hint}` : '';
  console.error(`${explain(error)}${hint}`);
  process.exitCode = 1;
}
