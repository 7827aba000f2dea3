/** What processes write about themselves: read as it grows, and made into what a worker has. */
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ProcessLog, type LogLine } from '../../../chaos/histories/process-log.ts';
import { WorkerRecord } from '../../../chaos/histories/worker-record.ts';

const folder = mkdtempSync(join(tmpdir(), 'baton-unit-records-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('a log', () => {
  it('is read line by line as it grows, and never a line twice or by half', () => {
    const path = join(folder, 'log');
    const log = new ProcessLog(path);
    expect(log.read()).toEqual([]);
    appendFileSync(path, '{"time":"1970-01-01T00:00:02.500Z","msg":"one","n":1}\n{"time":"1970-');
    expect(log.read()).toEqual([{ atWallMs: 2_500, message: 'one', fields: { n: 1 } }]);
    expect(log.read()).toEqual([]);
    appendFileSync(path, '01-01T00:00:03.000Z","msg":"zwölf"}\n');
    expect(log.read().map(({ message }) => message)).toEqual(['zwölf']);
  });

  it('leaves out what is not its own, and what a kill tore', () => {
    const path = join(folder, 'torn');
    appendFileSync(path, 'node: warning\n{"time":"1970-01-01T00:00:00Z","ms\n{"msg":"after"}\n');
    expect(new ProcessLog(path).read().map(({ message }) => message)).toEqual(['after']);
  });

  it('is read whole, however much was written', () => {
    const path = join(folder, 'long');
    const line = `${JSON.stringify({ msg: 'x'.repeat(1_000) })}\n`;
    appendFileSync(path, line.repeat(2_500));
    expect(new ProcessLog(path).read()).toHaveLength(2_500);
  });
});

describe('a worker', () => {
  const line = (message: string, fields: Record<string, unknown>): LogLine => ({
    atWallMs: 0,
    message,
    fields,
  });
  const starts = (sandbox: string): LogLine => line('sandbox starts', { sandbox, function: 'f' });
  const up = (sandbox: string): LogLine => line('sandbox is up', { sandbox });

  it('has what it started and what has not ended', () => {
    const record = new WorkerRecord();
    for (const heard of [starts('a'), starts('b'), starts('c'), up('a'), up('b')]) record.hear(heard);
    expect(record.sandboxes.map(({ id, state }) => `${id} ${state}`)).toEqual([
      'a ready',
      'b ready',
      'c starting',
    ]);
    record.hear(line('sandbox is gone', { sandbox: 'b', reason: 'killed' }));
    expect(record.ready.map(({ id }) => id)).toEqual(['a']);
    expect(record.ends).toEqual([{ id: 'b', reason: 'killed' }]);
    expect(record.starts).toEqual(new Map([['f', 3]]));
  });

  it('has what it drains, but does not offer it', () => {
    const record = new WorkerRecord();
    for (const heard of [starts('a'), up('a'), starts('b'), up('b')]) record.hear(heard);
    record.hear(line('command obeyed', { command: 'drain', sandbox: 'a' }));
    record.hear(line('command obeyed', { command: 'adopt', sandbox: 'b' }));
    expect(record.ready.map(({ id }) => id)).toEqual(['b']);
    expect(record.sandboxes).toHaveLength(2);
  });

  it('has nothing at the beginning of a life, and its starts count on', () => {
    const record = new WorkerRecord();
    record.hear(starts('a'));
    record.begin();
    expect(record.sandboxes).toEqual([]);
    record.hear(starts('b'));
    expect(record.starts.get('f')).toBe(2);
    expect(record.ends).toEqual([]);
  });

  it('ends a sandbox once, and none that it never had', () => {
    const record = new WorkerRecord();
    record.hear(starts('a'));
    for (const sandbox of ['a', 'a', 'z']) record.hear(line('sandbox is gone', { sandbox }));
    expect(record.ends).toHaveLength(1);
  });
});
