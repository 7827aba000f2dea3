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
  /** This call did nothing, and nothing of it will. */
  | { readonly kind: 'refused'; readonly code: ErrorCode };

/** @throws what is no operating error, and so a bug */
export async function attempt(client: ApiClient, call: RegistryCall, timeoutMs: number): Promise<Attempt> {
  try {
    return { kind: 'done', output: await send(client, call, timeoutMs) };
  } catch (error) {
    if (!isBatonError(error)) throw error;
    const { code, fields } = error;
    // A registration whose artifact is missing is refused with the same code, and names the field.
    if (code === 'not-found' && fields['path'] === undefined)
      return { kind: 'done', output: { kind: 'absent' } };
    if (code === 'conflict' && typeof fields['generation'] === 'number')
      return { kind: 'done', output: { kind: 'conflict', generation: fields['generation'] } };
    if (code === 'invalid-argument' || code === 'internal' || code === 'conflict')
      throw new Error(`${call.input.kind} ${call.name}: ${code}: ${explain(error)}`, { cause: error });
    return { kind: code === 'not-found' ? 'refused' : 'unclear', code };
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
