/** Configuration files: what is wrong is named by its key, in one line, before anything starts. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadControlPlaneFile } from '../../../src/config/control-plane.ts';
import { loadDataPlaneFile } from '../../../src/config/data-plane.ts';
import { fleetIds, loadWorkerFile } from '../../../src/config/worker.ts';

const directory = mkdtempSync(join(tmpdir(), 'baton-config-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const SECRET = 'a-secret-of-some-length';
const loopback = { host: '127.0.0.1', port: 7100 };
const nats = { servers: ['nats://127.0.0.1:4222'], user: 'u', password: SECRET };
const member = (n: number): object => ({ id: `r${n}`, grpc: `10.0.0.${n}:7100`, http: `10.0.0.${n}:7101` });

const controlPlane = {
  cluster: 'prod',
  replica: 'r1',
  dataDir: 'data',
  members: [member(1), member(2), member(3)],
  nats,
  grpc: loopback,
  http: { ...loopback, port: 7101 },
  tokens: { replica: SECRET, worker: SECRET, dataPlane: SECRET },
};
const dataPlane = {
  cluster: 'prod',
  dataPlane: 'dp1',
  stateDir: 'state',
  nats,
  caller: loopback,
  peer: { ...loopback, port: 7101 },
  tokens: { dataPlane: SECRET },
};
const worker = { cluster: 'prod', worker: 'w1', stateDir: 'state', nats, tokens: { worker: SECRET } };

function file(content: unknown): string {
  const path = join(directory, 'file.json');
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

describe('a control plane’s file', () => {
  it('is filled up with defaults and read relative to itself', () => {
    const loaded = loadControlPlaneFile(file(controlPlane));
    expect(loaded.dataDir).toBe(join(directory, 'data'));
    expect(loaded.raft).toEqual({
      electionTimeoutMs: 300,
      heartbeatMs: 50,
      probeMs: 25,
      hints: ['advisory', 'probe'],
    });
    expect(loaded.tokens.api).toBeUndefined();
    expect(Object.isFrozen(loaded.members[0])).toBe(true);
  });

  it('says where functions start that choose nothing', () => {
    expect(loadControlPlaneFile(file(controlPlane)).placement).toBe('least-allocated');
    const packing = { ...controlPlane, placement: 'bin-packing' };
    expect(loadControlPlaneFile(file(packing)).placement).toBe('bin-packing');
    expect(() => loadControlPlaneFile(file({ ...packing, placement: 'tetris' }))).toThrow(
      'placement: not an allowed value',
    );
  });

  it.each([
    ['an unknown key', { ...controlPlane, colour: 'red' }, 'colour: unknown key'],
    ['a missing key', { ...controlPlane, members: undefined }, 'members: missing'],
    ['a name that is none', { ...controlPlane, cluster: 'Prod!' }, 'cluster: not a valid name'],
    [
      'an even number of replicas',
      { ...controlPlane, members: [member(1), member(2)] },
      'members: 2 replicas',
    ],
    [
      'a replica that is no member',
      { ...controlPlane, replica: 'r9' },
      'replica: r9 is not among the members',
    ],
    [
      'an address twice',
      { ...controlPlane, members: [member(1), { ...member(1), id: 'r2' }, member(3)] },
      'members[1].grpc',
    ],
    [
      'an address that is none',
      { ...controlPlane, members: [{ ...member(1), grpc: 'here' }, member(2), member(3)] },
      'members[0].grpc: not an address',
    ],
    [
      'a secret that is none',
      { ...controlPlane, nats: { ...nats, password: 'short' } },
      'nats.password: not a usable secret',
    ],
    [
      'heartbeats that are too slow',
      { ...controlPlane, raft: { heartbeatMs: 200 } },
      'raft.heartbeatMs: too slow',
    ],
    [
      'a suspicion that is too short',
      { ...controlPlane, leader: { suspicionMs: 1_000 } },
      'leader.suspicionMs: too short',
    ],
  ])('names %s', (_what, content, message) => {
    expect(() => loadControlPlaneFile(file(content))).toThrow(message);
  });

  it('demands a token where others can reach the API', () => {
    const open = { ...controlPlane, http: { host: '0.0.0.0', port: 7101 } };
    expect(() => loadControlPlaneFile(file(open))).toThrow(
      'tokens.api: missing, while http listens on 0.0.0.0',
    );
    const guarded = { ...open, tokens: { ...controlPlane.tokens, api: SECRET } };
    expect(loadControlPlaneFile(file(guarded)).tokens.api).toBe(SECRET);
  });

  it('names a file that is not there, and one that is neither JSON nor YAML', () => {
    expect(() => loadControlPlaneFile(join(directory, 'nothing.json'))).toThrow('cannot read');
    expect(() => loadControlPlaneFile(file('{ "cluster": '))).toThrow('neither JSON nor YAML');
    expect(() => loadControlPlaneFile(file('a: 1\na: 2\n'))).toThrow(/line 2.*neither JSON nor YAML/);
  });
});

describe('a data plane’s file', () => {
  it('is filled up with defaults', () => {
    expect(loadDataPlaneFile(file(dataPlane))).toMatchObject({
      domain: 'baton.localhost',
      lookupTimeoutMs: 10_000,
      sandboxIdleMs: 30_000,
    });
  });

  it('gives each listener an address of its own', () => {
    expect(() => loadDataPlaneFile(file({ ...dataPlane, peer: loopback }))).toThrow(
      'peer.port: is the port of caller too',
    );
  });
});

describe('a worker’s file', () => {
  it('has labels, and the command line has others or more', () => {
    const labelled = file({ ...worker, labels: { zone: 'a', disk: 'hdd' } });
    expect(loadWorkerFile(labelled, ['disk=ssd', 'gpu=']).labels).toEqual([
      { name: 'disk', value: 'ssd' },
      { name: 'gpu', value: '' },
      { name: 'zone', value: 'a' },
    ]);
    expect(() => loadWorkerFile(labelled, ['disk'])).toThrow('--label: "disk" is not a label');
    expect(() => loadWorkerFile(labelled, ['disk=a b'])).toThrow('--label: disk: not the value of a label');
  });

  it('takes this machine for its capacity', () => {
    const { capacity, runtime, stemCells } = loadWorkerFile(file(worker));
    expect([runtime, stemCells]).toEqual(['process', 2]);
    expect(capacity.cpuMillis).toBeGreaterThanOrEqual(1_000);
  });

  it('runs more than one worker in a process only where nothing real runs', () => {
    const fleet = { ...worker, fleet: 3 };
    expect(() => loadWorkerFile(file(fleet))).toThrow('fleet: only with the simulated runtime');
    expect(loadWorkerFile(file({ ...fleet, runtime: 'simulated' })).fleet).toBe(3);
    expect(() => loadWorkerFile(file({ ...fleet, runtime: 'simulated', fleet: 1_000_000 }))).toThrow('fleet');
    expect(fleetIds('w1', 3)).toEqual(['w1-1', 'w1-2', 'w1-3']);
  });

  it.each([
    [{ runtime: 'docker' }, 'runtime: not an allowed value'],
    [{ ports: { from: 30_000, to: 20_000 } }, 'ports: not a range of ports'],
    [{ capacity: { sandboxes: 1_000_000 } }, 'capacity.sandboxes'],
    [{ listenHost: '10.0.0.7' }, 'listenHost: only with host'],
    [{ labels: { '-disk': 'ssd' } }, 'labels.-disk'],
    [{ labels: { disk: 'a b' } }, 'labels.disk: not the value of a label'],
  ])('refuses %j', (keys, message) => {
    expect(() => loadWorkerFile(file({ ...worker, ...keys }))).toThrow(message);
  });
});
