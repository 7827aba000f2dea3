/** Other work that fills the machine: one spinning child for each core. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpus } from 'node:os';

/** Spins, and ends by itself when its parent is gone, however that went. */
const SPIN = `
const parent = process.ppid;
for (let looked = Date.now(); process.ppid === parent; looked = Date.now()) while (Date.now() - looked < 100);
`;

export class Burden {
  readonly #children: readonly ChildProcess[] = cpus().map(() =>
    spawn(process.execPath, ['-e', SPIN], { stdio: 'ignore' }),
  );

  get processes(): number {
    return this.#children.length;
  }

  async end(): Promise<void> {
    await Promise.all(
      this.#children.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const ended = once(child, 'exit');
        child.kill('SIGKILL');
        await ended;
      }),
    );
  }
}
