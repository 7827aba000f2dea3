/** Commands for tests; each has a request id of its own unless it is given one. */
import type { MetadataCommand, RequestId } from '../../../src/core/model/metadata.ts';
import { digest, functionName } from '../../../src/lib/ids.ts';
import { record } from '../dispatch/fixtures.ts';

export type Mutation = Exclude<MetadataCommand, { kind: 'no-op' }>;

export interface CommandOptions {
  readonly request?: readonly [base: number, nonce: string];
  readonly ifGeneration?: number;
  readonly artifact?: string;
}

let issued = 0;

/** Based far ahead, so that it never expires. */
function requestOf(options: CommandOptions): RequestId {
  const [base, nonce] = options.request ?? [1_000_000, `own-${++issued}`];
  return { base, nonce };
}

export function put(name: string, options: CommandOptions = {}): Mutation {
  const { spec } = record({ name });
  return {
    kind: 'put-function',
    requestId: requestOf(options),
    spec: options.artifact === undefined ? spec : { ...spec, artifact: digest(options.artifact) },
    ifGeneration: options.ifGeneration,
  };
}

export function remove(name: string, options: CommandOptions = {}): Mutation {
  return {
    kind: 'delete-function',
    requestId: requestOf(options),
    name: functionName(name),
    ifGeneration: options.ifGeneration,
  };
}
