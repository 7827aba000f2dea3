/**
 * Faults on links, as values. Each shows itself: witnesses at both ends of every lane say what crossed while it was there and
 * what did afterwards, and a fault that they did not see fails the run.
 *
 *   F1  over a lane that is cut nothing crosses, not even the end of a connection: bytes are withheld on open sockets;
 *   F2  lanes that are not touched go on carrying messages;
 *   F3  after the repair traffic flows again over every lane.
 */
import { BatonError } from '../../src/lib/errors.ts';
import type { Network } from '../network/network.ts';
import type { Probe } from '../network/probes.ts';
import type { Toxic } from '../network/toxiproxy.ts';
import { laneName, type Lane } from '../network/wires.ts';
import { until } from '../until.ts';

/** A route connects again after a second or so; a client within a quarter of one, if an attempt is not just hanging. */
const FLOW_TIMEOUT_MS = 10_000;
/** On a busy machine messages are sent less often than they should be. */
const TRY_TIMEOUT_MS = 10_000;
/** Longer than any cut: closed at the repair. */
export const HOLD_CLOSE_MS = 600_000;
/** Of what is sent over a lane that was not touched, in a fault that lasts long enough to say so. */
const UNTOUCHED_SHARE = 0.5;
const FEWEST_PROBES = 4;
/** Of the delay and the rate that were asked for: a timer may be early by a tick. */
const DELAY_SHARE = 0.95;
const RATE_SHARE = 0.75;
const LARGE_BYTES = 65_536;
const LARGE_TIMEOUT_MS = 20_000;

export interface Fault {
  readonly kind: string;
  readonly target: string;
  inject(): Promise<void>;
  /** Takes it away. @returns what showed it, and that it is gone. @throws BatonError when either was not seen */
  heal(): Promise<string>;
}

/** The fault is there while this happens. @returns what showed it */
export async function under(fault: Fault, happen: () => Promise<void>): Promise<string> {
  await fault.inject();
  try {
    await happen();
  } catch (error) {
    // What went wrong under the fault is the news, not how the repair went.
    await fault.heal().catch(() => undefined);
    throw error;
  }
  return fault.heal();
}

/** One way or both, as seen from the one that is cut off. */
export type Way = 'both' | 'outward' | 'inward';

export const ways: readonly Way[] = ['both', 'outward', 'inward'];

/** What goes out from here to these others, comes in from them, or both. */
export function lanesAround(network: Network, here: string, others: readonly string[], way: Way): Lane[] {
  return others.flatMap((other) => [
    ...(way === 'inward' ? [] : [network.lane(here, other)]),
    ...(way === 'outward' ? [] : [network.lane(other, here)]),
  ]);
}

/** A host and everybody on it, away from all other hosts. */
export function isolate(network: Network, host: string, way: Way, signal: AbortSignal): Fault {
  const others = network.hosts.filter((other) => other !== host);
  return cut(network, lanesAround(network, host, others, way), `${host} ${way}`, signal);
}

/** A process away from its NATS server. */
export function cutClient(network: Network, id: string, way: Way, signal: AbortSignal): Fault {
  return cut(network, lanesAround(network, id, [network.hostOf(id)], way), `${id} ${way}`, signal);
}

/** Nothing crosses these lanes (F1); everything else does (F2). */
export function cut(network: Network, lanes: readonly Lane[], target: string, signal: AbortSignal): Fault {
  const toxics: readonly Toxic[] = [
    { type: 'timeout', attributes: { timeout: 0 } },
    { type: 'slow_close', attributes: { delay: HOLD_CLOSE_MS } },
  ];
  return linkFault(network, { kind: 'cut', target, lanes, toxics, signal, judge: showsCut });
}

/** Everything takes this much longer. */
export function slow(
  network: Network,
  lanes: readonly Lane[],
  { latencyMs, jitterMs }: { readonly latencyMs: number; readonly jitterMs: number },
  target: string,
  signal: AbortSignal,
): Fault {
  const toxics: readonly Toxic[] = [
    { type: 'latency', attributes: { latency: latencyMs, jitter: jitterMs } },
  ];
  const judge: Judge = ({ touched, healingMs }) => {
    // What was on its way at the repair is let go at once.
    const untilMs = healingMs - latencyMs - jitterMs;
    return touched.map(({ name, sent }) => {
      const tookMs = sent
        .filter(({ sentMs }) => sentMs < untilMs)
        .flatMap(({ sentMs, arrivedMs }) => (arrivedMs === undefined ? [] : [arrivedMs - sentMs]));
      if (tookMs.length < FEWEST_PROBES) throw unseen(`${tookMs.length} messages crossed ${name}`);
      const least = Math.min(...tookMs);
      if (least < (latencyMs - jitterMs) * DELAY_SHARE)
        throw unseen(`a message crossed ${name} in ${least.toFixed(1)} ms`);
      return `${name} in ${Math.round(least)} ms or more`;
    });
  };
  return linkFault(network, { kind: 'latency', target, lanes, toxics, signal, judge });
}

