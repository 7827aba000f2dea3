/** What is acknowledged survives whatever is killed, and what is warm stays warm without a leader and without a bus. */
import { cpSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { baton, http, TestCluster, until, VERSIONED } from './harness.ts';

describe('power loss and a lost disk', () => {
  const cluster = new TestCluster();
  const names = ['alpha', 'beta', 'gamma'];

  beforeAll(async () => {
    await cluster.up();
  });
  afterAll(() => cluster.close());

  const callAll = async (version: string): Promise<void> => {
    for (const name of names) {
      for (const { url } of cluster.view.dataPlanes) {
        const { status, body } = await http(`${url}/function/${name}`);
        expect([status, JSON.parse(body)]).toEqual([200, { version, path: '/' }]);
      }
    }
  };

  it(
    'brings every acknowledged function back after kill -9 of all processes',
    { timeout: 90_000 },
    async () => {
      const artifact = await cluster.upload(VERSIONED);
      for (const [i, name] of names.entries()) {
        const put = await cluster.put(name, { ...spec(artifact), env: { VERSION: 'kept' } }, i % 3);
        expect(put.status, put.body).toBe(200);
      }
      await callAll('kept');
      cluster.kill(...cluster.pids());
      await cluster.up();
      await callAll('kept');
    },
  );

  it('takes a replica without a directory back, artifacts included', { timeout: 90_000 }, async () => {
    const { replicas } = await cluster.status();
    const lost = replicas.find(({ role }) => role !== 'leader');
    const victim = cluster.view.replicas.find(({ id }) => id === lost?.id);
    expect(victim).toBeDefined();
    if (victim === undefined) return;
    cluster.kill(victim.pid);
    rmSync(victim.dir, { recursive: true });
    await cluster.start(victim.id);
    await until('the replica has its vote and its state back', async () => {
      const status = await cluster.status();
      const mine = status.replicas.find(({ id }) => id === victim.id);
      const hashes = new Set(status.replicas.map(({ stateHash }) => stateHash));
      return mine?.voter === true && hashes.size === 1;
    });
    expect(
      readdirSync(join(victim.dir, 'data', 'artifacts')).filter((name) => /^[0-9a-f]{64}$/.test(name)),
    ).not.toEqual([]);

    // Another replica goes, and a worker that has never seen the artifact starts a function that has never run.
    const other = cluster.view.replicas.find(({ id }) => id !== victim.id);
    const [worker] = cluster.view.workers;
    await cluster.baton('stop', other?.id ?? '', ...cluster.view.workers.map(({ id }) => id));
    for (const { dir } of cluster.view.workers) rmSync(join(dir, 'state'), { recursive: true, force: true });
    await cluster.start(worker?.id ?? '');
    const { status, body } = await http(`${cluster.view.dataPlanes[0]?.url}/function/alpha`);
    expect([status, JSON.parse(body)]).toEqual([200, { version: 'kept', path: '/' }]);
    await cluster.start(other?.id ?? '', ...cluster.view.workers.map(({ id }) => id));
  });

  it('says which replicas are missing when there is no quorum', { timeout: 60_000 }, async () => {
    await until('one leader', async () => (await cluster.status()).leader !== '');
    const [, second, third] = cluster.view.replicas;
    await cluster.baton('stop', second?.id ?? '', third?.id ?? '');
    const ran = await cluster.baton('delete', 'alpha');
    expect(ran.code).toBe(1);
    expect(ran.stderr.trim().split('\n')).toHaveLength(1);
    expect(ran.stderr).toContain(second?.id);
    expect(ran.stderr).toContain(third?.id);
    await cluster.start(second?.id ?? '', third?.id ?? '');
    await until('a leader again', async () => (await cluster.status()).leader !== '');
  });

  it('is recovered by force from the one disk that is left', { timeout: 90_000 }, async () => {
    const [kept, copy, empty] = cluster.view.replicas;
    if (kept === undefined || copy === undefined || empty === undefined) throw new Error('three replicas');
    await until('the last replica has caught up', async () => {
      const { replicas } = await cluster.status();
      return new Set(replicas.map(({ stateHash }) => stateHash)).size === 1;
    });
    await cluster.baton('stop', kept.id, copy.id, empty.id);
    for (const { dir } of [copy, empty]) rmSync(join(dir, 'data'), { recursive: true });
    cpSync(join(kept.dir, 'data'), join(copy.dir, 'data'), { recursive: true });
    for (const { dir } of [kept, copy]) {
      const ran = await baton('recover', '--force', '--config', join(dir, 'config.json'));
      expect(ran.stdout + ran.stderr).toContain('epoch 2');
    }
    // The third one finds nothing in its directory, learns the epoch from the others and gets its vote back.
    await cluster.start(kept.id, copy.id, empty.id);
    await until('three votes and one state', async () => {
      const { leader, replicas } = await cluster.status();
      const hashes = new Set(replicas.map(({ stateHash }) => stateHash));
      return leader !== '' && hashes.size === 1 && replicas.every(({ voter }) => voter);
    });
    await until('every function serves', async () => {
      const answers = await Promise.all(
        names.map((name) => http(`${cluster.view.dataPlanes[0]?.url}/function/${name}`)),
      );
      return answers.every(({ status }) => status === 200);
    });
  });

  const spec = (artifact: { digest: string; entry: string }): object => ({
    artifact: artifact.digest,
    entry: artifact.entry,
  });
});

describe('no bus', () => {
  const cluster = new TestCluster();

  beforeAll(async () => {
    await cluster.up();
  });
  afterAll(() => cluster.close());

  it(
    'serves warm functions without NATS, also from a data plane that was started meanwhile',
    { timeout: 90_000 },
    async () => {
      const artifact = await cluster.upload(VERSIONED);
      const document = { artifact: artifact.digest, entry: artifact.entry, env: { VERSION: 'warm' }, min: 1 };
      expect((await cluster.put('warm', document)).status).toBe(200);
      const [first, second] = cluster.view.dataPlanes;
      const server = cluster.view.nats[0];
      for (const { url } of cluster.view.dataPlanes)
        expect((await http(`${url}/function/warm`)).status).toBe(200);
      // The table file is written behind, and in one step.
      const tables = join(second?.dir ?? '', 'state', 'tables');
      await until(
        'the sandbox in the table file',
        () => existsSync(tables) && readFileSync(tables).includes('warm-'),
      );

      const failures: string[] = [];
      let running = true;
      let calls = 0;
      const load = (async (): Promise<void> => {
        while (running) {
          const { status, body } = await http(`${first?.url}/function/warm`);
          calls++;
          if (status !== 200) failures.push(`${status} ${body}`);
          await delay(5);
        }
      })();

      cluster.kill(server?.pid ?? 0, second?.pid ?? 0);
      await cluster.start(second?.id ?? '');
      for (let i = 0; i < 20; i++) {
        const { status, body } = await http(`${second?.url}/function/warm`);
        expect([status, JSON.parse(body)]).toEqual([200, { version: 'warm', path: '/' }]);
      }
      await until('calls without a bus', () => calls > 200);
      await cluster.start(server?.id ?? '');
      const beganMs = performance.now();
      const deployed = await until('a deploy', async () => {
        const put = await cluster.put('after', { ...document, min: 0 });
        return put.status === 200 && put;
      });
      expect(deployed.status).toBe(200);
      expect(performance.now() - beganMs).toBeLessThan(15_000);
      running = false;
      await load;
      expect(failures).toEqual([]);
      for (const { url } of cluster.view.dataPlanes)
        expect((await http(`${url}/function/after`)).status).toBe(200);
    },
  );
});
