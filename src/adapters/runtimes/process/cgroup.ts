/** A cgroup below this process' own, so that the limits of its service hold for sandboxes too. v2's tree, or v1's pids. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';

/** Undefined where none can be made, for lack of the right or of a tree. */
export function makeCgroup(name: string): string | undefined {
  for (const parent of parents()) {
    const folder = join(parent, name);
    try {
      mkdirSync(folder);
    } catch {
      continue;
    }
    return folder;
  }
  return undefined;
}

export function cgroupsLike(prefix: string): { readonly folder: string; readonly name: string }[] {
  return parents().flatMap((parent) => {
    try {
      return readdirSync(parent)
        .filter((name) => name.startsWith(prefix))
        .map((name) => ({ folder: join(parent, name), name }));
    } catch {
      return [];
    }
  });
}

export function cgroupMembers(folder: string): number[] {
  try {
    return readFileSync(join(folder, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** Only an empty one goes. */
export function removeCgroup(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Somebody is still dying in it; the next life tries again.
  }
}

function parents(): string[] {
  let lines: string[];
  try {
    lines = readFileSync('/proc/self/cgroup', 'utf8').split('\n');
  } catch {
    return [];
  }
  const found: string[] = [];
  for (const line of lines) {
    const [hierarchy, controllers = '', path = ''] = line.split(':', 3);
    const roots =
      hierarchy === '0'
        ? ['/sys/fs/cgroup/unified', '/sys/fs/cgroup']
        : controllers.split(',').includes('pids')
          ? ['/sys/fs/cgroup/pids']
          : [];
    for (const root of roots) {
      // Inside a container the path may be the host's: then what is mounted is our own.
      const folder = existsSync(join(root, path, 'cgroup.procs')) ? join(root, path) : root;
      if (existsSync(join(folder, 'cgroup.procs'))) found.push(folder);
    }
  }
  return found;
}
