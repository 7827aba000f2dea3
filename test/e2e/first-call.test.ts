/**
 * A function is callable through every data plane the moment its registration is acknowledged, also where its name was called
 * a moment before it existed; and after an update that named no laggards nobody hears the old version.
 */
import { Agent } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { http, TestCluster, VERSIONED } from './harness.ts';

const ROUNDS = Number(process.env['BATON_ROUNDS'] ?? 12);

describe('registration, first call, update', () => {
  const cluster = new TestCluster();
  let artifact: { digest: string; entry: string };

  beforeAll(async () => {
    await cluster.up();
    artifact = await cluster.upload(VERSIONED);
  });
  afterAll(() => cluster.close());

  const spec = (version: string): object => ({
    artifact: artifact.digest,
    entry: artifact.entry,
    env: { VERSION: version },
  });

  it(
    `answers the first call, through every data plane, by path and by Host: ${ROUNDS} rounds`,
    { timeout: 30_000 + ROUNDS * 5_000 },
    async () => {
      const { dataPlanes, replicas } = cluster.view;
      for (let round = 0; round < ROUNDS; round++) {
        const name = `round-${round}`;
        for (const { url } of dataPlanes) expect((await http(`${url}/function/${name}`)).status).toBe(404);
        await delay(10);
        const put = await cluster.put(name, spec('one'), round % replicas.length);
        expect(put.status, put.body).toBe(200);
        for (const { url } of dataPlanes) {
          const byPath = await http(`${url}/function/${name}/x`);
          expect([byPath.status, byPath.body]).toEqual([200, JSON.stringify({ version: 'one', path: '/x' })]);
          const byHost = await http(`${url}/y`, { headers: { host: `${name}.baton.localhost` } });
          expect([byHost.status, byHost.body]).toEqual([200, JSON.stringify({ version: 'one', path: '/y' })]);
        }
        await updateUnderLoad(name, round);
        const deleted = await http(`${replicas[0]?.http}/v1/functions/${name}`, { method: 'DELETE' });
        expect(deleted.status).toBe(200);
      }
    },
  );

  async function updateUnderLoad(name: string, round: number): Promise<void> {
    const { dataPlanes, replicas } = cluster.view;
    const agent = new Agent({ keepAlive: true });
    let acknowledged = false;
    let running = true;
    const wrong: string[] = [];
    const loops = dataPlanes.flatMap(({ url }) =>
      [1, 2].map(async () => {
        while (running) {
          const sentAfter = acknowledged;
          const { status, body } = await http(`${url}/function/${name}`, { agent });
          if (status !== 200) wrong.push(`${status} ${body}`);
          else if (sentAfter && !body.includes('"two"')) wrong.push(`old answer after the update: ${body}`);
          await delay(2);
        }
      }),
    );
    const put = await cluster.put(name, spec('two'), (round + 1) % replicas.length);
    expect(put.status, put.body).toBe(200);
    const { laggards } = JSON.parse(put.body) as { laggards: string[] };
    acknowledged = laggards.length === 0;
    await delay(60);
    running = false;
    await Promise.all(loops);
    agent.destroy();
    expect(laggards).toEqual([]);
    expect(wrong).toEqual([]);
  }

  it('keeps the version before when the new one does not load, and shows its own stack', async () => {
    expect((await cluster.put('steady', spec('good'))).status).toBe(200);
    const broken = await cluster.upload(`throw new Error('no such luck');\nexport default () => 'x';`);
    const put = await cluster.put('steady', { artifact: broken.digest, entry: broken.entry });
    expect(put.status).toBe(422);
    const answer = JSON.parse(put.body) as { reason: string; fields: { log: string } };
    expect(answer.reason).toBe('trial-failed');
    expect(answer.fields.log).toContain('no such luck');
    const { status, body } = await http(`${cluster.view.dataPlanes[0]?.url}/function/steady`);
    expect([status, JSON.parse(body)]).toEqual([200, { version: 'good', path: '/' }]);
  });

  it('enforces a hard limit across both data planes', async () => {
    const slow = await cluster.upload(
      `let now = 0; export default async () => { const seen = ++now; await new Promise((r) => setTimeout(r, 30)); now--; return String(seen); };`,
    );
    const put = await cluster.put('alone', {
      artifact: slow.digest,
      entry: slow.entry,
      concurrency: 1,
      max: 2,
    });
    expect(put.status, put.body).toBe(200);
    const urls = cluster.view.dataPlanes.map(({ url }) => `${url}/function/alone`);
    const answers = await Promise.all(
      Array.from({ length: 24 }, (_, i) => http(urls[i % urls.length] ?? '')),
    );
    expect(answers.map(({ status, body }) => `${status} ${body}`)).toEqual(
      Array.from({ length: 24 }, () => '200 1'),
    );
  });
});
