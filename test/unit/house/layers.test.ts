/** The layer check must bite: each planted import is one that ARCHITECTURE.md forbids. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const tree = mkdtempSync(join(tmpdir(), 'baton-layers-'));
afterAll(() => rmSync(tree, { recursive: true, force: true }));

function plant(files: Record<string, string>): string {
  rmSync(tree, { recursive: true, force: true });
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    writeFileSync(join(tree, path), text);
  }
  for (const name of ['tsconfig.json', 'package.json', 'node_modules'])
    symlinkSync(join(root, name), join(tree, name));
  try {
    const depcruise = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
    return execFileSync(
      process.execPath,
      [depcruise, '--config', join(root, '.dependency-cruiser.cjs'), 'src'],
      {
        cwd: tree,
        encoding: 'utf8',
      },
    );
  } catch (error) {
    return (error as { stdout: string }).stdout;
  }
}

const target = { 'src/adapters/http/y.ts': 'export const y: number = 1;\n' };

describe('the layer check', () => {
  test('passes a tree that keeps the layers', () => {
    const out = plant({ ...target, 'src/bin/x.ts': "export { y } from '../adapters/http/y.ts';\n" });
    expect(out).toContain('no dependency violations found (2 modules, 1 dependencies');
  });

  test.each([
    ['core importing an adapter', 'src/core/raft/x.ts', 'core-is-pure'],
    ['a role importing an adapter', 'src/worker/x.ts', 'worker-knows-no-adapter'],
    ['a port importing an adapter', 'src/ports/x.ts', 'ports-are-interfaces'],
    ['the command line importing an adapter', 'src/cli/commands/x.ts', 'cli-is-a-client'],
  ])('refuses %s', (_, path, ruleName) => {
    const up = path.split('/').length === 4 ? '../..' : '..';
    const out = plant({ ...target, [path]: `export { y } from '${up}/adapters/http/y.ts';\n` });
    expect(out).toContain(`error ${ruleName}: ${path}`);
  });

  test('refuses a node: import in core', () => {
    const out = plant({ 'src/core/raft/x.ts': "export { readFileSync } from 'node:fs';\n" });
    expect(out).toContain('error core-has-no-runtime: src/core/raft/x.ts');
  });

  test('refuses a cycle', () => {
    const out = plant({
      'src/lib/a.ts': "import { b } from './b.ts';\nexport const a: number = b;\n",
      'src/lib/b.ts': "import { a } from './a.ts';\nexport const b: number = a;\n",
    });
    expect(out).toContain('error no-cycles');
  });
});
