/** The command line as scripts use it: names, flags, JSON, exit codes. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { batonProgram, packageRoot } from '../../cluster/package-root.ts';
import { baton, http, TestCluster, until } from './harness.ts';

interface SandboxRow {
  readonly id: string;
  readonly function: string;
  readonly worker: string;
  readonly pid: number;
  readonly state: string;
  readonly address: string;
}

interface EventRow {
  readonly kind: string;
  readonly function: string;
}

const example = (name: string): string => join(packageRoot(), 'examples', name);

describe('the command line', () => {
  const cluster = new TestCluster();
  const scratch = mkdtempSync(join(tmpdir(), 'baton-cli-'));

  beforeAll(async () => {
    await cluster.up();
  });
  afterAll(async () => {
    await cluster.close();
    rmSync(scratch, { recursive: true, force: true });
  });

  it('is a program: npx and a linked command run it as it is built', () => {
    expect(() => accessSync(batonProgram(), constants.X_OK)).not.toThrow();
  });

  it('up says what it started, and again on the same directory changes nothing', async () => {
    const { view } = cluster;
    expect(view.dir).toBe(cluster.dir);
    expect([view.nats.length, view.replicas.length, view.dataPlanes.length, view.workers.length]).toEqual([
      1, 3, 2, 2,
    ]);
    for (const pid of cluster.pids()) expect(process.kill(pid, 0)).toBe(true);
    expect(await cluster.up()).toEqual(view);
  });

  it('deploy answers with name, uid, generation and urls; a second one is the next generation', async () => {
    const first = await cluster.json<{ name: string; uid: number; generation: number; urls: string[] }>(
      'deploy',
      example('hello.ts'),
      '--name',
      'greeter',
      '--env',
      'GREETING=good day',
      '--min',
      '1',
      '--max',
      '3',
      '--target',
      '10',
      '--timeout',
      '5000',
    );
    expect(first).toMatchObject({ name: 'greeter', generation: 1 });
    expect(first.urls).toHaveLength(2);
    const { body } = await http(`${first.urls[0]}?name=you`);
    expect(JSON.parse(body)).toMatchObject({ message: 'good day, you' });
    const second = await cluster.json<{ uid: number; generation: number }>(
      'deploy',
      example('hello.ts'),
      '--name',
      'greeter',
      '--replica',
      'r2',
    );
    expect(second).toMatchObject({ uid: first.uid, generation: 2 });
  });

  it('takes an update only at the generation that it expects', async () => {
    const ran = await cluster.baton(
      'deploy',
      example('hello.ts'),
      '--name',
      'greeter',
      '--if-generation',
      '1',
    );
    expect([ran.code, ran.stderr]).toEqual([1, expect.stringContaining('greeter is at generation 2')]);
    const isNew = await cluster.baton(
      'deploy',
      example('hello.ts'),
      '--name',
      'greeter',
      '--if-generation',
      '0',
    );
    expect(isNew.code).toBe(1);
  });

  it('runs a program, captures its output, and shows it', async () => {
    await cluster.json('deploy', example('python'), '--name', 'py');
    const ran = await cluster.baton('invoke', 'py', '/where', '-d', 'posted');
    expect(JSON.parse(ran.stdout)).toMatchObject({ path: '/where', received: 'posted' });
    await until('the line', async () => (await cluster.baton('logs', 'py')).stdout.includes('POST /where'));
  });

  it('follows logs until it is interrupted', async () => {
    const follower = spawn(process.execPath, [
      '--no-warnings',
      batonProgram(),
      'logs',
      '-f',
      'py',
      '--dir',
      cluster.dir,
    ]);
    let seen = '';
    follower.stdout.on('data', (chunk: Buffer) => (seen += chunk.toString()));
    await cluster.baton('invoke', 'py', '/followed');
    await until('the followed line', () => seen.includes('GET /followed'));
    follower.kill('SIGINT');
    const [code] = (await once(follower, 'exit')) as [number];
    expect(code).toBe(0);
  });

  it('get sandboxes lists what runs where', async () => {
    const rows = await cluster.json<SandboxRow[]>('get', 'sandboxes');
    const row = rows.find((candidate) => candidate.function === 'py');
    expect(Object.keys(row ?? {})).toEqual(
      expect.arrayContaining(['id', 'function', 'worker', 'pid', 'state', 'address']),
    );
    expect(row).toMatchObject({
      state: 'ready',
      address: expect.stringMatching(/^tcp:127\.0\.0\.1:\d+$/) as string,
    });
    expect(process.kill(row?.pid ?? 0, 0)).toBe(true);
    for (const kind of ['functions', 'workers', 'data-planes', 'replicas']) {
      const { stdout } = await cluster.baton('get', kind, '--json');
      expect((JSON.parse(stdout) as unknown[]).length).toBeGreaterThan(0);
      expect(stdout, 'nothing of the wire’s own').not.toContain('_unknownFields');
    }
  });

  it('describe says why a function has its scale, and what happened to a worker and a sandbox', async () => {
    const fn = await cluster.json<{ scale: { decision: { rule: string }; change: { to: number } } }>(
      'describe',
      'py',
    );
    expect(fn.scale).toMatchObject({
      decision: { rule: expect.stringMatching(/^(idle|stable|panic)$/) as string },
      change: { to: expect.any(Number) as number, why: expect.any(String) as string },
    });
    expect((await cluster.baton('describe', 'function', 'py')).stdout).toMatch(/^ {2}decided by: .* ago$/m);
    const worker = await cluster.json<{ events: object[]; runs: object[] }>('describe', 'worker', 'w1');
    expect(worker.events).toContainEqual(expect.objectContaining({ event: 'worker-joined', subject: 'w1' }));
    const [row] = await cluster.json<SandboxRow[]>('get', 'sandboxes');
    const sandbox = await cluster.json<{ events: object[] }>('describe', 'sandbox', row?.id ?? '');
    expect(sandbox.events).toContainEqual(expect.objectContaining({ event: 'placed', subject: row?.id }));
  });

  it('status has the keys that scripts read', async () => {
    await cluster.reconciled();
    const status = await cluster.status();
    expect(status.leader).toMatch(/^r[123]$/);
    expect(new Set(status.replicas.map(({ stateHash }) => stateHash)).size).toBe(1);
    expect(new Set(status.replicas.map(({ pid }) => pid))).toEqual(
      new Set(cluster.view.replicas.map(({ pid }) => pid)),
    );
    expect(status.workers.map(({ sandboxes }) => typeof sandboxes)).toEqual(['number', 'number']);
    expect(status.functions.find(({ name }) => name === 'py')).toMatchObject({ ready: 1, desired: 1 });
    expect(status.dataPlanes.every(({ endpointSeq, pid }) => endpointSeq > 0 && pid > 0)).toBe(true);
    expect(status.reconstruction).toMatchObject({
      phase: 'reconciled',
      cause: expect.stringMatching(/^(advisory|probe|timeout|transfer)$/) as string,
      knownWorkers: 2,
      reportedWorkers: 2,
      firstWorkerMs: expect.any(Number) as number,
      allReportedMs: expect.any(Number) as number,
      reconciledMs: expect.any(Number) as number,
    });
    const { stdout } = await cluster.baton('status');
    expect(stdout).toMatch(
      /^term \d+ for \d+ s \(.*\): first worker after \d+ ms, 2 of 2 reported after \d+ ms, /m,
    );
  });

  it('events are chosen by kind, function and number, and followed until it is interrupted', async () => {
    const placed = await cluster.json<EventRow[]>('events', '--kind', 'placed,scaled', '--function', 'py');
    expect(new Set(placed.map(({ kind }) => kind))).toEqual(new Set(['placed', 'scaled']));
    expect(new Set(placed.map((row) => row.function))).toEqual(new Set(['py']));
    expect(await cluster.json<EventRow[]>('events', '-n', '1')).toHaveLength(1);
    const follower = spawn(process.execPath, [
      ...['--no-warnings', batonProgram(), 'events', '-f', '-n', '0', '--json', '--kind', 'registered'],
      ...['--dir', cluster.dir],
    ]);
    let seen = '';
    follower.stdout.on('data', (chunk: Buffer) => (seen += chunk.toString()));
    const names = (): string[] =>
      seen.split('\n').flatMap((line) => (line === '' ? [] : [(JSON.parse(line) as EventRow).function]));
    await until('a followed event', async () => {
      await cluster.json('deploy', example('hello.ts'), '--name', 'followed');
      return names().includes('followed');
    });
    expect(new Set(names()), 'nothing of before').toEqual(new Set(['followed']));
    follower.kill('SIGINT');
    const [code] = (await once(follower, 'exit')) as [number];
    expect(code).toBe(0);
  });

  it('completes names, and is silent where there is no cluster', async () => {
    const { stdout } = await cluster.baton('completion', 'bash');
    expect(stdout).toContain('complete -F _baton baton');
    expect((await cluster.baton('complete-names', 'functions')).stdout.split('\n')).toContain('py');
    // In the order in which the leader heard them.
    const workers = (await cluster.baton('complete-names', 'workers')).stdout;
    expect(workers.trimEnd().split('\n').toSorted()).toEqual(['w1', 'w2']);
    expect((await cluster.baton('complete-names', 'processes')).stdout.split('\n')).toContain('n1');
    expect(await baton('complete-names', 'functions', '--dir', join(scratch, 'nowhere'))).toEqual({
      code: 0,
      stdout: '',
      stderr: '',
    });
  });

  it('deploy sets keys inside of others: labels, whose names have dots and whose values are text, and resources', async () => {
    const labels = ['--set', 'selector.example.com/disk=ssd', '--set', 'selector.gen=4'];
    const asked = [...labels, '--set', 'resources.memoryMiB=128', '--set', 'placement=bin-packing'];
    await cluster.json('deploy', example('hello.ts'), '--name', 'choosy', '--no-trial', ...asked);
    expect(await cluster.json('describe', 'choosy')).toMatchObject({
      spec: {
        selector: { 'example.com/disk': 'ssd', gen: '4' },
        resources: { cpuMillis: 50, memoryMiB: 128 },
        placement: 'bin-packing',
      },
    });
    await cluster.baton('delete', 'choosy');
  });

  it('apply takes several documents, whole or not at all', async () => {
    writeFileSync(join(scratch, 'two.mjs'), `export default () => 'applied';`);
    const file = join(scratch, 'functions.yaml');
    writeFileSync(
      file,
      `kind: Function\nname: one\npath: ./two.mjs\n---\nname: two\npath: ./two.mjs\nmax: 2\n`,
    );
    expect(await cluster.json<unknown[]>('apply', '-f', file)).toMatchObject([
      { name: 'one' },
      { name: 'two' },
    ]);
    const { body } = await http(`${cluster.view.dataPlanes[0]?.url}/function/two`);
    expect(body).toBe('applied');
    writeFileSync(file, `name: three\npath: ./two.mjs\n---\nname: four\npath: ./two.mjs\nmaximum: 2\n`);
    const ran = await cluster.baton('apply', '-f', file);
    expect([ran.code, ran.stderr]).toEqual([1, expect.stringContaining('document 2: maximum: no such key')]);
    expect((await cluster.baton('describe', 'three')).code).toBe(1);
  });

  it('what get shows as YAML can be applied again', async () => {
    const shown = await cluster.baton('describe', 'two', '-o', 'json');
    const { spec } = JSON.parse(shown.stdout) as { spec: object };
    const file = join(scratch, 'again.yaml');
    writeFileSync(file, JSON.stringify(spec));
    expect(await cluster.json<unknown[]>('apply', '-f', file)).toMatchObject([
      { name: 'two', generation: 2 },
    ]);
  });

  it('transfer-leadership hands over, and a graceful stop of the leader too', async () => {
    const before = (await cluster.status()).leader;
    const to = cluster.view.replicas.find(({ id }) => id !== before)?.id ?? '';
    expect(await cluster.json('transfer-leadership', to)).toMatchObject({ leader: to });
    await cluster.baton('stop', to);
    await until('another leader', async () => ![to, ''].includes((await cluster.status()).leader));
    await cluster.start(to);
  });

  it('delete takes functions away, and their sandboxes', async () => {
    await cluster.json('delete', 'one', 'two');
    const { status } = await http(`${cluster.view.dataPlanes[1]?.url}/function/one`);
    expect(status).toBe(404);
    await until(
      'no sandboxes',
      async () =>
        !(await cluster.json<SandboxRow[]>('get', 'sandboxes')).some(({ function: fn }) => fn === 'two'),
    );
  });

  it.each([
    [
      'a time that is none',
      2,
      ['drain', 'w1', '--timeout', '60'],
      /--timeout: "60" is not a time — give one/,
    ],
    ['an unknown flag', 2, ['deploy', example('hello.ts'), '--colour', 'red'], /unknown option '--colour'/],
    [
      'a name that is none',
      2,
      ['deploy', example('hello.ts'), '--name', 'No_Name'],
      /--name: "No_Name" is not a valid name/,
    ],
    [
      'a number that is none',
      2,
      ['deploy', example('hello.ts'), '--min', 'few'],
      /--min: "few" is not a whole number/,
    ],
    ['a path that is not there', 1, ['deploy', '/no/such/path.ts'], /no such file or directory/],
    ['a key that is none', 1, ['deploy', example('hello.ts'), '--set', 'speed=9'], /speed: no such key/],
    [
      'a key that has keys of its own',
      2,
      ['deploy', example('hello.ts'), '--set', 'selector=ssd'],
      /--set: selector has keys of its own — write selector\.KEY=VALUE/,
    ],
    [
      'a value out of range',
      1,
      ['deploy', example('hello.ts'), '--set', 'stableWindowMs=5'],
      /stableWindowMs: /,
    ],
    [
      'bounds that contradict',
      1,
      ['deploy', example('hello.ts'), '--min', '3', '--max', '2'],
      /max: 2 is below min 3/,
    ],
    [
      'a port that is none',
      2,
      ['dev', example('hello.ts'), '--port', '70000'],
      /--port: 70000 is not a port/,
    ],
    ['an unknown function', 1, ['describe', 'nobody'], /no function nobody/],
    ['an unknown kind', 2, ['get', 'pods'], /is not a kind/],
    [
      'an unknown kind of event',
      2,
      ['events', '--kind', 'scaled,grown'],
      /--kind: "grown" is not a kind of event/,
    ],
    ['a shell that is none', 2, ['completion', 'tcsh'], /"tcsh" is not a shell that is known/],
    ['a format that is none', 2, ['get', 'functions', '-o', 'xml'], /is not a format/],
    ['a feature of later', 1, ['rollback', 'greeter'], /rollback: not there yet/],
  ])('says what is wrong with %s in one line', async (_what, code, args, message) => {
    const ran = await cluster.baton(...args);
    expect(ran.code).toBe(code);
    expect(ran.stderr.trim().split('\n')).toHaveLength(1);
    expect(ran.stderr).toMatch(message);
  });

  it('a module without a handler, and one that throws, are told with their own stack', async () => {
    writeFileSync(join(scratch, 'none.mjs'), 'export const nothing = 1;');
    const none = await cluster.baton('deploy', join(scratch, 'none.mjs'));
    expect([none.code, none.stderr]).toEqual([1, expect.stringContaining('exports no handler')]);
    writeFileSync(join(scratch, 'thrower.mjs'), `function deep() { throw new Error('at load'); }\ndeep();`);
    const thrower = await cluster.baton('deploy', join(scratch, 'thrower.mjs'));
    expect([thrower.code, thrower.stderr]).toEqual([1, expect.stringMatching(/at load[\s\S]*at deep/)]);
  });
});
