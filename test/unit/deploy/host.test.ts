/** The container file and the systemd units: they start what there is. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { commands, deployed, filesIn } from './fixtures.ts';

interface Stage {
  readonly name: string | undefined;
  readonly base: string;
  readonly lines: readonly (readonly string[])[];
}

/** Instructions by stage; continued lines are one. */
function stages(text: string): Stage[] {
  const found: { name: string | undefined; base: string; lines: string[][] }[] = [];
  const lines = text
    .replaceAll(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'));
  for (const line of lines) {
    const words = line.trim().split(/\s+/);
    if (words[0] !== 'FROM') found.at(-1)?.lines.push(words);
    else found.push({ base: words[1] ?? '', name: words[2] === 'AS' ? words[3] : undefined, lines: [] });
  }
  return found;
}

const fromRoot = (path: string): string => fileURLToPath(new URL(`../../../${path}`, import.meta.url));

describe('the container file', () => {
  const [build, image, ...more] = stages(deployed('Containerfile'));
  const lines = (stage: Stage | undefined, instruction: string): string[] =>
    (stage?.lines ?? []).filter(([word]) => word === instruction).map((words) => words.slice(1).join(' '));

  it('has two stages on the same base: what builds is not what runs', () => {
    expect(more).toEqual([]);
    expect(build?.name).toBe('build');
    expect(image?.base).toBe(build?.base);
    expect(image?.base).toMatch(/^node:(2[0-9])-/);
  });

  it('copies sources that exist, and everything that it runs comes from the build', () => {
    for (const copied of [...lines(build, 'COPY'), ...lines(image, 'COPY')]) {
      const words = copied.split(' ');
      if (words[0] === '--from=build') continue;
      for (const source of words.slice(0, -1))
        expect({ source, there: existsSync(fromRoot(source)) }).toEqual({ source, there: true });
    }
    const fromBuild = lines(image, 'COPY').filter((line) => line.startsWith('--from=build'));
    expect(fromBuild.map((line) => line.split(' ')[1])).toEqual(
      ['package.json', 'node_modules', 'dist', 'proto'].map((name) => `/src/${name}`),
    );
  });

  it('starts baton, under an init, as a user without rights, on a volume that is the user’s', () => {
    expect(lines(image, 'ENTRYPOINT')).toEqual(['["tini", "--", "baton"]']);
    expect(lines(image, 'USER')).toEqual(['node']);
    expect(lines(image, 'VOLUME')).toEqual(['/var/lib/baton']);
    expect(lines(image, 'RUN').join('\n')).toContain('install -d -o node -g node /var/lib/baton');
  });
});

describe('systemd', () => {
  const units = filesIn('systemd', '.service');
  const known = commands();

  it('has a unit for each process of a cluster', () => {
    expect(units.sort()).toEqual([
      'baton-control-plane.service',
      'baton-data-plane.service',
      'baton-worker.service',
    ]);
  });

  it.each(units)('%s starts a command that exists, again when it ends, and without rights', (unit) => {
    const settings = new Map<string, string>();
    for (const line of deployed(`systemd/${unit}`).split('\n')) {
      const [, key, value] = /^([A-Za-z]+)=(.*)$/.exec(line) ?? [];
      if (key !== undefined) settings.set(key, value ?? '');
    }
    const role = unit.slice('baton-'.length, -'.service'.length);
    const [program, command, flag, config] = (settings.get('ExecStart') ?? '').split(' ');
    expect([program, command, flag]).toEqual(['/usr/local/bin/baton', role, '--config']);
    expect(config).toBe(`/etc/baton/${role}.yaml`);
    expect(known).toContain(role);
    expect(settings.get('Restart')).toBe('always');
    expect(settings.get('User')).toBe('baton');
    expect(settings.get('NoNewPrivileges')).toBe('yes');
    expect(settings.get('ReadWritePaths')).toBe('/var/lib/baton');
  });
});
