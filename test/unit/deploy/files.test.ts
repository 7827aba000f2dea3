/** The files of a deployment, read by those who will read them: they must fit each other. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeFiles } from '../../../cluster/deployment/cli.ts';
import { siteFiles, type SiteFiles } from '../../../cluster/deployment/files.ts';
import { composeSite, kubernetesSite } from '../../../cluster/deployment/site.ts';
import { BatonError } from '../../../src/lib/errors.ts';
import { controlPlaneOf, dataPlaneOf, documents, workerOf } from './fixtures.ts';

const size = { dataPlanes: 2, workers: 2 };

/** Secrets that tell which they are. */
function numbered(): () => string {
  let made = 0;
  return () => `secret-number-${String(++made).padStart(4, '0')}`;
}

function usersOf(conf: string): Map<string, string> {
  const found = conf.matchAll(/\{ user: "([^"]+)", password: "([^"]+)"/g);
  return new Map([...found].map((match) => [match[1] ?? '', match[2] ?? '']));
}

describe.each([
  ['compose', composeSite('c1', size)],
  ['Kubernetes', kubernetesSite('c1', size)],
] as const)('%s', (_name, site) => {
  const files: SiteFiles = siteFiles(site, numbered());
  const replicas = Object.values(files.controlPlane).map(controlPlaneOf);
  const planes = Object.values(files.dataPlane).map(dataPlaneOf);
  const workers = Object.values(files.worker).map(workerOf);
  const everyone = [...replicas, ...planes, ...workers];

  it('three replicas that agree on the members', () => {
    expect(replicas).toHaveLength(3);
    for (const replica of replicas) expect(replica.members).toEqual(replicas[0]?.members);
    expect(replicas.map(({ replica }) => replica)).toEqual(replicas[0]?.members.map(({ id }) => id));
    expect(new Set(everyone.map(({ cluster }) => cluster))).toEqual(new Set(['c1']));
  });

  it('each process is where the others look for it', () => {
    const hosts = new Map(site.replicas.map(({ id, host }) => [id, host]));
    for (const { replica, members, grpc, http } of replicas) {
      const self = members.find(({ id }) => id === replica);
      expect(self?.grpc).toBe(`${hosts.get(replica)}:${grpc.port}`);
      expect(self?.http).toBe(`${hosts.get(replica)}:${http.port}`);
    }
    expect(planes.map(({ advertiseHost }) => advertiseHost)).toEqual(site.dataPlanes.map(({ host }) => host));
    expect(workers.map(({ host }) => host)).toEqual(site.workers.map(({ host }) => host));
  });

  it('everyone knows every server, the nearest first', () => {
    for (const [i, replica] of replicas.entries()) {
      const near = site.replicas[i]?.nats.near;
      expect(replica.nats.servers[0]).toBe(`nats://${near}:4222`);
    }
    const all = new Set(site.replicas.map(({ nats }) => `nats://${nats.host}:4222`));
    for (const { nats } of [...planes, ...workers]) expect(new Set(nats.servers)).toEqual(all);
    expect(new Set([...planes, ...workers].slice(0, 2).map(({ nats }) => nats.servers[0])).size).toBe(2);
  });

  it('every server knows everyone by the password that they have, and the other servers', () => {
    const confs = Object.entries(files.nats);
    expect(confs.map(([id]) => id)).toEqual(site.replicas.map(({ nats }) => nats.id));
    for (const [id, conf] of confs) {
      const users = usersOf(conf);
      for (const { nats } of everyone) expect(users.get(nats.user)).toBe(nats.password);
      for (const { nats } of replicas) expect(users.get('system')).toBe(nats.system?.password);
      // The system's user and the routes' beside them.
      expect(users.size).toBe(everyone.length + 2);
      const routes = [...conf.matchAll(/"nats:\/\/route:[^@]+@([^"]+)"/g)].map((match) => match[1]);
      const others = site.replicas.flatMap(({ nats }) => (nats.id === id ? [] : [`${nats.host}:6222`]));
      expect(routes).toEqual(others);
    }
    expect(new Set(everyone.map(({ nats }) => nats.password)).size).toBe(everyone.length);
  });

  it('tokens are shared by those who show and those who ask for them, and by nobody else', () => {
    const tokens = replicas[0]?.tokens;
    for (const replica of replicas) expect(replica.tokens).toEqual(tokens);
    for (const plane of planes) expect(plane.tokens).toEqual({ dataPlane: tokens?.dataPlane });
    for (const worker of workers) expect(worker.tokens).toEqual({ worker: tokens?.worker });
    expect(files.apiToken).toBe(tokens?.api);
    expect(new Set(Object.values(tokens ?? {})).size).toBe(4);
  });
});

describe('the command', () => {
  let root = '';
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'baton-files-'));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const refusal = (argv: readonly string[]): BatonError | undefined => {
    try {
      makeFiles(argv);
    } catch (error) {
      if (error instanceof BatonError) return error;
      throw error;
    }
    return undefined;
  };

  it('writes a folder that only its owner enters', () => {
    const out = join(root, 'a', 'files');
    const made = makeFiles(['compose', '--out', out, '--workers', '3']);
    expect(made.files.sort()).toEqual(readdirSync(out).sort());
    expect(readdirSync(out)).toContain('w3.json');
    expect(statSync(out).mode & 0o777).toBe(0o700);
    // A container's own user reads the file that is mounted alone.
    expect(statSync(join(out, 'r1.json')).mode & 0o777).toBe(0o444);
  });

  it('never touches what is there: fresh secrets would lock a cluster out', () => {
    const out = join(root, 'files');
    makeFiles(['compose', '--out', out]);
    const before = readFileSync(join(out, 'r1.json'), 'utf8');
    expect(refusal(['compose', '--out', out])?.code).toBe('already-exists');
    expect(readFileSync(join(out, 'r1.json'), 'utf8')).toBe(before);
  });

  it('makes fresh secrets, and a fresh name, each time', () => {
    const [one, two] = ['one', 'two'].map((name) => {
      makeFiles(['compose', '--out', join(root, name)]);
      return controlPlaneOf(readFileSync(join(root, name, 'r1.json'), 'utf8'));
    });
    expect(one?.cluster).not.toBe(two?.cluster);
    expect(one?.tokens.replica).not.toBe(two?.tokens.replica);
    expect(one?.nats.password).not.toBe(two?.nats.password);
  });

  it('writes Secrets for Kubernetes', () => {
    const out = join(root, 'k');
    makeFiles(['kubernetes', '--out', out, '--cluster', 'mine']);
    const secrets = documents(readFileSync(join(out, 'secrets.yaml'), 'utf8')) as {
      kind: string;
      metadata: { name: string; namespace: string };
      stringData: Record<string, string>;
    }[];
    expect(secrets.map(({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`)).toEqual(
      ['nats', 'control-plane', 'data-plane', 'worker', 'api-token'].map((name) => `Secret baton/${name}`),
    );
    const replica = controlPlaneOf(secrets[1]?.stringData['control-plane-0.json'] ?? '');
    expect(replica).toMatchObject({ cluster: 'mine', replica: 'control-plane-0' });
    expect(secrets[4]?.stringData['token']).toBe(replica.tokens.api);
  });

  it.each([
    [[], 'LAYOUT'],
    [['swarm'], 'LAYOUT'],
    [['compose', 'kubernetes'], 'LAYOUT'],
    [['compose', '--cluster', 'Not A Label'], '--cluster'],
    [['compose', '--workers', '0'], '--workers'],
    [['compose', '--data-planes', 'many'], '--data-planes'],
  ])('%j is refused before anything is written', (argv, path) => {
    const out = join(root, 'nothing');
    expect(refusal([...argv, '--out', out])?.fields['path']).toBe(path);
    expect(existsSync(out)).toBe(false);
  });
});