/** No more than this crosses in a second, in KB. */
export function narrow(
  network: Network,
  lanes: readonly Lane[],
  rate: number,
  target: string,
  signal: AbortSignal,
): Fault {
  const toxics: readonly Toxic[] = [{ type: 'bandwidth', attributes: { rate } }];
  const measure = async (): Promise<string[]> => {
    const [lane] = lanes;
    const probe = lane === undefined ? undefined : network.probes.send(lane, LARGE_BYTES);
    if (lane === undefined || probe === undefined) throw unseen('nothing could be sent');
    const name = laneName(lane);
    const arrivedMs = await until(
      `${LARGE_BYTES} bytes over ${name}`,
      LARGE_TIMEOUT_MS,
      signal,
      () => probe.arrivedMs,
    );
    const tookMs = Math.round(arrivedMs - probe.sentMs);
    if (tookMs < (LARGE_BYTES / rate) * RATE_SHARE)
      throw unseen(`${LARGE_BYTES} bytes crossed ${name} in ${tookMs} ms`);
    return [`${LARGE_BYTES} bytes over ${name} in ${tookMs} ms`];
  };
  return linkFault(network, { kind: 'bandwidth', target, lanes, toxics, signal, measure });
}

// ---- what they have in common ---------------------------------------------------------------------------------------

/** A lane and what was sent over it while the fault was there. */
export interface Watched {
  readonly name: string;
  readonly sent: readonly Probe[];
}

export interface Seen {
  readonly touched: readonly Watched[];
  readonly untouched: readonly Watched[];
  /** When it began to be taken away. */
  readonly healingMs: number;
}

/** Afterwards, when traffic flows again. @returns what shows the fault. @throws BatonError when it was not there */
type Judge = (seen: Seen) => string[];

interface LinkFault {
  readonly kind: string;
  readonly target: string;
  readonly lanes: readonly Lane[];
  /** On each stream of each lane, in this order. */
  readonly toxics: readonly Toxic[];
  readonly signal: AbortSignal;
  /** While it is there. @throws BatonError when it is not */
  readonly measure?: () => Promise<string[]>;
  readonly judge?: Judge;
}

function linkFault(network: Network, fault: LinkFault): Fault {
  const { kind, target, lanes, toxics, signal, measure, judge } = fault;
  const { probes, toxiproxy } = network;
  const streams = lanes.flatMap((lane) => lane.streams);
  let injectedMs = Number.POSITIVE_INFINITY;
  const seenUntil = (healingMs: number): Seen => {
    const watched = (isTouched: boolean): Watched[] =>
      network.lanes
        .filter((lane) => lanes.includes(lane) === isTouched)
        .map((lane) => ({ name: laneName(lane), sent: probes.between(lane, injectedMs, healingMs) }));
    return { touched: watched(true), untouched: watched(false), healingMs };
  };
  return {
    kind,
    target,
    async inject() {
      probes.begin(network.lanes);
      await Promise.all(
        streams.map(async (stream) => {
          for (const toxic of toxics) await toxiproxy.put(stream, toxic);
        }),
      );
      injectedMs = performance.now();
    },
    async heal() {
      const measured = (await measure?.()) ?? [];
      await until(`messages tried over ${target}`, TRY_TIMEOUT_MS, signal, () =>
        lanes.every((lane) => probes.between(lane, injectedMs, Infinity).length >= FEWEST_PROBES),
      );
      const healingMs = performance.now();
      await Promise.all(streams.map((stream) => toxiproxy.clear(stream)));
      const clearedMs = performance.now();
      await until(`traffic over ${target} after the repair`, FLOW_TIMEOUT_MS, signal, () =>
        lanes.every((lane) => probes.between(lane, clearedMs, Infinity).some(hasArrived)),
      );
      const flowsMs = Math.round(performance.now() - clearedMs);
      const judged = judge?.(seenUntil(healingMs)) ?? [];
      probes.end();
      return `${[...measured, ...judged].join(', ')}; flows ${flowsMs} ms after the repair`;
    },
  };
}

const hasArrived = ({ arrivedMs }: Probe): boolean => arrivedMs !== undefined;
const crossed = ({ sent }: Watched): number => sent.filter(hasArrived).length;

/** F1 and F2. */
export function showsCut({ touched, untouched }: Seen): string[] {
  for (const watched of touched) {
    const { name, sent } = watched;
    if (crossed(watched) > 0)
      throw unseen(`${crossed(watched)} of ${sent.length} messages crossed ${name}, which was cut`);
    if (sent.length < FEWEST_PROBES) throw unseen(`only ${sent.length} messages were tried over ${name}`);
  }
  for (const watched of untouched) {
    const { name, sent } = watched;
    if (crossed(watched) < sent.length * UNTOUCHED_SHARE)
      throw unseen(`${crossed(watched)} of ${sent.length} messages crossed ${name}, which was not cut`);
  }
  const tried = touched.reduce((sum, { sent }) => sum + sent.length, 0);
  return [`0 of ${tried} messages crossed ${touched.map(({ name }) => name).join(', ')}`];
}

const unseen = (what: string): BatonError => new BatonError('conflict', `the fault did not hold: ${what}`);
