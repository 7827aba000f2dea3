/** deploy/nats.conf filled in: nothing left open, each user as itself only. What a server makes of it: test/integration. */
import { describe, expect, it } from 'vitest';
import {
  natsConfTemplate,
  renderNatsConf,
  type NatsConf,
  type NatsUser,
} from '../../../cluster/nats/render.ts';
import { BatonError } from '../../../src/lib/errors.ts';
import { clusterId, dataPlaneId, replicaId, workerId } from '../../../src/lib/ids.ts';
import { subjects } from '../../../src/wire/subjects.ts';

const user = (id: string): NatsUser => ({ id, password: `password-of-${id}-xyz` });

const conf: NatsConf = {
  cluster: 'c1',
  serverName: 'n1',
  listen: '127.0.0.1:4222',
  systemPassword: 'password-of-system',
  routes: undefined,
  replicas: [user('r1'), user('r2')],
  dataPlanes: [user('dp1')],
  workers: [user('w1'), user('w2')],
};

/** What stands between the line that names the user and the next user. */
function grants(text: string, name: string): { publish: string[]; subscribe: string[]; answers: boolean } {
  const from = text.indexOf(`{ user: "${name}"`);
  expect(from).toBeGreaterThan(-1);
  const block = text.slice(from).split('{ user: ')[1] ?? '';
  const list = (kind: string): string[] => {
    const inner = new RegExp(`${kind}: \\{ allow: \\[([^\\]]*)\\]`).exec(block)?.[1] ?? '';
    return [...inner.matchAll(/"([^"]+)"/g)].map((match) => match[1] ?? '');
  };
  return {
    publish: list('publish'),
    subscribe: list('subscribe'),
    answers: block.includes('allow_responses: { max: 1,'),
  };
}

/** NATS' own rule: `*` is one token, `>` is one or more at the end. */
function covers(pattern: string, subject: string): boolean {
  const [wanted, tokens] = [pattern.split('.'), subject.split('.')];
  const tail = wanted.indexOf('>');
  if (tail !== -1)
    return tokens.length > tail && covers(wanted.slice(0, tail).join('.'), tokens.slice(0, tail).join('.'));
  return wanted.length === tokens.length && wanted.every((token, i) => token === '*' || token === tokens[i]);
}

const names = subjects(clusterId('c1'));
const [r1, r2, w1, w2, dp1] = [
  replicaId('r1'),
  replicaId('r2'),
  workerId('w1'),
  workerId('w2'),
  dataPlaneId('dp1'),
];

