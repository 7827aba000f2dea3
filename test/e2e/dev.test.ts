/** `baton dev` as somebody uses it who writes a function: an edit, a mistake, Ctrl-C. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { batonProgram } from '../../cluster/package-root.ts';
import { http, until } from './harness.ts';

describe('baton dev', () => {
  const dir = mkdtempSync(join(tmpdir(), 'baton-dev-test-'));
  const [file, helper, scratch] = [join(dir, 'now.ts'), join(dir, 'helper.ts'), join(dir, 'scratch')];
  let dev: ChildProcess;
  let url: string;
  let errors = '';
  const serves = async (text: string): Promise<boolean> => (await http(url)).body === text;

  beforeAll(async () => {
    mkdirSync(scratch);
    writeFileSync(helper, `export const word: string = 'first';`);
    writeFileSync(file, `import { word } from './helper.ts';\nexport default () => word;`);
    dev = spawn(process.execPath, ['--no-warnings', batonProgram(), 'dev', file], {
      env: { ...process.env, TMPDIR: scratch },
      detached: true,
    });
    let output = '';
    dev.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
    dev.stderr?.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    url = await until('the URL', () => /http\S+/.exec(output)?.[0], 60_000);
  });
  afterAll(() => {
    dev.kill('SIGKILL');
    rmSync(dir, { recursive: true, force: true });
  });

  it('serves one file, and again when it or what it imports changes', { timeout: 60_000 }, async () => {
    expect(await serves('first')).toBe(true);
    writeFileSync(helper, `export const word: string = 'second';`);
    await until('the change of what it imports', () => serves('second'));
    writeFileSync(file, `import { word } from './helper.ts';\nexport default () => word + ' third';`);
    await until('its own change', () => serves('second third'));
  });

  it('says in one line where it is broken, and what was there goes on serving', async () => {
    // The news of a generation may come after it is served.
    await until('the news of the last change', () => errors.includes('generation 3 at '));
    errors = '';
    writeFileSync(file, `export default () => {`);
    await until('the line', () => errors.includes('baton: '));
    expect(errors.trimEnd().split('\n')).toEqual([
      expect.stringMatching(/^baton: .*now\.ts: Unexpected end of file \(now\.ts:1:\d+\)/),
    ]);
    expect(await serves('second third')).toBe(true);
    errors = '';
    writeFileSync(file, `throw new Error('at load');\nexport default () => 1;`);
    await until('its own error', () => errors.includes('Error: at load'));
    expect(await serves('second third')).toBe(true);
    writeFileSync(file, `export default () => 'mended';`);
    await until('the repair', () => serves('mended'));
  });

  it('leaves nothing behind when it is interrupted: no process, no file', { timeout: 60_000 }, async () => {
    expect(processesNaming(scratch).length, 'itself, the bundler, runtimes').toBeGreaterThan(2);
    const exited = once(dev, 'exit');
    // As a terminal does it: everything in the foreground hears it.
    process.kill(-(dev.pid ?? 0), 'SIGINT');
    expect(await exited).toEqual([0, null]);
    await until('the end of its processes', () => processesNaming(scratch).length === 0);
    expect(readdirSync(scratch)).toEqual([]);
  });
});

/** Those that are told to use this directory: sandboxes are in process groups of their own. */
function processesNaming(directory: string): readonly string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return false;
    try {
      return ['environ', 'cmdline'].some((name) =>
        readFileSync(join('/proc', pid, name), 'utf8').includes(directory),
      );
    } catch {
      return false;
    }
  });
}
