/** Everybody's view of everything at one moment, and what keeps a cluster from being at rest and of one mind (R1, R5, R6). */
import type { FunctionRecord } from '../../../src/core/model/function.ts';
import type { SandboxStatus } from '../../../src/core/model/sandbox.ts';
import { FUNCTIONS } from './functions.ts';
import { versionOf } from './registry.ts';

export interface Picture {
  /** Undefined: there is none. */
  readonly leader:
    | {
        readonly isReconciled: boolean;
        readonly sandboxes: readonly { readonly id: string; readonly state: string }[];
      }
    | undefined;
  readonly openRequests: number;
  /** What users asked of the control plane. */
  readonly openOperations: number;
  readonly functions: readonly FunctionRecord[];
  /** By name: which versions may be registered. */
  readonly possible: (name: string) => ReadonlySet<string>;
  /** What the workers truly have. */
  readonly truth: readonly SandboxStatus[];
  /** Of workers that are drained. */
  readonly drained: readonly { readonly id: string; readonly sandboxes: readonly string[] }[];
  /** What every data plane must know of functions, in the words in which each says what it knows. */
  readonly registered: string;
  readonly dataPlanes: readonly {
    readonly id: string;
    readonly endpoints: readonly string[];
    readonly unconfirmed: number;
    readonly registered: string;
  }[];
  /** Anything else that is not as it should be. */
  readonly otherwise: string | undefined;
}

/** Undefined: nothing does. */
export function unsettled(picture: Picture): string | undefined {
  const { leader, openRequests, openOperations, otherwise } = picture;
  if (leader === undefined) return 'R6: there is no leader';
  if (!leader.isReconciled) return 'R6: reconstruction is not closed';
  if (openRequests > 0) return `R6: ${openRequests} requests have not ended`;
  if (openOperations > 0) return `R6: ${openOperations} registrations have not been answered`;
  if (otherwise !== undefined) return otherwise;
  return (
    isRegistered(picture) ??
    isScaled(picture) ??
    isDrained(picture) ??
    isSeenByLeader(picture, leader.sandboxes) ??
    isSeenByDataPlanes(picture)
  );
}

/** R5. */
function isRegistered({ functions, possible }: Picture): string | undefined {
  const versions = new Map<string, string>(functions.map(({ spec }) => [spec.name, versionOf(spec)]));
  for (const name of FUNCTIONS) {
    const now = versions.get(name) ?? '';
    if (!possible(name).has(now))
      return `R5: ${name} should be ${[...possible(name)].map(tellVersion).join(' or ')}, and is ${tellVersion(now)}`;
  }
  return undefined;
}

const tellVersion = (version: string): string => (version === '' ? 'deleted' : `version ${version}`);

function isScaled({ truth, functions }: Picture): string | undefined {
  const unready = truth.filter(({ state }) => state !== 'ready');
  if (unready.length > 0)
    return `R6: workers have ${unready.map(({ id, state }) => `${id} ${state}`).join(', ')}`;
  const isCurrent = (status: SandboxStatus): boolean =>
    functions.some(({ uid, generation }) => status.uid === uid && status.generation === generation);
  const surplus = truth.filter((status) => !isCurrent(status));
  if (surplus.length > 0)
    return `R6: workers still have ${surplus.map(({ id, uid, generation }) => `${id} of function ${uid}, generation ${generation}`).join(', ')}`;
  for (const { uid, generation, spec } of functions) {
    const ready = truth.filter((status) => status.uid === uid && status.generation === generation);
    if (ready.length !== spec.scaling.min)
      return `R6: ${spec.name} has ${ready.length} sandboxes of generation ${generation} and should have ${spec.scaling.min}`;
  }
  return undefined;
}

/** There is room: the first worker is never cordoned. */
function isDrained({ drained }: Picture): string | undefined {
  for (const { id, sandboxes } of drained)
    if (sandboxes.length > 0) return `R6: ${id} is drained and has ${names(sandboxes)}`;
  return undefined;
}

function isSeenByLeader(
  { truth }: Picture,
  rows: NonNullable<Picture['leader']>['sandboxes'],
): string | undefined {
  const ids = names(truth.map(({ id }) => id));
  const table = names(rows.map(({ id, state }) => `${id}${state === 'ready' ? '' : ` ${state}`}`));
  return ids === table ? undefined : `R1: the workers have [${ids}], the leader has [${table}]`;
}

function isSeenByDataPlanes({ truth, dataPlanes, registered }: Picture): string | undefined {
  const ids = names(truth.map(({ id }) => id));
  for (const { id, endpoints, unconfirmed, registered: known } of dataPlanes) {
    const held = names(endpoints);
    if (held !== ids) return `R1: the workers have [${ids}], ${id} has [${held}]`;
    if (unconfirmed > 0) return `R1: ${id} has ${unconfirmed} unconfirmed endpoints`;
    if (known !== registered) return `R5: registered are [${registered}], ${id} knows [${known}]`;
  }
  return undefined;
}

export function names(list: readonly string[]): string {
  return [...list].sort().join(' ');
}
