/** The scripts of `baton completion`, in the shells themselves, as far as this machine has them. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bashScript } from '../../../src/cli/completion/bash.ts';
import { fishScript } from '../../../src/cli/completion/fish.ts';
import { modelOf, type Model, type Shell } from '../../../src/cli/completion/model.ts';
import { zshScript } from '../../../src/cli/completion/zsh.ts';
import { makeProgram } from '../../../src/cli/program.ts';
import { EVENT_KINDS } from '../../../src/core/leader/event-kinds.ts';

const program: Command = makeProgram({
  terminal: { out: () => undefined, err: () => undefined, isInteractive: false },
  version: '0',
  self: [],
  addProcessCommands: () => undefined,
});
const model: Model = modelOf(program);
const isThere = (shell: Shell): boolean => spawnSync(shell, ['-c', 'exit 0']).status === 0;

let folder: string;

/** Answers for a cluster, says how it was asked, and fails loudly for what nobody knows. */
const FAKE = `#!/bin/sh
[ "$1" = complete-names ] || exit 9
echo "$*" >> "$ASKED"
case "$2" in
  functions) printf '%s\\n' hello help py ;;
  workers) printf '%s\\n' w1 w2 ;;
  processes) printf '%s\\n' n1 r1 w1 ;;
  *) echo 'baton: no cluster in ./.baton' >&2; exit 1 ;;
esac
`;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'baton-completion-'));
  mkdirSync(join(folder, 'bin'));
  mkdirSync(join(folder, 'files', 'my functions'), { recursive: true });
  writeFileSync(join(folder, 'files', 'hello world.ts'), '');
  writeFileSync(join(folder, 'bin', 'baton'), FAKE);
  chmodSync(join(folder, 'bin', 'baton'), 0o755);
  writeFileSync(join(folder, 'script.bash'), bashScript(model));
  writeFileSync(join(folder, 'script.zsh'), zshScript(model));
  writeFileSync(join(folder, 'script.fish'), fishScript(model));
});
afterAll(() => rmSync(folder, { recursive: true }));

function runShell(shell: Shell, args: readonly string[]): readonly string[] {
  const { stdout, stderr, status } = spawnSync(shell, args, {
    cwd: join(folder, 'files'),
    encoding: 'utf8',
    env: {
      ...process.env,
      PATH: `${join(folder, 'bin')}:${process.env['PATH'] ?? ''}`,
      ASKED: join(folder, 'asked'),
      HOME: folder,
    },
  });
  expect([stderr, status]).toEqual(['', 0]);
  return stdout.split('\n').filter((line) => line !== '');
}

/** What bash offers behind these words, the last of which is being typed. */
function bash(...words: string[]): readonly string[] {
  const typed = ['baton', ...words];
  const program = `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _baton; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return runShell('bash', ['--norc', '-c', program, 'bash', join(folder, 'script.bash'), ...typed]);
}

function fish(line: string): readonly string[] {
  const program = 'source $argv[1]; complete -C $argv[2]';
  return runShell('fish', ['--no-config', '-c', program, join(folder, 'script.fish'), line]).map(
    (offered) => offered.split('\t')[0] ?? '',
  );
}

/** With what zsh gives to a completion function, and its own means to offer things replaced by prints. */
function zsh(...words: string[]): readonly string[] {
  const stubs = `
    compdef() { :; }
    compset() { :; }
    _files() { print -rl -- files; }
    compadd() { shift; print -rl -- "$@"; }
    _describe() { print -rl -- "\${(@P)@[-1]}"; }`;
  const program = `${stubs}\nsource "$1"; shift; words=("$@"); CURRENT=$#; _baton`;
  return runShell('zsh', ['-f', '-c', program, 'zsh', join(folder, 'script.zsh'), 'baton', ...words]);
}

describe('what is completed', () => {
  it('is every command that help shows, and every word that a command takes', () => {
    const names = model.commands.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['up', 'deploy', 'get', 'events', 'completion']));
    expect(names).not.toContain('complete-names');
    const blind = model.commands.flatMap(({ name, positions }) =>
      positions.flatMap((values, i) => (values === 'anything' ? [`${name} ${i}`] : [])),
    );
    expect(blind, 'the command of a program, the path below a function').toEqual(['deploy 1', 'invoke 1']);
  });
});

