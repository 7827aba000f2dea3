/**
 * A data plane that may open nothing more: no connection is accepted and none is made, while what is open goes on, its connection to
 * the leader above all.
 */
import { execFileSync } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import type { Prng } from '../../src/lib/prng.ts';
import type { Play } from '../play.ts';
import { firstFreeDescriptor } from '../proc.ts';
import { pause, until } from '../until.ts';

const SCARCE_MS = { least: 1_000, spread: 1_500 } as const;
const CALLERS = 32;
const BACK_TIMEOUT_MS = 10_000;
const ANSWER_MS = 500;

/** The soft limit at the first number that is free, and callers that connect. */
export async function exhaustDescriptors(play: Play, random: Prng): Promise<void> {
  const { stage } = play;
  const dataPlane = stage.dataPlanes[random.below(stage.dataPlanes.length)];
  if (dataPlane === undefined) throw new RangeError('no data plane');
  const { id, url } = dataPlane;
  const path = `/function/${play.warmFunctions[0]}`;
  await play.fault('fd-exhaustion', id, async () => {
    const pid = stage.pid(id) ?? 0;
    const before = softLimit(pid);
    const limit = firstFreeDescriptor(pid);
    const callers: Socket[] = [];
    try {
      setSoftLimit(pid, limit);
      for (let i = 0; i < CALLERS; i++) callers.push(caller(url));
      const answered = await until(
        'a caller that is not answered',
        BACK_TIMEOUT_MS,
        stage.signal,
        async () => {
          const isAnswered = await answers(url, path);
          return isAnswered ? false : 'none';
        },
      );
      await pause(SCARCE_MS.least + random.below(SCARCE_MS.spread), stage.signal);
      if (stage.pid(id) !== pid) throw new Error(`pid ${pid} ended: ${stage.logEnd(id)}`);
      setSoftLimit(pid, before);
      for (const socket of callers) socket.destroy();
      await until(`${id} answers new callers again`, BACK_TIMEOUT_MS, stage.signal, () => answers(url, path));
      return `pid ${pid} with ${limit} of ${before} descriptors: new callers answered: ${answered}; all of them afterwards`;
    } finally {
      for (const socket of callers) socket.destroy();
      if (stage.pid(id) === pid) setSoftLimit(pid, before);
    }
  });
}

/** Connects, says nothing, and does not mind. */
function caller(url: string): Socket {
  const { hostname, port } = new URL(url);
  return connect(Number(port), hostname).on('error', () => undefined);
}

/** Over a connection of its own. */
function answers(url: string, path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = caller(url);
    const end = (isAnswered: boolean): void => {
      socket.destroy();
      resolve(isAnswered);
    };
    socket.setTimeout(ANSWER_MS, () => end(false));
    socket.on('data', () => end(true));
    socket.on('close', () => end(false));
    socket.write(`GET ${path} HTTP/1.1\r\nhost: ${new URL(url).host}\r\nconnection: close\r\n\r\n`);
  });
}

function softLimit(pid: number): number {
  const text = execFileSync('prlimit', ['--pid', String(pid), '--nofile', '--noheadings', '--output=SOFT']);
  return Number(text.toString().trim());
}

/** What is above stays open. */
function setSoftLimit(pid: number, limit: number): void {
  execFileSync('prlimit', ['--pid', String(pid), `--nofile=${limit}:`]);
}
