/** One call of the registry through one replica. */
import { explain, isBatonError } from '../../src/lib/errors.ts';
import type { ApiClient, FunctionMessage } from '../../src/api/client.ts';
import { attemptOf, type Attempt } from '../verifiers/registry-answers.ts';
import type { RegistryInput, RegistryOutput } from '../verifiers/registry-model.ts';

export interface RegistryCall {
  readonly name: string;
  readonly input: RegistryInput;
  readonly requestId: string;
  /** Of what is registered; reads and deletes need none. */
  readonly artifact?: string;
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