describe('bash', () => {
  it('completes commands', () => {
    expect(bash('de')).toEqual(['deploy', 'delete', 'describe']);
    expect(bash('--dir', 'somewhere', 'un')).toEqual(['uncordon']);
  });

  it('completes the options of a command, and those that every command has', () => {
    expect(bash('deploy', 'x.ts', '--mi')).toEqual(['--min']);
    expect(bash('events', '--f')).toEqual(['--follow', '--function']);
    expect(bash('get', 'workers', '--o')).toEqual(['--output']);
    expect(bash('--di')).toEqual(['--dir']);
  });

  it('asks for names, of the cluster that was named before', () => {
    expect(bash('delete', 'he')).toEqual(['hello', 'help']);
    expect(bash('delete', 'py', '')).toEqual(['hello', 'help', 'py']);
    expect(bash('--dir', '/tmp/c', 'cordon', '')).toEqual(['w1', 'w2']);
    expect(bash('get', 'fn', 'p')).toEqual(['py']);
    expect(bash('logs', '--tail', '5', 'py')).toEqual(['py']);
    expect(runShell('bash', ['-c', 'cat "$ASKED"'])).toContain('complete-names workers --dir /tmp/c');
  });

  it('completes the values of options', () => {
    expect(bash('get', 'workers', '-o', 'j')).toEqual(['json']);
    expect(bash('events', '--function', 'p')).toEqual(['py']);
    expect(bash('events', '--function', '=', 'p')).toEqual(['py']);
    expect(bash('events', '--kind', 'scaled,no')).toEqual(['scaled,no-capacity']);
    expect(bash('events', '--kind', '')).toEqual([...EVENT_KINDS]);
    expect(bash('apply', '-f', 'hel'), 'here -f takes a file').toEqual(['hello world.ts']);
    expect(bash('logs', '-f', 'hel'), 'and here it takes nothing').toEqual(['hello', 'help']);
  });

  it('completes files where files are meant', () => {
    expect(bash('deploy', '')).toEqual(expect.arrayContaining(['hello world.ts', 'my functions']));
    expect(bash('--dir', 'm')).toEqual(['my functions']);
    expect(bash('deploy', 'x', '--', 'hel')).toEqual(['hello world.ts']);
  });

  it('offers nothing, and says nothing, where nobody answers or nothing is known', () => {
    expect(bash('describe', 'sandbox', '')).toEqual([]);
    expect(bash('deploy', '--min', '')).toEqual([]);
    expect(bash('nonsense', '')).toEqual([]);
  });
});

describe.runIf(isThere('zsh'))('zsh', () => {
  it('completes as bash does, and describes what it offers', () => {
    expect(zsh('')).toContain('deploy:make a function of a module, a program or a directory');
    expect(zsh('events', '-')).toContain('--follow:go on as they come, under whatever leader');
    expect(zsh('delete', '')).toEqual(['hello', 'help', 'py']);
    expect(zsh('get', 'fn', '')).toEqual(['hello', 'help', 'py']);
    expect(zsh('get', 'workers', '-o', '')).toEqual(['table', 'wide', 'json', 'yaml']);
    expect(zsh('deploy', '')).toEqual(['files']);
    expect(zsh('apply', '-f', '')).toEqual(['files']);
    expect(zsh('describe', 'sandbox', '')).toEqual([]);
  });
});

describe.runIf(isThere('fish'))('fish', () => {
  it('completes as bash does', () => {
    expect(fish('baton de')).toEqual(expect.arrayContaining(['deploy', 'delete', 'describe']));
    expect(fish('baton --dir somewhere un')).toEqual(['uncordon']);
    expect(fish('baton events --f')).toEqual(expect.arrayContaining(['--follow', '--function']));
    expect(fish('baton delete he')).toEqual(['hello', 'help']);
    expect(fish('baton get fn p')).toEqual(['py']);
    expect(fish('baton get workers -o j')).toEqual(['json']);
    expect(fish('baton deploy hel')).toEqual(['hello world.ts']);
    expect(fish('baton describe sandbox ')).toEqual([]);
  });
});
