/** What a new leader is told: first what is held, in parts, then the load. */
import { describe, expect, it } from 'vitest';
import { EndpointReplica } from '../../../src/core/endpoints/endpoint-replica.ts';
import type { DataPlaneMessage } from '../../../src/core/model/data-plane-report.ts';
import type { Endpoint } from '../../../src/core/model/sandbox.ts';
import { Reporter, type ReporterOptions } from '../../../src/data-plane/reporter.ts';
import { functionUid, sandboxId, workerId } from '../../../src/lib/ids.ts';
import { decodeDataPlaneMessage } from '../../../src/wire/data-plane-codec.ts';
import { ManualClock } from '../turn-loop/manual-clock.ts';

function held(count: number): Endpoint[] {
  return Array.from({ length: count }, (_, i) => ({
    sandbox: sandboxId(`f-1-1-${i}`),
    uid: functionUid(1),
    generation: 1,
    specIndex: 1,
    worker: workerId('w1'),
    address: `tcp:127.0.0.1:${1_000 + i}`,
    owner: undefined,
  }));
}

function reporting(endpoints: readonly Endpoint[]) {
  const clock = new ManualClock();
  const told: DataPlaneMessage[] = [];
  const table = EndpointReplica.restore({ fence: { epoch: 1, term: 1 }, endpoints, owners: [] }, 0);
  const link = {
    hasLeader: true,
    tell: (_kind: string, bytes: Uint8Array) => told.push(decodeDataPlaneMessage(bytes)),
  };
  const options = {
    clock,
    link,
    bus: { status: () => ({ server: 'n1' }) },
    dispatcher: {
      loads: () => [{ uid: functionUid(1), inFlight: 1, queued: 0 }],
      withdrawing: () => [],
      refusedEndpoints: () => [],
      condemnedEndpoints: () => [],
      owned: () => [],
    },
    endpoints: () => table,
    specs: { specIndex: 1 },
    life: { incarnation: { ms: 1, nonce: 1 } },
    intervalMs: 250,
    caller: '',
    peer: '',
  } as unknown as ReporterOptions;
  return { reporter: new Reporter(options), clock, told, link };
}

const kinds = (told: readonly DataPlaneMessage[]): string => told.map(({ kind }) => kind).join(' ');

describe('what a new leader is told', () => {
  it('is what is held, then the load, at once when it is little', () => {
    const { reporter, clock, told } = reporting(held(3));
    reporter.onLeader();
    clock.turn();
    expect(kinds(told)).toBe('held report');
  });

  it('is told a part in each turn when it is much, and nothing of the load before the last part', () => {
    const { reporter, clock, told } = reporting(held(3_000));
    reporter.onLeader();
    clock.turn();
    expect(kinds(told)).toBe('held');
    reporter.soon();
    clock.settle();
    expect(kinds(told)).toMatch(/^held( held)+ report$/);
    const parts = told.flatMap((message) => (message.kind === 'held' ? [message] : []));
    expect(parts.map(({ part }) => part)).toEqual(parts.map((_, i) => i));
    expect(new Set(parts.flatMap(({ endpoints }) => endpoints.map(({ sandbox }) => sandbox))).size).toBe(
      3_000,
    );
  });

  it('begins anew when it was cut off: the load is not told before it', () => {
    const { reporter, clock, told, link } = reporting(held(3_000));
    reporter.start();
    reporter.onLeader();
    clock.turn();
    link.hasLeader = false;
    clock.settle();
    link.hasLeader = true;
    told.length = 0;
    clock.advance(250);
    expect(kinds(told)).toMatch(/^held( held)+ report$/);
    expect(told[0]).toMatchObject({ part: 0 });
  });

  it('begins anew when the leader changes meanwhile', () => {
    const { reporter, clock, told } = reporting(held(3_000));
    reporter.onLeader();
    clock.turn();
    told.length = 0;
    reporter.onLeader();
    clock.advance(5);
    const parts = told.flatMap((message) => (message.kind === 'held' ? [message] : []));
    expect(parts.map(({ part }) => part)).toEqual(Array.from({ length: parts[0]?.parts ?? 0 }, (_, i) => i));
  });

  it('stops when nobody leads any more, and goes on with whoever leads next', () => {
    const { reporter, clock, told, link } = reporting(held(3_000));
    reporter.onLeader();
    clock.turn();
    link.hasLeader = false;
    clock.settle();
    expect(kinds(told)).toBe('held');
    link.hasLeader = true;
    reporter.onLeader();
    clock.advance(5);
    expect(kinds(told)).toMatch(/^held( held)+ report$/);
  });
});
