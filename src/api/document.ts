/** A function document between the schema's message and the keys that users write; only the spelling differs. */
import type * as api from '../wire/gen/baton/api/v1/api.ts';
import type { FunctionDocument } from './spec.ts';

/** What was not set stays unset: defaults are the parser's business. */
export function documentFromWire(message: api.FunctionDocument): Record<string, unknown> {
  const { resources, _unknownFields: _newer, ...rest } = message;
  const document: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(rest)) if (value !== undefined) document[key] = value;
  if (resources !== undefined) {
    const { cpuMillis, memoryMib } = resources;
    document['resources'] = {
      ...(cpuMillis === undefined ? {} : { cpuMillis }),
      ...(memoryMib === undefined ? {} : { memoryMiB: memoryMib }),
    };
  }
  return document;
}

export function documentToWire(document: FunctionDocument): api.FunctionDocument {
  const { resources, ...rest } = document;
  return { ...rest, resources: { cpuMillis: resources.cpuMillis, memoryMib: resources.memoryMiB } };
}
