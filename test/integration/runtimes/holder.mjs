/** A worker reduced to its runtime, to be killed: `node holder.mjs COMPILED DIRECTORY ARTIFACT`; speaks JSON lines. */
import { pathToFileURL } from 'node:url';

const [compiled, directory, artifactDir] = process.argv.slice(2);
const { processRuntime } = await import(pathToFileURL(compiled).href);
const runtime = processRuntime({
  directory,
  stemCells: 2,
  ports: { from: 16_500, to: 16_599 },
  host: undefined,
  clock: {
    now: () => performance.now(),
    wall: () => Date.now(),
    after(delayMs, run) {
      const timer = setTimeout(() => run(), delayMs);
      return { cancel: () => clearTimeout(timer) };
    },
    soon: (run) => void setImmediate(() => run()),
  },
  random: { below: () => 0 },
});
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
runtime.onExit((exit) => say({ exit }));
runtime.onLog(({ text }) => say({ log: text }));
await runtime.prepare();
const start = (sandbox, spec) =>
  runtime.start({
    sandbox,
    uid: 1,
    generation: 1,
    artifactDir,
    spec: { name: 'f', env: [], entry: 'main.mjs', ...spec },
  });
const command = [process.execPath, 'program.mjs'];
const all = await Promise.all([
  start('holder-js', { runtime: 'javascript', command: [] }),
  start('holder-program', { runtime: 'program', command }),
]);
say({ sandboxes: all.map(({ pid }) => pid) });
process.once('SIGTERM', () => void runtime.close().then(() => process.exit(0)));
setInterval(() => undefined, 1_000_000);
