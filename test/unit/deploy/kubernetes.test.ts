/** deploy/kubernetes: the manifests fit each other, the generated secrets and the program. */
import { describe, expect, it } from 'vitest';
import { kubernetesFiles, siteFiles } from '../../../cluster/deployment/files.ts';
import { kubernetesSite, PORTS, SANDBOX_PORTS } from '../../../cluster/deployment/site.ts';
import { commands, controlPlaneOf, dataPlaneOf, deployed, documents, filesIn, workerOf } from './fixtures.ts';

interface Container {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly restartPolicy?: string;
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly readinessProbe?: { readonly httpGet: { readonly path: string; readonly port: string } };
  readonly livenessProbe?: object;
  readonly securityContext: object;
  readonly volumeMounts: readonly {
    readonly name: string;
    readonly mountPath: string;
    readonly subPath?: string;
    readonly subPathExpr?: string;
  }[];
}

interface PodSpec {
  readonly automountServiceAccountToken: boolean;
  readonly affinity: {
    readonly podAntiAffinity: {
      readonly requiredDuringSchedulingIgnoredDuringExecution?: readonly {
        readonly topologyKey: string;
        readonly labelSelector: { readonly matchLabels: Labels };
      }[];
    };
  };
  readonly securityContext: { readonly runAsNonRoot: boolean };
  readonly initContainers?: readonly Container[];
  readonly containers: readonly Container[];
  readonly volumes: readonly {
    readonly name: string;
    readonly secret?: { readonly secretName: string };
    readonly persistentVolumeClaim?: { readonly claimName: string };
  }[];
}

type Labels = Readonly<Record<string, string>>;

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Labels };
  readonly stringData: Labels;
  readonly spec: {
    readonly clusterIP?: string;
    readonly publishNotReadyAddresses?: boolean;
    readonly serviceName: string;
    readonly replicas: number;
    readonly podManagementPolicy: string;
    readonly backoffLimit: number;
    readonly maxUnavailable: number;
    readonly selector: Labels & { readonly matchLabels: Labels };
    readonly ports?: readonly {
      readonly name: string;
      readonly port: number;
      readonly targetPort?: string;
    }[];
    readonly template: { readonly metadata: { readonly labels: Labels }; readonly spec: PodSpec };
    readonly volumeClaimTemplates: readonly {
      readonly metadata: { readonly name: string };
      readonly spec: object;
    }[];
    readonly podSelector: { readonly matchLabels?: Labels };
    readonly ingress?: readonly {
      readonly from?: readonly { readonly podSelector: { readonly matchLabels: Labels } }[];
      readonly ports: readonly { readonly port: number; readonly endPort?: number }[];
    }[];
  };
}

const read = (folder: string): Manifest[] =>
  filesIn(folder, '.yaml').flatMap((name) => documents(deployed(`${folder}/${name}`))) as Manifest[];

const cluster = read('kubernetes');
const bootstrap = read('kubernetes/bootstrap');
const site = kubernetesSite('c1', { dataPlanes: 2, workers: 2 });
const secrets = documents(kubernetesFiles(siteFiles(site))['secrets.yaml'] ?? '') as Manifest[];
const secretData = new Map(secrets.map(({ metadata, stringData }) => [metadata.name, stringData]));

const ofKind = (kind: string, list: readonly Manifest[] = cluster): Manifest[] =>
  list.filter((manifest) => manifest.kind === kind);
const named = (kind: string, name: string): Manifest => {
  const found = ofKind(kind).find(({ metadata }) => metadata.name === name);
  if (found === undefined) throw new Error(`no ${kind} ${name}`);
  return found;
};
const sets = ofKind('StatefulSet');
const podsOf = ({ metadata, spec }: Manifest): string[] =>
  Array.from({ length: spec.replicas }, (_, i) => `${metadata.name}-${i}`);
const containersOf = ({ spec }: Manifest): readonly Container[] => [
  ...(spec.template.spec.initContainers ?? []),
  ...spec.template.spec.containers,
];

/** What a pod of this name finds at the path: the text of the Secret's key that its mount picks. */
function mounted(manifest: Manifest, container: Container, path: string, pod: string): string {
  const mount = container.volumeMounts.find(({ mountPath }) => mountPath === path);
  const volume = manifest.spec.template.spec.volumes.find(({ name }) => name === mount?.name);
  const key = mount?.subPath ?? mount?.subPathExpr?.replace('$(POD_NAME)', pod) ?? '';
  const text = secretData.get(volume?.secret?.secretName ?? '')?.[key];
  if (text === undefined) throw new Error(`${pod} finds nothing at ${path}`);
  return text;
}

