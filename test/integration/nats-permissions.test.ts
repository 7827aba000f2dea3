/** Identity on the bus is the server's word: what each process' credentials can and cannot do, asked of a real server. */
import { connect, type NatsConnection, PermissionViolationError } from 'nats';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { siteFiles } from '../../cluster/deployment/files.ts';
import { composeSite, kubernetesSite } from '../../cluster/deployment/site.ts';
import { freePorts } from '../../cluster/local/ports.ts';
import { acceptsConnections } from '../../cluster/local/readiness.ts';
import { renderNatsConf } from '../../cluster/nats/render.ts';
import { provision } from '../../cluster/provision/provision.ts';
import { clusterId, dataPlaneId, replicaId, workerId } from '../../src/lib/ids.ts';
import { subjects } from '../../src/wire/subjects.ts';
import { until } from '../e2e/harness.ts';

const CLUSTER = clusterId('permissions');
const names = subjects(CLUSTER);
const [r1, r2, w1, w2, dp1, dp2] = [
  replicaId('r1'),
  replicaId('r2'),
  workerId('w1'),
  workerId('w2'),
  dataPlaneId('dp1'),
  dataPlaneId('dp2'),
];
const PASSWORD = 'a-password-of-some-length';

function echo(connection: NatsConnection, subject: string): void {
  connection.subscribe(subject, { callback: (_error, message) => void message.respond(message.data) });
}