describe('one server', () => {
  const text = renderNatsConf(conf);

  it('leaves no placeholder and no block behind, and speaks of no routes', () => {
    const effective = text.split('\n').filter((line) => !line.trimStart().startsWith('#'));
    expect(effective.join('\n')).not.toMatch(/\$\{|<\/?(each|if)/);
    expect(text).not.toContain('cluster {');
    expect(text).toContain('listen: "127.0.0.1:4222"');
  });

  it('uses no option that came after nats-server 2.9', () => {
    const known = [
      'server_name',
      'listen',
      'max_payload',
      'max_pending',
      'write_deadline',
      'ping_interval',
      'ping_max',
    ];
    const options = [...text.matchAll(/^([a-z_]+)\s*[:{]/gm)].map((match) => match[1] ?? '');
    expect(new Set(options)).toEqual(new Set([...known, 'system_account', 'accounts']));
  });

  it('has one user per process, with the password of that process', () => {
    const users = [...text.matchAll(/user: "([^"]+)", password: "([^"]+)"/g)].map((match) => [
      match[1],
      match[2],
    ]);
    expect(users).toEqual([
      ['system', 'password-of-system'],
      ['replica-r1', 'password-of-r1-xyz'],
      ['replica-r2', 'password-of-r2-xyz'],
      ['data-plane-dp1', 'password-of-dp1-xyz'],
      ['worker-w1', 'password-of-w1-xyz'],
      ['worker-w2', 'password-of-w2-xyz'],
    ]);
  });

  const published = {
    'replica-r1': [
      names.raft(r2, r1),
      names.beacon(r1),
      names.endpoints(r1),
      names.specs(r1),
      names.command(w1, r1),
      names.notice(w1, r1),
      names.query(w1, r1),
      '_INBOX_replica-r2.answer',
      '_INBOX_data-plane-dp1.answer',
    ],
    'data-plane-dp1': (['report', 'demand', 'lookup', 'pull'] as const).map((kind) =>
      names.lead(3, kind, dp1),
    ),
    'worker-w1': [names.lead(3, 'heartbeat', w1), names.lead(3, 'change', w1)],
  };
  const everything = [
    ...Object.values(published).flat(),
    names.raft(r1, r2),
    names.beacon(r2),
    names.endpoints(r2),
    names.specs(r2),
    names.command(w1, r2),
    names.lead(3, 'heartbeat', w2),
    names.lead(3, 'change', w2),
    names.lead(3, 'heartbeat', dp1),
    names.lead(3, 'report', w1),
    '_INBOX_worker-w1.answer',
    'baton.other.lead.3.heartbeat.w1',
    '$SYS.REQ.SERVER.PING',
  ];

  it.each(Object.entries(published))('%s may publish exactly what it is the sender of', (name, own) => {
    const { publish } = grants(text, name);
    const allowed = everything.filter((subject) => publish.some((pattern) => covers(pattern, subject)));
    expect(allowed.sort()).toEqual([...own].sort());
    // A pattern that nothing needs is a permission too many.
    const idle = publish.filter((pattern) => !own.some((subject) => covers(pattern, subject)));
    expect(idle).toEqual(name === 'replica-r1' ? ['_INBOX_replica-r1.>'] : []);
  });

  it('each may hear what its role subscribes to, in its own inbox', () => {
    expect(grants(text, 'replica-r2').subscribe).toEqual([
      names.raftInbox(r2),
      'baton.c1.lead.*.*.*',
      '_INBOX_replica-r2.>',
    ]);
    expect(grants(text, 'data-plane-dp1').subscribe).toEqual([
      names.beacons,
      names.allEndpoints,
      names.allSpecs,
      '_INBOX_data-plane-dp1.>',
    ]);
    expect(grants(text, 'worker-w2').subscribe).toEqual([
      names.beacons,
      names.commandInbox(w2),
      names.noticeInbox(w2),
      names.queryInbox(w2),
      '_INBOX_worker-w2.>',
    ]);
  });

  it('a fleet is one user that may speak and hear as each of its workers, by name', () => {
    const fleet = renderNatsConf({ ...conf, workers: [{ ...user('w1'), fleet: ['w1-1', 'w1-2'] }] });
    const [a, b] = [workerId('w1-1'), workerId('w1-2')];
    const { publish, subscribe } = grants(fleet, 'worker-w1');
    expect(publish).toEqual(
      [a, b].flatMap((id) => [`baton.c1.lead.*.heartbeat.${id}`, `baton.c1.lead.*.change.${id}`]),
    );
    expect(subscribe.slice(1, -1)).toEqual(
      [a, b].flatMap((id) => [names.commandInbox(id), names.noticeInbox(id), names.queryInbox(id)]),
    );
  });

  it('only workers answer whoever asked; the others need no such right', () => {
    expect(['replica-r1', 'data-plane-dp1', 'worker-w1'].map((name) => grants(text, name).answers)).toEqual([
      false,
      false,
      true,
    ]);
  });
});

it('several servers: where this one takes routes, and how it reaches the others', () => {
  const password = 'slash/plus+equals=0123';
  const text = renderNatsConf({
    ...conf,
    routes: { listen: '0.0.0.0:6222', password, others: ['n2:6222', 'n3:6222'] },
  });
  expect(text).toContain('listen: "0.0.0.0:6222"');
  expect(text).toContain(`password: "${password}"`);
  const urls = [...text.matchAll(/"(nats:[^"]+)"/g)].map((match) => new URL(match[1] ?? ''));
  expect(urls.map((url) => [url.host, decodeURIComponent(url.password)])).toEqual([
    ['n2:6222', password],
    ['n3:6222', password],
  ]);
});

it('names that look like numbers stay names', () => {
  const text = renderNatsConf({ ...conf, cluster: '123', serverName: '1e5' });
  expect(text).toContain('server_name: "1e5"');
});

describe('a template', () => {
  const failure = (template: string, values: Partial<NatsConf> = {}): unknown => {
    try {
      return renderNatsConf({ ...conf, ...values }, template);
    } catch (error) {
      return error instanceof BatonError ? error.message : error;
    }
  };

  it('may nest blocks: the inner one is repeated in each of the outer', () => {
    const template = '# <each REPLICA>\n${ID}\n# <each ASKER>\n  ${USER}\n# </each>\n# </each>\nend';
    expect(renderNatsConf(conf, template)).toBe(
      ['r1', 'r2'].flatMap((id) => [id, '  replica-r1', '  replica-r2', '  data-plane-dp1']).join('\n') +
        '\nend',
    );
  });

  it.each([
    ['${NOBODY}', 'nats.conf: no value for NOBODY'],
    ['# <each THING>\n# </each>', 'nats.conf: no list THING'],
    ['a\n# <each REPLICA>\n${ID}', 'nats.conf: "# <each REPLICA>" in line 2 is never closed'],
    ['# <if LISTEN>\n# </each>\n# </if>', 'nats.conf: "# <if LISTEN>" in line 1 is never closed'],
  ])('%j is refused', (template, message) => {
    expect(failure(template)).toBe(message);
  });

  it('a value that could leave its quotes is refused', () => {
    expect(failure('"${SYSTEM_PASSWORD}"', { systemPassword: 'x" } ] }' })).toBe(
      'nats.conf: SYSTEM_PASSWORD has characters that cannot stand there',
    );
    expect(failure('"${SYSTEM_PASSWORD}"', { systemPassword: '' })).toContain('SYSTEM_PASSWORD');
  });

  it('comments keep their text, and the one in use explains itself', () => {
    expect(renderNatsConf(conf, '# ${NOBODY} stays')).toBe('# ${NOBODY} stays');
    expect(natsConfTemplate().startsWith('#')).toBe(true);
  });
});
