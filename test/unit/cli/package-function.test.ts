import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageFunction } from '../../../src/cli/package-function.ts';

let folder: string;
const file = (name: string, text: string): string => {
  const path = join(folder, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, text);
  return path;
};

beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'baton-package-test-')));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('a packaged function', () => {
  it('names the files that it was made of, and not what was installed', async () => {
    const helper = file('lib/helper.ts', `export const word: string = 'hello';`);
    file('node_modules/dependency/index.js', 'export const n = 1;');
    const entry = file(
      'entry.ts',
      `import { word } from './lib/helper.ts'; import { n } from 'dependency'; export default () => word + n;`,
    );
    const { sources } = await packageFunction(entry);
    expect([...sources.files].sort()).toEqual([entry, helper]);
  });

  it('is everything in its directory where that is a program', async () => {
    file('program/main.py', 'print(1)');
    const { sources } = await packageFunction(join(folder, 'program'));
    expect(sources).toEqual({ files: [], tree: join(folder, 'program') });
  });

  it('says in one line where it does not compile', async () => {
    const broken = file('broken.ts', 'export default () =>\n  { return 1 +; };');
    await expect(packageFunction(broken)).rejects.toThrow(
      /^.*broken\.ts: Unexpected ";" \(broken\.ts:2:\d+\)$/,
    );
  });
});