const argument = (container: Container, flag: string): string => {
  const words = [...(container.command ?? []), ...(container.args ?? [])];
  return words[words.indexOf(flag) + 1] ?? '';
};

describe('Kubernetes', () => {
  it('everything is in one namespace, and nothing is there twice', () => {
    const all = [...cluster, ...bootstrap, ...secrets].filter(({ kind }) => kind !== 'Namespace');
    expect(new Set(all.map(({ metadata }) => metadata.namespace))).toEqual(new Set(['baton']));
    const keys = all.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    expect(new Set(keys).size).toBe(keys.length);
    expect(ofKind('Namespace').map(({ metadata }) => metadata.name)).toEqual(['baton']);
  });

  it('has three replicas, two data planes and workers: the pods that the secrets know', () => {
    expect(sets.map(podsOf)).toEqual([
      site.replicas.map(({ id }) => id),
      site.dataPlanes.map(({ id }) => id),
      site.workers.map(({ id }) => id),
    ]);
    expect(named('StatefulSet', 'control-plane').spec.replicas).toBe(3);
  });

  it('no two replicas, and no two data planes, share a node', () => {
    for (const name of ['control-plane', 'data-plane']) {
      const { template } = named('StatefulSet', name).spec;
      const [rule] =
        template.spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution ?? [];
      expect(rule?.topologyKey).toBe('kubernetes.io/hostname');
      expect(rule?.labelSelector.matchLabels).toEqual(template.metadata.labels);
    }
  });

  it('replicas start together: one alone would wait for a quorum that never comes', () => {
    expect(named('StatefulSet', 'control-plane').spec.podManagementPolicy).toBe('Parallel');
    expect(named('Service', 'control-plane').spec.publishNotReadyAddresses).toBe(true);
  });

  it('the names that processes call are those of headless services', () => {
    for (const set of sets) {
      const service = named('Service', set.spec.serviceName);
      expect(service.spec.clusterIP).toBe('None');
      expect(service.spec.selector).toEqual(set.spec.template.metadata.labels);
    }
    const hosts = [...site.replicas, ...site.dataPlanes, ...site.workers].map(({ id, host }) => [id, host]);
    expect(hosts).toEqual(
      sets.flatMap((set) => podsOf(set).map((pod) => [pod, `${pod}.${set.spec.serviceName}`])),
    );
  });

  it('selectors select, and budgets let one go at a time', () => {
    for (const { spec } of sets) expect(spec.selector.matchLabels).toEqual(spec.template.metadata.labels);
    const budgets = ofKind('PodDisruptionBudget');
    expect(budgets.map(({ metadata }) => metadata.name)).toEqual(sets.map(({ metadata }) => metadata.name));
    for (const [i, { spec }] of budgets.entries()) {
      expect(spec.maxUnavailable).toBe(1);
      expect(spec.selector.matchLabels).toEqual(sets[i]?.spec.selector.matchLabels);
    }
  });

  it('each pod finds its own configuration at the path that its command names', () => {
    const id = {
      'control-plane': (text: string) => controlPlaneOf(text).replica,
      'data-plane': (text: string) => dataPlaneOf(text).dataPlane,
      worker: (text: string) => workerOf(text).worker,
    };
    const known = commands();
    for (const set of sets) {
      const role = set.metadata.name as keyof typeof id;
      const [container] = set.spec.template.spec.containers;
      if (container === undefined) throw new Error('no container');
      expect(container.args?.[0]).toBe(role);
      expect(known).toContain(role);
      for (const pod of podsOf(set))
        expect(id[role](mounted(set, container, argument(container, '--config'), pod))).toBe(pod);
    }
  });

  it('beside each replica a NATS server, that starts before it and ends after it', () => {
    const set = named('StatefulSet', 'control-plane');
    const [nats] = set.spec.template.spec.initContainers ?? [];
    if (nats === undefined) throw new Error('no NATS server');
    expect(nats.restartPolicy).toBe('Always');
    expect(nats.command?.[0]).toBe('nats-server');
    for (const pod of podsOf(set))
      expect(mounted(set, nats, argument(nats, '--config'), pod)).toContain(`server_name: "${pod}"`);
  });

  it('ports: what is configured is exposed, served and allowed', () => {
    const port = (set: string, name: string): number | undefined =>
      containersOf(named('StatefulSet', set))
        .flatMap(({ ports = [] }) => ports)
        .find((candidate) => candidate.name === name)?.containerPort;
    for (const name of ['nats', 'route', 'grpc', 'http'] as const) {
      expect(port('control-plane', name)).toBe(PORTS[name]);
      const { ports = [] } = named('Service', 'control-plane').spec;
      expect(ports.find((candidate) => candidate.name === name)?.port).toBe(PORTS[name]);
    }
    for (const name of ['caller', 'peer'] as const) expect(port('data-plane', name)).toBe(PORTS[name]);
    for (const [service, set] of [
      ['api', 'control-plane'],
      ['functions', 'data-plane'],
    ] as const)
      for (const { targetPort } of named('Service', service).spec.ports ?? [])
        expect(port(set, targetPort ?? '')).toBeDefined();
    const [toWorkers] = named('NetworkPolicy', 'worker').spec.ingress ?? [];
    expect(toWorkers?.ports).toEqual([{ port: SANDBOX_PORTS.from, endPort: SANDBOX_PORTS.to }]);
    const probes = sets.flatMap((set) =>
      containersOf(set).flatMap(({ readinessProbe }) =>
        readinessProbe === undefined
          ? []
          : [[readinessProbe.httpGet.path, port(set.metadata.name, readinessProbe.httpGet.port)]],
      ),
    );
    expect(probes).toEqual([
      ['/readyz', PORTS.http],
      ['/readyz', PORTS.caller],
    ]);
  });

  it('nobody hears what is not for him: the default is silence, and the bus is for baton alone', () => {
    const silence = named('NetworkPolicy', 'nobody').spec;
    expect(silence.podSelector).toEqual({});
    expect(silence.ingress).toBeUndefined();
    const allowed = (to: string, port: number): string[] =>
      (named('NetworkPolicy', to).spec.ingress ?? [])
        .filter(({ ports }) =>
          ports.some((range) => port >= range.port && port <= (range.endPort ?? range.port)),
        )
        .flatMap(({ from }) =>
          from === undefined
            ? ['anyone']
            : from.map(({ podSelector }) => podSelector.matchLabels['app.kubernetes.io/component'] ?? ''),
        );
    expect(allowed('control-plane', PORTS.nats)).toEqual(['control-plane', 'data-plane', 'worker']);
    expect(allowed('control-plane', PORTS.route)).toEqual(['control-plane']);
    expect(allowed('control-plane', PORTS.grpc)).toEqual(['control-plane']);
    expect(allowed('control-plane', PORTS.http)).toEqual(['control-plane', 'worker']);
    expect(allowed('data-plane', PORTS.caller)).toEqual(['anyone']);
    expect(allowed('data-plane', PORTS.peer)).toEqual(['data-plane']);
    expect(allowed('worker', 25_000)).toEqual(['data-plane']);
  });

  it('bootstrap: one job per replica, on the claim that the replica will use, at most once', () => {
    const set = named('StatefulSet', 'control-plane');
    const [template] = set.spec.volumeClaimTemplates;
    const jobs = ofKind('Job', bootstrap);
    expect(jobs).toHaveLength(set.spec.replicas);
    for (const [i, pod] of podsOf(set).entries()) {
      const job = jobs[i];
      const [container] = job?.spec.template.spec.containers ?? [];
      if (job === undefined || container === undefined) throw new Error(`no job for ${pod}`);
      expect(container.args?.slice(0, 3)).toEqual(['bootstrap', '--replica', pod]);
      const config = controlPlaneOf(mounted(job, container, argument(container, '--config'), ''));
      expect(config.replica).toBe(pod);
      const claim = `${template?.metadata.name}-${pod}`;
      expect(
        job.spec.template.spec.volumes.map((volume) => volume.persistentVolumeClaim?.claimName),
      ).toContain(claim);
      expect(ofKind('PersistentVolumeClaim', bootstrap)[i]).toMatchObject({
        metadata: { name: claim },
        spec: template?.spec,
      });
      expect(job.spec.backoffLimit).toBe(0);
      expect(container.volumeMounts.map(({ mountPath }) => mountPath)).toContain(config.dataDir);
    }
    // Applied with everything else they would run again, and again.
    expect(ofKind('Job')).toEqual([]);
  });

  it('state is kept where the configuration says', () => {
    for (const set of sets) {
      const [claim] = set.spec.volumeClaimTemplates;
      const [container] = set.spec.template.spec.containers;
      const mount = container?.volumeMounts.find(({ name }) => name === claim?.metadata.name);
      expect(mount?.mountPath).toBe('/var/lib/baton');
    }
  });

  it('no container may more than it must', () => {
    for (const manifest of [...sets, ...ofKind('Job', bootstrap)]) {
      const pod = manifest.spec.template.spec;
      expect(pod.automountServiceAccountToken).toBe(false);
      expect(pod.securityContext).toMatchObject({
        runAsNonRoot: true,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      for (const { securityContext } of containersOf(manifest))
        expect(securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
    }
  });
});