describe('NATS permissions', () => {
  const directory = mkdtempSync(join(tmpdir(), 'baton-permissions-'));
  const connections: NatsConnection[] = [];
  let server: ChildProcess;
  let program = '';
  let port = 0;

  beforeAll(async () => {
    const { path } = await provision('nats-server', () => undefined);
    [port = 0] = await freePorts('127.0.0.1', 1);
    const user = (id: string): { id: string; password: string } => ({ id, password: PASSWORD });
    const conf = renderNatsConf({
      cluster: CLUSTER,
      serverName: 'n1',
      listen: `127.0.0.1:${port}`,
      systemPassword: PASSWORD,
      routes: undefined,
      replicas: [user('r1'), user('r2')],
      dataPlanes: [user('dp1'), user('dp2')],
      workers: [user('w1'), user('w2')],
    });
    writeFileSync(join(directory, 'nats.conf'), conf);
    program = path;
    server = spawn(path, ['-c', join(directory, 'nats.conf')], { stdio: 'ignore' });
    await until('the server', () => acceptsConnections('127.0.0.1', port));
  }, 300_000);

  afterEach(() => Promise.allSettled(connections.splice(0).map((connection) => connection.close())));

  afterAll(() => {
    server.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  });

  async function as(user: string): Promise<NatsConnection> {
    const connection = await connect({
      servers: `127.0.0.1:${port}`,
      user,
      pass: PASSWORD,
      inboxPrefix: `_INBOX_${user}`,
      reconnect: false,
      timeout: 5_000,
    });
    connections.push(connection);
    return connection;
  }

  /** The server's verdicts on what this connection did; the server answers in order, so a flush is behind them all. */
  async function violations(user: string, act: (connection: NatsConnection) => void): Promise<string[]> {
    const connection = await as(user);
    const seen: string[] = [];
    const watching = (async (): Promise<void> => {
      for await (const status of connection.status()) {
        if (status.type === 'error' && status.error instanceof PermissionViolationError)
          seen.push(`${status.error.operation} ${status.error.subject}`);
      }
    })();
    act(connection);
    await connection.flush();
    await connection.flush();
    await connection.close();
    await watching;
    return seen;
  }

  const mayNotPublish = async (user: string, wanted: readonly string[]): Promise<void> => {
    const seen = await violations(user, (connection) => {
      for (const subject of wanted) connection.publish(subject, 'x');
    });
    expect(seen).toEqual(wanted.map((subject) => `publish ${subject}`));
  };

  const mayNotSubscribe = async (user: string, wanted: readonly string[]): Promise<void> => {
    const seen = await violations(user, (connection) => {
      for (const subject of wanted) connection.subscribe(subject, { callback: () => undefined });
    });
    expect(seen).toEqual(wanted.map((subject) => `subscription ${subject}`));
  };

  const mayPublish = async (user: string, wanted: readonly string[]): Promise<void> => {
    const seen = await violations(user, (connection) => {
      for (const subject of wanted) connection.publish(subject, 'x');
    });
    expect(seen).toEqual([]);
  };

  it('a worker speaks as itself only: no Raft, no leader, no other worker', async () => {
    await mayNotPublish('worker-w1', [
      names.raft(r1, r2),
      names.beacon(r1),
      names.endpoints(r1),
      names.specs(r1),
      names.command(w2, r1),
      names.command(w1, r1),
      names.notice(w2, r1),
      names.query(w2, r1),
      names.lead(7, 'heartbeat', w2),
      names.lead(7, 'change', w2),
      names.lead(7, 'report', dp1),
      names.lead(7, 'demand', w1),
      `_INBOX_replica-r1.stolen`,
      `baton.other-cluster.lead.7.heartbeat.w1`,
    ]);
    await mayPublish('worker-w1', [names.lead(7, 'heartbeat', w1), names.lead(7, 'change', w1)]);
  });

  it('a worker hears beacons and its own commands only', async () => {
    await mayNotSubscribe('worker-w1', [
      names.raftInbox(r1),
      names.leadInbox(7),
      names.commandInbox(w2),
      names.allEndpoints,
      names.allSpecs,
      '_INBOX_worker-w2.>',
      '>',
      '$SYS.>',
    ]);
  });

  it('a data plane reports as itself only', async () => {
    await mayNotPublish('data-plane-dp1', [
      names.raft(r1, r2),
      names.beacon(r1),
      names.endpoints(r1),
      names.lead(7, 'heartbeat', w1),
      names.specs(r1),
      names.lead(7, 'report', dp2),
      names.lead(7, 'demand', dp2),
      names.command(w1, r1),
      '_INBOX_replica-r1.stolen',
    ]);
    await mayNotSubscribe('data-plane-dp1', [
      names.raftInbox(r1),
      names.leadInbox(7),
      names.commandInbox(w1),
      '_INBOX_data-plane-dp2.>',
      '_INBOX_replica-r1.>',
    ]);
    await mayPublish('data-plane-dp1', [
      names.lead(7, 'report', dp1),
      names.lead(7, 'demand', dp1),
      names.lead(7, 'lookup', dp1),
      names.lead(7, 'pull', dp1),
    ]);
  });

  it('a replica speaks as itself only, and reads only its own Raft mail', async () => {
    await mayNotPublish('replica-r1', [
      names.raft(r2, r2),
      names.beacon(r2),
      names.endpoints(r2),
      names.specs(r2),
      names.command(w1, r2),
      names.notice(w1, r2),
      names.query(w1, r2),
      names.lead(7, 'heartbeat', w1),
      names.lead(7, 'report', dp1),
      '_INBOX_worker-w1.stolen',
    ]);
    await mayNotSubscribe('replica-r1', [names.raftInbox(r2), '_INBOX_replica-r2.>', '$SYS.>', '>']);
    await mayPublish('replica-r1', [
      names.raft(r2, r1),
      names.beacon(r1),
      names.endpoints(r1),
      names.specs(r1),
      names.command(w1, r1),
      names.notice(w1, r1),
      names.query(w1, r1),
    ]);
  });

  it('everyone hears what is meant for them', async () => {
    const [replica, worker, plane] = await Promise.all([
      as('replica-r1'),
      as('worker-w1'),
      as('data-plane-dp1'),
    ]);
    const heard: string[] = [];
    const listen = (user: string, connection: NatsConnection, subject: string): void => {
      connection.subscribe(subject, {
        callback: (_error, message) => void heard.push(`${user} ${message.subject}`),
      });
    };
    listen('worker', worker, names.beacons);
    listen('worker', worker, names.commandInbox(w1));
    for (const subject of [names.beacons, names.allEndpoints, names.allSpecs])
      listen('plane', plane, subject);
    listen('replica', replica, names.leadInbox(7));
    await Promise.all([worker.flush(), plane.flush(), replica.flush()]);
    for (const subject of [names.beacon(r1), names.endpoints(r1), names.specs(r1), names.command(w1, r1)])
      replica.publish(subject);
    worker.publish(names.lead(7, 'heartbeat', w1));
    plane.publish(names.lead(7, 'report', dp1));
    const expected = [
      `plane ${names.beacon(r1)}`,
      `plane ${names.endpoints(r1)}`,
      `plane ${names.specs(r1)}`,
      `replica ${names.lead(7, 'heartbeat', w1)}`,
      `replica ${names.lead(7, 'report', dp1)}`,
      `worker ${names.beacon(r1)}`,
      `worker ${names.command(w1, r1)}`,
    ];
    await until('every message', () => heard.length >= expected.length);
    expect(heard.sort()).toEqual(expected);
  });

  it('a worker answers who asked, and once', async () => {
    const worker = await as('worker-w1');
    const replica = await as('replica-r1');
    const seen: string[] = [];
    void (async (): Promise<void> => {
      for await (const status of worker.status())
        if (status.type === 'error' && status.error instanceof PermissionViolationError)
          seen.push(status.error.subject);
    })();
    let reply = '';
    worker.subscribe(names.queryInbox(w1), {
      callback: (_error, message) => {
        reply = message.reply ?? '';
        message.respond('first');
        message.respond('second');
      },
    });
    await worker.flush();
    const answer = await replica.request(names.query(w1, r1), 'ping', { timeout: 5_000 });
    expect(answer.string()).toBe('first');
    await worker.flush();
    expect(reply).toMatch(/^_INBOX_replica-r1\./);
    await until('the refusal', () => seen.length > 0);
    expect(seen).toEqual([reply]);
  });

  it('who has no password stays outside', async () => {
    const dial = (user: string | undefined, pass: string | undefined): Promise<NatsConnection> =>
      connect({
        servers: `127.0.0.1:${port}`,
        reconnect: false,
        timeout: 5_000,
        ...(user === undefined ? {} : { user }),
        ...(pass === undefined ? {} : { pass }),
      });
    await expect(dial(undefined, undefined)).rejects.toThrow(/authorization/i);
    await expect(dial('replica-r1', 'not-the-password')).rejects.toThrow(/authorization/i);
    await expect(dial('replica-r9', PASSWORD)).rejects.toThrow(/authorization/i);
  });

  it('the system user hears of connections that end, and can publish nothing', async () => {
    await mayNotPublish('system', [names.beacon(r1), names.raft(r1, r2)]);
    const system = await as('system');
    const users: string[] = [];
    system.subscribe('$SYS.ACCOUNT.*.DISCONNECT', {
      callback: (_error, message) => {
        users.push(message.json<{ client: { user: string } }>().client.user);
      },
    });
    await system.flush();
    await (await as('worker-w2')).close();
    await until('the advisory', () => users.includes('worker-w2'));
  });

  it('answers every request that the protocol has, and tells a missing subscriber at once', async () => {
    const [replica, other, worker, plane] = await Promise.all([
      as('replica-r1'),
      as('replica-r2'),
      as('worker-w1'),
      as('data-plane-dp1'),
    ]);
    echo(replica, names.raftInbox(r1));
    echo(replica, names.leadInbox(7));
    echo(worker, names.noticeInbox(w1));
    echo(worker, names.queryInbox(w1));
    echo(other, names.raftInbox(r2));
    await Promise.all([replica.flush(), worker.flush(), other.flush()]);
    const asks: readonly (readonly [NatsConnection, string])[] = [
      [other, names.raft(r1, r2)],
      [replica, names.raft(r2, r1)],
      [plane, names.lead(7, 'lookup', dp1)],
      [plane, names.lead(7, 'demand', dp1)],
      [plane, names.lead(7, 'pull', dp1)],
      [replica, names.notice(w1, r1)],
      [replica, names.query(w1, r1)],
    ];
    for (const [connection, subject] of asks) {
      for (let again = 0; again < 3; again++)
        expect((await connection.request(subject, 'ping', { timeout: 5_000 })).string()).toBe('ping');
    }
    await expect(replica.request(names.notice(w2, r1), '', { timeout: 5_000 })).rejects.toThrow(
      /no responders/i,
    );
    await expect(plane.request(names.lead(8, 'lookup', dp1), '', { timeout: 5_000 })).rejects.toThrow(
      /no responders/i,
    );
  });

  it('the server takes the configuration of every deployment', () => {
    for (const make of [composeSite, kubernetesSite]) {
      const { nats } = siteFiles(make('c1', { dataPlanes: 2, workers: 2 }));
      for (const [id, text] of Object.entries(nats)) {
        const file = join(directory, `${id}.conf`);
        writeFileSync(file, text);
        expect(() => execFileSync(program, ['-t', '-c', file], { stdio: 'pipe' })).not.toThrow();
      }
    }
  });
});
