/** Who may import whom (ARCHITECTURE.md, "Layers"). A planted violation in test/unit/house proves that this bites. */

const rule = (name, from, allowed, comment) => ({
  name,
  comment,
  severity: 'error',
  from: { path: from },
  to: { path: '^(src|cluster|chaos|test|bench)/', pathNot: [from, ...allowed] },
});

const lib = '^src/lib/';
const core = '^src/core/';
const wire = '^src/wire/';
const ports = '^src/ports/';
const config = '^src/config/';
const api = '^src/api/';
const cluster = '^cluster/';
const roles = ['^src/control-plane/', '^src/data-plane/', '^src/worker/'];

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    rule('lib-imports-nothing', lib, [], 'lib has no domain'),
    rule('core-is-pure', core, [lib], 'decisions know no port, no wire, no role'),
    {
      name: 'core-has-no-runtime',
      severity: 'error',
      from: { path: [lib, core] },
      to: { dependencyTypes: ['core', 'npm', 'npm-dev'] },
    },
    rule('wire-speaks-core', wire, [core, lib], 'codecs convert between bytes and core types'),
    rule('ports-are-interfaces', ports, [core, lib], 'a port mentions core types and nothing else'),
    ...roles.map((role) =>
      rule(
        `${role.slice(5, -1)}-knows-no-adapter`,
        role,
        [core, lib, wire, ports, ...(role.includes('control') ? [api] : [])],
        'the same role code runs in production and in the simulator',
      ),
    ),
    rule(
      'api-is-a-service-layer',
      api,
      [core, lib, wire, ports],
      'it sees the control plane through its backend',
    ),
    rule('adapters-implement-ports', '^src/adapters/', [core, lib, wire, ports], 'and know no role'),
    rule('config-stands-alone', config, [lib], 'schemas of files'),
    rule(
      'cli-is-a-client',
      '^src/cli/',
      [`${api}client`, `${api}spec`, lib, config, cluster],
      'it talks to the API',
    ),
    {
      name: 'only-cli-imports-cluster',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/cli/'] },
      to: { path: cluster },
    },
    rule('cluster-spawns', cluster, [lib, config], 'it runs processes and imports none of their code'),
    rule(
      'chaos-is-an-outsider',
      '^chaos/',
      [cluster, `${api}client`, lib, config],
      'it sees what a user sees',
    ),
    {
      name: 'nothing-imports-tests',
      severity: 'error',
      from: { path: '^(src|cluster|chaos)/' },
      to: { path: '^(test|bench)/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    parser: 'swc',
    enhancedResolveOptions: { extensions: ['.ts', '.js', '.json'], exportsFields: ['exports'] },
  },
};
