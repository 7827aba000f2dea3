/** The API of every replica: gRPC with health and reflection, HTTP/JSON, request ids, artifacts; and garbage on the bus. */
import { createHash } from 'node:crypto';
import { credentials, loadPackageDefinition, Metadata, type ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { protoPath as healthProto } from 'grpc-health-check';
import { connect } from 'nats';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiClient } from '../../src/api/client.ts';
import { loadLocalCluster } from '../../src/config/cluster.ts';
import { BatonClient, type ClusterStatus } from '../../src/wire/gen/baton/api/v1/api.ts';
import { tableRows } from '../unit/docs/tables.ts';
import { http, TestCluster, until, VERSIONED } from './harness.ts';

/** grpc.health.v1.HealthCheckResponse.ServingStatus */
const SERVING = 1;

describe('the API', () => {
  const cluster = new TestCluster();
  const clients: { close(): void }[] = [];

  beforeAll(async () => {
    await cluster.up('--runtime', 'simulated', '--start-ms', '5');
  });
  afterAll(async () => {
    for (const client of clients) client.close();
    await cluster.close();
  });

  const base = (replica = 0): string => cluster.view.replicas[replica]?.http ?? '';
  const getJson = async (url: string): Promise<unknown> => JSON.parse((await http(url)).body);

  function generic(
    replica: number,
    path: string,
    service: readonly string[],
  ): Record<
    string,
    (request: unknown, callback: (error: ServiceError | null, reply: Record<string, unknown>) => void) => void
  > {
    let found: unknown = loadPackageDefinition(loadSync(path));
    for (const part of service) found = (found as Record<string, unknown>)[part];
    const Client = found as new (address: string, c: unknown) => never;
    const client = new Client(cluster.view.replicas[replica]?.grpc ?? '', credentials.createInsecure());
    clients.push(client);
    return client;
  }

  it('serves the same service as gRPC on every replica, followers passing on', async () => {
    const terms = await Promise.all(
      cluster.view.replicas.map(
        ({ grpc }) =>
          new Promise<ClusterStatus>((resolve, reject) => {
            const client = new BatonClient(grpc, credentials.createInsecure());
            clients.push(client);
            client.getStatus({}, new Metadata(), { deadline: Date.now() + 10_000 }, (error, reply) => {
              if (error === null) resolve(reply);
              else reject(error);
            });
          }),
      ),
    );
    for (const { leader, replicas, dataPlanes, workers } of terms) {
      expect(leader).toBe(terms[0]?.leader);
      expect([replicas.length, dataPlanes.length, workers.length]).toEqual([3, 2, 2]);
    }
  });

  it('has health and reflection', async () => {
    const health = generic(1, healthProto, ['grpc', 'health', 'v1', 'Health']);
    const reply = await new Promise<Record<string, unknown>>((resolve, reject) => {
      health['check']?.({ service: 'baton.api.v1.Baton' }, (error, answer) =>
        error === null ? resolve(answer) : reject(error),
      );
    });
    expect(reply['status']).toBe(SERVING);
    const reflectionProto = join(
      dirname(createRequire(import.meta.url).resolve('@grpc/reflection/package.json')),
      'build/proto/grpc/reflection/v1/reflection.proto',
    );
    const Reflection = generic(2, reflectionProto, ['grpc', 'reflection', 'v1', 'ServerReflection']);
    const stream = (Reflection['serverReflectionInfo'] as unknown as () => NodeJS.ReadWriteStream).call(
      Reflection,
    );
    const listed = await new Promise<string>((resolve, reject) => {
      stream.on('data', (answer: unknown) => resolve(JSON.stringify(answer)));
      stream.on('error', reject);
      (stream as unknown as { write(message: object): void }).write({ listServices: '*' });
    });
    stream.end();
    expect(listed).toContain('baton.api.v1.Baton');
  });

  it('takes effect once, however often a request id is sent, and through whichever replica', async () => {
    const { digest, entry } = await cluster.upload(VERSIONED);
    const { commitIndex } = (await getJson(`${base()}/v1/replica`)) as { commitIndex: number };
    const id = `${commitIndex}-same-request`;
    const answers = [];
    for (const replica of [0, 1, 2, 0])
      answers.push(
        JSON.parse(
          (await cluster.put('once', { artifact: digest, entry }, replica, `?requestId=${id}`)).body,
        ),
      );
    expect(
      new Set(
        answers.map(({ generation, uid }: { generation: number; uid: number }) => `${uid}/${generation}`),
      ).size,
    ).toBe(1);
    expect(answers[0]).toMatchObject({ generation: 1 });
    const other = await cluster.put('once', { artifact: digest, entry, max: 7 }, 0, `?requestId=${id}`);
    expect([other.status, JSON.parse(other.body)]).toEqual([
      409,
      expect.objectContaining({ reason: 'conflict' }),
    ]);
  });

  it('answers what is wrong with status, reason, path and fix', async () => {
    const put = (name: string, body: object): Promise<{ status: number; body: string }> =>
      cluster.put(name, body);
    expect((await put('Bad_Name', { artifact: 'a'.repeat(64), entry: 'x' })).status).toBe(400);
    const missing = await put('fine', { artifact: 'a'.repeat(64), entry: 'x' });
    expect([missing.status, JSON.parse(missing.body)]).toEqual([
      404,
      expect.objectContaining({ hint: expect.stringContaining('upload') as string }),
    ]);
    const wrong = await put('fine', { artifact: 'a'.repeat(64), entry: '../x' });
    expect([wrong.status, JSON.parse(wrong.body)]).toEqual([
      400,
      expect.objectContaining({ fields: { path: 'entry' } }),
    ]);
    expect((await put('fine', { artifact: 'a'.repeat(64), entry: 'x', secrets: [] })).status).toBe(501);
    const method = await http(`${base()}/v1/functions`, { method: 'POST' });
    expect([method.status, method.headers['allow']]).toEqual([405, 'GET']);
    expect((await http(`${base()}/v1/functions/nobody`)).status).toBe(404);
    expect((await http(`${base()}/v1/functions/x/rollback`, { method: 'POST' })).status).toBe(501);
    expect((await http(`${base()}/v1/status`, { headers: { host: 'rebound.example' } })).status).toBe(401);
    expect(
      (
        await http(`${base()}/v1/functions/x`, {
          method: 'PUT',
          body: '{}',
          headers: { 'content-type': 'text/plain' },
        })
      ).status,
    ).toBe(400);
  });

  it('refuses artifacts that are not what they say, or too large', async () => {
    const post = (body: Buffer, query = ''): Promise<{ status: number; body: string }> =>
      http(`${base(1)}/v1/artifacts${query}`, {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/octet-stream' },
      });
    const digest = createHash('sha256').update('other').digest('hex');
    expect((await post(Buffer.from('content'), `?digest=${digest}`)).status).toBe(400);
    const large = await post(Buffer.alloc(64 * 1_048_576 + 1));
    expect([large.status, JSON.parse(large.body)]).toEqual([
      413,
      expect.objectContaining({ reason: 'too-large' }),
    ]);
    expect((await http(`${base()}/internal/artifacts/${digest}`)).status).toBe(401);
  });

  it('describes itself, and counts', async () => {
    const document = (await getJson(`${base(2)}/openapi.json`)) as {
      openapi: string;
      paths: Record<string, object>;
      components: { schemas: { Function: { properties: object } } };
    };
    expect(document.openapi).toBe('3.1.0');
    expect(Object.keys(document.paths['/v1/functions/{name}'] ?? {})).toEqual(['get', 'put', 'delete']);
    expect(Object.keys(document.components.schemas.Function.properties)).toContain('scaleToZeroGraceMs');
    for (const { http: url } of cluster.view.replicas) {
      expect((await http(`${url}/metrics`)).body).toMatch(/^baton_raft_term \d+$/m);
      expect((await http(`${url}/healthz`)).body).toBe('ok\n');
    }
    for (const { url } of cluster.view.dataPlanes)
      expect((await http(`${url}/metrics`)).body).toContain('baton_data_plane_requests_total');
    const documented = tableRows('docs/metrics.md', 'Metric').map(({ Metric, Type }) => `${Metric} ${Type}`);
    const planes = cluster.view.dataPlanes.map(({ url }) => url);
    for (const url of [...cluster.view.replicas.map((replica) => replica.http), ...planes]) {
      const { body } = await http(`${url}/metrics`);
      const exported = [...body.matchAll(/^# TYPE (baton_\S+ \S+)$/gm)].map(([, metric]) => metric);
      expect(exported.length).toBeGreaterThan(5);
      expect(documented).toEqual(expect.arrayContaining(exported));
    }
  });

  it('counts garbage on the bus, logs it once, and goes on', async () => {
    const { nats, host, passwords } = loadLocalCluster(cluster.dir);
    const worker = await connect({
      servers: `${host}:${nats[0]?.port ?? 0}`,
      user: 'worker-w1',
      pass: passwords['worker-w1'] ?? '',
    });
    const { leader, term } = await cluster.status();
    const { cluster: name } = loadLocalCluster(cluster.dir);
    for (let i = 0; i < 50; i++)
      worker.publish(`baton.${name}.lead.${term}.heartbeat.w1`, new Uint8Array([255, i, 3, 99]));
    await worker.flush();
    await worker.close();
    const url = cluster.view.replicas.find(({ id }) => id === leader)?.http ?? '';
    await until('the count', async () =>
      /^baton_dropped_messages\{[^}]+\} 50$/m.test((await http(`${url}/metrics`)).body),
    );
    expect((await cluster.status()).term).toBe(term);
    expect((await http(`${cluster.view.dataPlanes[0]?.url}/function/once`)).status).toBe(200);
  });

  it('brings the whole error to a client, and tells a cluster that is not there', async () => {
    const client = new ApiClient({
      servers: cluster.view.replicas.map(({ grpc }) => grpc),
      token: undefined,
      timeoutMs: 10_000,
    });
    clients.push(client);
    await expect(client.call('getFunction', { name: 'nobody' })).rejects.toMatchObject({
      code: 'not-found',
      hint: expect.stringContaining('baton get') as string,
    });
    const nowhere = new ApiClient({ servers: ['127.0.0.1:1'], token: undefined, timeoutMs: 5_000 });
    clients.push(nowhere);
    await expect(nowhere.call('getStatus', {})).rejects.toMatchObject({ code: 'unavailable' });
  });
});
