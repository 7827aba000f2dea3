/** The demo shows that any program can be a function, with one in Python: brought in where that is possible. */
import { BatonError } from '../../src/lib/errors.ts';
import { thisMachine, type Host } from '../provision/host.ts';

const TIMEOUT_MS = 300_000;

/** @throws BatonError `unavailable` in one line that says what to install */
export async function demandPython(say: (line: string) => void, host: Host = thisMachine()): Promise<void> {
  const isThere = async (): Promise<boolean> =>
    (await host.run('python3', ['--version'], { timeoutMs: 10_000 })).code === 0;
  if (await isThere()) return;
  if (host.isRoot) {
    say('installing python3 with apt …');
    const env = { DEBIAN_FRONTEND: 'noninteractive' };
    const apt = (...args: string[]): Promise<{ code: number }> =>
      host.run('apt-get', args, { env, timeoutMs: TIMEOUT_MS });
    const install = ['install', '-y', '--no-install-recommends', 'python3'];
    if ((await apt(...install)).code !== 0) {
      await apt('update');
      await apt(...install);
    }
    if (await isThere()) return;
  }
  throw new BatonError('unavailable', 'python3 is not there', {
    hint: 'install python3; one of the demo’s examples needs it',
  });
}
