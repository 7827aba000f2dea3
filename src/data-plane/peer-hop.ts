/** The one hop to the data plane that owns a hard-limited function: what travels beside the caller's request. */
import { compareFence, type Fence } from '../core/model/fence.ts';
import { functionUid, type FunctionUid } from '../lib/ids.ts';
import type { HeaderList } from '../ports/http-front.ts';
import { headerOf } from './headers.ts';

export interface TablePosition {
  readonly fence: Fence;
  readonly seq: number;
}

export interface Hop {
  readonly uid: FunctionUid;
  /** How long the request may still wait. */
  readonly queueMs: number;
  /** What the sender has applied of the endpoint table. */
  readonly position: TablePosition;
}

const TOKEN = 'x-baton-peer-token';
const HOP = 'x-baton-hop';

export function hopHeaders(hop: Hop, token: string): [string, string][] {
  const { fence, seq } = hop.position;
  const fields = [hop.uid, Math.max(0, Math.round(hop.queueMs)), fence.epoch, fence.term, seq];
  return [
    [TOKEN, token],
    [HOP, fields.join(' ')],
  ];
}

export function hasPeerToken(headers: HeaderList, token: string): boolean {
  return sameText(headerOf(headers, TOKEN) ?? '', token);
}

/** Carries a caller's request, whose path is the function's. */
export function isHop(headers: HeaderList): boolean {
  return headerOf(headers, HOP) !== undefined;
}

/** Undefined: it does not come from a data plane of this cluster, or is malformed. */
export function readHop(headers: HeaderList, token: string): Hop | undefined {
  if (!hasPeerToken(headers, token)) return undefined;
  const fields = (headerOf(headers, HOP) ?? '').split(' ').map(Number);
  const [uid, queueMs, epoch, term, seq] = fields;
  if (fields.length !== 5 || !fields.every((field) => Number.isSafeInteger(field) && field >= 0))
    return undefined;
  return {
    uid: functionUid(uid ?? 0),
    queueMs: queueMs ?? 0,
    position: { fence: { epoch: epoch ?? 0, term: term ?? 0 }, seq: seq ?? 0 },
  };
}

export function isAhead(theirs: TablePosition, ours: TablePosition): boolean {
  return (compareFence(theirs.fence, ours.fence) || theirs.seq - ours.seq) > 0;
}

/** In time that depends on the lengths alone. */
function sameText(given: string, expected: string): boolean {
  let difference = given.length ^ expected.length;
  for (let i = 0; i < expected.length; i++) difference |= (given.charCodeAt(i) || 0) ^ expected.charCodeAt(i);
  return difference === 0;
}
