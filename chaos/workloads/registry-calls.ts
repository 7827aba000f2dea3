/** One call of the registry through one replica, and what its answer says about the operation. */
import { explain, isBatonError, type ErrorCode } from '../../src/lib/errors.ts';
import type { ApiClient, FunctionMessage } from '../../src/api/client.ts';
import type { RegistryInput, RegistryOutput } from '../verifiers/registry-model.ts';

export interface RegistryCall {
  readonly name: string;
  readonly input: RegistryInput;
  readonly requestId: string;
  /** Of what is registered; reads and deletes need none. */
  readonly artifact?: string;
}

export type Attempt =
  | { readonly kind: 'done'; readonly output: RegistryOutput }
  /** It may have happened, or may yet. */
  | { readonly kind: 'unclear'; readonly code: ErrorCode }
  /** It did not happen, and never will under its request id, whatever became of earlier calls. */
  | { readonly kind: 'refused'; readonly code: ErrorCode };

/** Of calls whose outcome is open: they may have taken effect, or may yet. */
const OPEN: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  // Lost on the way to a replica, between two of them, or on the way back.
  'timeout',
  'disconnected',
  'canceled',
  'unavailable',
  // Whoever was asked first may have taken it before nobody led, or another did.
  'not-leader',
  'no-leader',
  'no-quorum',
  'outcome-unknown',
  // Too old to tell.
  'request-expired',
]);

/** @returns undefined for what no client of the registry should ever be told */
export function attemptOf(error: unknown): Attempt | undefined {
  if (!isBatonError(error)) return undefined;
  const { code, fields } = error;
  // A registration whose artifact is missing is refused with the same code, and names the field.
  if (code === 'not-found' && fields['path'] === undefined)
    return { kind: 'done', output: { kind: 'absent' } };
  if (code === 'conflict' && typeof fields['generation'] === 'number')
    return { kind: 'done', output: { kind: 'conflict', generation: fields['generation'] } };
  if ((code === 'not-found' && fields['path'] === 'artifact') || code === 'no-capacity')
    return { kind: 'refused', code };
  return OPEN.has(code) ? { kind: 'unclear', code } : undefined;
}

/** @throws what no client should ever be told, and so a bug */
export async function attempt(client: ApiClient, call: RegistryCall, timeoutMs: number): Promise<Attempt> {
  try {
    return { kind: 'done', output: await send(client, call, timeoutMs) };
  } catch (error) {
    const told = attemptOf(error);
    if (told !== undefined) return told;
    if (!isBatonError(error)) throw error;
    throw new Error(`${call.input.kind} ${call.name}: ${error.code}: ${explain(error)}`, { cause: error });
  }
}

async function send(client: ApiClient, call: RegistryCall, timeoutMs: number): Promise<RegistryOutput> {
  const { name, input, requestId, artifact = '' } = call;
  switch (input.kind) {
    case 'get':
      return found(await client.call('getFunction', { name }, timeoutMs));
    case 'delete': {
      const request = { name, requestId, ifGeneration: undefined };
      const { uid } = await client.call('deleteFunction', request, timeoutMs);
      return { kind: 'deleted', uid };
    }
    case 'put': {
      const document = {
        name,
        artifact,
        entry: 'index.mjs',
        env: { VERSION: input.version },
        command: [],
        resources: undefined,
        selector: {},
      };
      const request = { function: document, requestId, ifGeneration: input.ifGeneration, trial: false };
      const { uid, generation } = await client.call('putFunction', request, timeoutMs);
      return { kind: 'put', uid, generation };
    }
    default:
      return input satisfies never;
  }
}

function found({ uid, generation, spec }: FunctionMessage): RegistryOutput {
  return { kind: 'found', uid, generation, version: spec?.env['VERSION'] ?? '' };
}
