/** deploy/compose.yaml: what it names exists, and the parts stand where the generated files say. */
import { describe, expect, it } from 'vitest';
import { composeFiles, siteFiles } from '../../../cluster/deployment/files.ts';
import { composeSite } from '../../../cluster/deployment/site.ts';
import { controlPlaneOf, dataPlaneOf, deployed, documents, flagsOf, workerOf } from './fixtures.ts';

interface Service {
  readonly image: string;
  readonly command: readonly string[];
  readonly profiles?: readonly string[];
  readonly restart: string;
  readonly depends_on?: readonly string[];
  readonly secrets: readonly { readonly source: string; readonly target: string }[];
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly read_only: boolean;
  readonly cap_drop: readonly string[];
  readonly healthcheck?: { readonly test: readonly string[] };
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, null>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
}

const [compose] = documents(deployed('compose.yaml')) as [Compose];
const { services } = compose;
const site = composeSite('c1', { dataPlanes: 2, workers: 2 });
const made = siteFiles(site);
const files = composeFiles(made);

const ofRole = (role: string): [string, Service][] =>
  Object.entries(services).filter(([, service]) => service.command[0] === role);
const configOf = (service: Service): string => {
  const [secret] = service.secrets;
  const file = compose.secrets[secret?.source ?? '']?.file ?? '';
  return files[file.slice(file.lastIndexOf('/') + 1)] ?? '';
};

describe('compose', () => {
  it('has the processes of the site, each under the name that the others call', () => {
    const { replicas, dataPlanes, workers } = site;
    expect(ofRole('nats-server').map(([name]) => name)).toEqual(replicas.map(({ nats }) => nats.host));
    expect(ofRole('control-plane').map(([name]) => name)).toEqual(replicas.map(({ host }) => host));
    expect(ofRole('data-plane').map(([name]) => name)).toEqual(dataPlanes.map(({ host }) => host));
    expect(ofRole('worker').map(([name]) => name)).toEqual(workers.map(({ host }) => host));
  });

  it('runs commands that exist, on the configuration that is mounted', () => {
    for (const role of ['control-plane', 'data-plane', 'worker', 'bootstrap']) {
      const known = flagsOf(role);
      expect(ofRole(role).length).toBeGreaterThan(1);
      for (const [, { command, secrets }] of ofRole(role)) {
        expect(known).toEqual(expect.arrayContaining(command.filter((part) => part.startsWith('--'))));
        expect(command[command.indexOf('--config') + 1]).toBe(secrets[0]?.target);
      }
    }
    for (const [, { command, secrets }] of ofRole('nats-server'))
      expect(command).toEqual(['nats-server', '--config', secrets[0]?.target]);
  });

  it('mounts to each process its own file, and no other', () => {
    for (const [name, service] of ofRole('control-plane')) {
      expect(controlPlaneOf(configOf(service)).replica).toBe(name);
      expect(service.secrets).toHaveLength(1);
    }
    for (const [name, service] of ofRole('data-plane'))
      expect(dataPlaneOf(configOf(service)).dataPlane).toBe(name);
    for (const [name, service] of ofRole('worker')) expect(workerOf(configOf(service)).worker).toBe(name);
    for (const [name, service] of ofRole('nats-server'))
      expect(configOf(service)).toContain(`server_name: "${name}"`);
  });

  it('names no secret and no volume that is not there, and leaves none unused', () => {
    const all = Object.values(services);
    const secrets = all.flatMap((service) => service.secrets.map(({ source }) => source));
    expect(new Set(secrets)).toEqual(new Set(Object.keys(compose.secrets)));
    const volumes = all.flatMap((service) => (service.volumes ?? []).map((text) => text.split(':')[0]));
    expect(new Set(volumes)).toEqual(new Set(Object.keys(compose.volumes)));
    const mounted = Object.values(compose.secrets).map(({ file }) => file.slice(file.lastIndexOf('/') + 1));
    expect(mounted.sort()).toEqual(
      Object.keys(files)
        .filter((name) => name !== 'api-token')
        .sort(),
    );
  });

  it('keeps state where the configuration says, apart from each other', () => {
    for (const role of ['control-plane', 'data-plane', 'worker'])
      for (const [name, service] of ofRole(role)) expect(service.volumes).toEqual([`${name}:/var/lib/baton`]);
  });

  it('bootstraps each replica in its own volume, and only when asked', () => {
    const jobs = ofRole('bootstrap');
    expect(jobs.map(([name]) => name)).toEqual(['bootstrap-r1', 'bootstrap-r2', 'bootstrap-r3']);
    for (const [name, job] of jobs) {
      const replica = name.slice('bootstrap-'.length);
      expect(job.command[job.command.indexOf('--replica') + 1]).toBe(replica);
      expect(job.profiles).toEqual(['bootstrap']);
      expect(job.restart).toBe('no');
      expect(job.volumes).toEqual(services[replica]?.volumes);
      expect(job.secrets).toEqual(services[replica]?.secrets);
    }
  });

  it('starts each replica after the server beside it', () => {
    for (const [name, service] of ofRole('control-plane')) {
      const beside = site.replicas.find(({ id }) => id === name)?.nats.host;
      expect(service.depends_on).toEqual([beside]);
    }
  });

  it('publishes on loopback only, ports that somebody listens on', () => {
    const published = Object.entries(services).flatMap(([name, { ports = [] }]) =>
      ports.map((text) => ({ name, parts: text.split(':') })),
    );
    expect(new Set(published.map(({ parts }) => parts[1])).size).toBe(published.length);
    for (const { name, parts } of published) {
      expect(parts[0]).toBe('127.0.0.1');
      expect(name.startsWith('dp') ? ['8080'] : ['7100', '7200']).toContain(parts[2]);
    }
  });

  it('asks for health where the process answers', () => {
    const port = { 'control-plane': 7200, 'data-plane': 8080 };
    for (const role of ['control-plane', 'data-plane'] as const)
      for (const [, { healthcheck }] of ofRole(role))
        expect(healthcheck?.test.join(' ')).toContain(`http://127.0.0.1:${port[role]}/readyz`);
  });

  it('gives no container more than it needs', () => {
    for (const service of Object.values(services))
      expect(service).toMatchObject({ read_only: true, cap_drop: ['ALL'] });
  });
});
