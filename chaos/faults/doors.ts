/**
 * Faults on the way from data planes to one sandbox. Whoever knocks at its door as a data plane does sees the fault while it is
 * there, and gets an answer at once when it is gone.
 */
import { connect } from 'node:net';
import type { Prng } from '../../src/lib/prng.ts';
import { BatonError } from '../../src/lib/errors.ts';
import type { Stream, Toxic } from '../network/toxiproxy.ts';
import type { Play } from '../play.ts';
import { pause, until } from '../until.ts';
import { tableOf } from '../views.ts';
import { HOLD_CLOSE_MS, under, type Fault } from './links.ts';

const KNOCK_MS = 1_500;
const ANSWER_TIMEOUT_MS = 10_000;
const LAST_MS = { least: 1_000, spread: 1_500 } as const;
const LATENCY_MS = 200;
/** KB/s: an answer of a few hundred bytes takes a few hundred milliseconds. */
const RATE = 1;
const SLICE_BYTES = 16;
const SLICE_GAP_MS = 30;
/** A timer may be early by a tick; and toxiproxy lets the first bytes of a bucket through. */
const SHARE = 0.75;

/** What came of a request that was sent as a data plane sends it. */
interface Knock {
  readonly end: 'answered' | 'refused' | 'reset' | 'silent';
  readonly tookMs: number;
  readonly bytes: number;
  /** In how many pieces the answer came. */
  readonly pieces: number;
}

export type DoorKind = 'latency' | 'bandwidth' | 'slicer' | 'timeout' | 'reset_peer' | 'down';

export const doorKinds: readonly DoorKind[] = [
  'latency',
  'down',
  'bandwidth',
  'reset_peer',
  'slicer',
  'timeout',
];

interface Ailment {
  /** On what comes from the sandbox; none: its door is shut. */
  readonly toxics: readonly Toxic[];
  readonly shows: (knock: Knock) => boolean;
}

const ailments: Readonly<Record<DoorKind, Ailment>> = {
  latency: {
    toxics: [{ type: 'latency', attributes: { latency: LATENCY_MS, jitter: 0 } }],
    shows: ({ end, tookMs }) => end === 'answered' && tookMs >= LATENCY_MS * SHARE,
  },
  bandwidth: {
    toxics: [{ type: 'bandwidth', attributes: { rate: RATE } }],
    shows: ({ end, tookMs, bytes }) => end === 'answered' && tookMs >= (bytes / RATE) * SHARE,
  },
  slicer: {
    toxics: [
      {
        type: 'slicer',
        attributes: { average_size: SLICE_BYTES, size_variation: 0, delay: SLICE_GAP_MS * 1_000 },
      },
    ],
    shows: ({ end, pieces, tookMs, bytes }) =>
      end === 'answered' && pieces > 1 && tookMs >= (bytes / SLICE_BYTES) * SLICE_GAP_MS * SHARE,
  },
  timeout: {
    // Also the end of a connection does not come through.
    toxics: [
      { type: 'timeout', attributes: { timeout: 0 } },
      { type: 'slow_close', attributes: { delay: HOLD_CLOSE_MS } },
    ],
    shows: ({ end, bytes }) => end === 'silent' && bytes === 0,
  },
  reset_peer: {
    toxics: [{ type: 'reset_peer', attributes: { timeout: 0 } }],
    shows: ({ end, bytes }) => end === 'reset' && bytes === 0,
  },
  down: { toxics: [], shows: ({ end }) => end === 'refused' },
};

/** The door of one sandbox that serves, for a while. */
export async function ailDoor(play: Play, random: Prng, kind: DoorKind): Promise<void> {
  const { stage } = play;
  const [dataPlane] = stage.dataPlanes;
  const table = dataPlane === undefined ? undefined : await tableOf(stage, dataPlane);
  const doors = (table?.endpoints ?? []).filter((endpoint) => play.warmFunctions.includes(endpoint.function));
  const door = doors[random.below(Math.max(1, doors.length))];
  if (door === undefined) throw new Error('no sandbox serves');
  const fault = doorFault(play, kind, door.address);
  await play.fault(`sandbox-${kind}`, door.function, () =>
    under(fault, () => pause(LAST_MS.least + random.below(LAST_MS.spread), stage.signal)),
  );
}

function doorFault({ stage }: Play, kind: DoorKind, address: string): Fault {
  const { network, signal } = stage;
  const { toxiproxy } = network;
  const proxy = network.doorAt(address);
  const { toxics, shows } = ailments[kind];
  const stream: Stream = { proxy, direction: 'downstream' };
  return {
    kind,
    target: address,
    async inject() {
      if (toxics.length === 0) await toxiproxy.disable(proxy);
      for (const toxic of toxics) await toxiproxy.put(stream, toxic);
    },
    async heal() {
      const seen = await knock(address);
      await (toxics.length === 0 ? toxiproxy.enable(proxy) : toxiproxy.clear(stream));
      if (!shows(seen))
        throw new BatonError('conflict', `the fault did not hold: ${address} was ${tell(seen)}`);
      const after = await until(`${address} answers`, ANSWER_TIMEOUT_MS, signal, async () => {
        const again = await knock(address);
        return again.end === 'answered' && again;
      });
      return `${address} was ${tell(seen)}; ${tell(after)} afterwards`;
    },
  };
}

const tell = ({ end, tookMs, bytes, pieces }: Knock): string =>
  `${end} in ${Math.round(tookMs)} ms, ${bytes} bytes in ${pieces} pieces`;

/** @param address as data planes have it: `tcp:host:port` */
function knock(address: string): Promise<Knock> {
  const [, host = '', port = ''] = address.split(':');
  const beganMs = performance.now();
  return new Promise((resolve) => {
    let bytes = 0;
    let pieces = 0;
    const socket = connect({ host, port: Number(port) });
    const done = (end: Knock['end']): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ end, tookMs: performance.now() - beganMs, bytes, pieces });
    };
    const timer = setTimeout(() => done('silent'), KNOCK_MS);
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      pieces++;
    });
    socket.on('end', () => done(bytes > 0 ? 'answered' : 'reset'));
    socket.on('error', ({ code }: NodeJS.ErrnoException) =>
      done(code === 'ECONNREFUSED' ? 'refused' : 'reset'),
    );
    socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  });
}
