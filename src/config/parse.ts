/**
 * Configuration files, JSON or YAML, parsed once at the edge. What comes back is read-only and fully populated; what is
 * wrong fails with the path of the key, the file and a hint, all problems that matter to one reader in one line.
 */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse as parseYaml, YAMLParseError } from 'yaml';
import * as z from 'zod';
import { BatonError } from '../lib/errors.ts';

/** What a schema sees beside the document: relative paths in a file are relative to that file. */
export interface ParseContext {
  readonly baseDir: string;
}

/** @throws BatonError `invalid-argument` when the file is not there, cannot be read, or is neither JSON nor YAML */
export function readDocument(file: string): unknown {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new BatonError('invalid-argument', `cannot read ${file}`, { fields: { path: file }, cause });
  }
  try {
    // JSON is a subset of YAML 1.2; aliases are bounded so that a small file cannot become a huge object.
    return parseYaml(text, { prettyErrors: true, maxAliasCount: 100, uniqueKeys: true });
  } catch (error) {
    const where =
      error instanceof YAMLParseError && error.linePos !== undefined
        ? `, line ${error.linePos[0].line}, column ${error.linePos[0].col}`
        : '';
    throw new BatonError('invalid-argument', `${file}${where}: neither JSON nor YAML`, {
      fields: { path: file },
      hint: error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error),
    });
  }
}

/** `members[1].http`, as people write it. */
export function keyPath(path: readonly PropertyKey[]): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else text += text === '' ? String(part) : `.${String(part)}`;
  }
  return text === '' ? '(document)' : text;
}

interface Problem {
  readonly path: string;
  readonly message: string;
  readonly hint: string | undefined;
}

type Issue = z.core.$ZodIssue;

function describe(issue: Issue, knownKeys: readonly string[]): Problem {
  switch (issue.code) {
    case 'unrecognized_keys': {
      const path = keyPath([...issue.path, issue.keys[0] ?? '']);
      const hint = knownKeys.length === 0 ? undefined : `known keys here: ${knownKeys.join(', ')}`;
      return { path, message: 'unknown key', hint };
    }
    case 'invalid_value':
      return {
        path: keyPath(issue.path),
        message: 'not an allowed value',
        hint: `allowed: ${issue.values.map(String).join(', ')}`,
      };
    case 'custom':
      return {
        path: keyPath(issue.path),
        message: issue.message,
        hint: typeof issue.params?.['hint'] === 'string' ? issue.params['hint'] : undefined,
      };
    default:
      return {
        path: keyPath(issue.path),
        message:
          issue.input === undefined && issue.code === 'invalid_type' ? 'missing' : lower(issue.message),
        hint: undefined,
      };
  }
}

function lower(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1).replace(/^nvalid input: /, 'nvalid: ');
}

/** Keys that the schema knows at the place of an unknown one. */
function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let json: unknown;
  try {
    json = z.toJSONSchema(schema, { unrepresentable: 'any', io: 'input' });
  } catch {
    return [];
  }
  for (const part of path) {
    const node = json as { properties?: Record<string, unknown>; items?: unknown };
    json = typeof part === 'number' ? node?.items : node?.properties?.[String(part)];
  }
  return Object.keys((json as { properties?: object } | undefined)?.properties ?? {});
}

/**
 * Checks a document against a schema. `source` names it in errors: a file, or what made it.
 * @throws BatonError `invalid-argument` with `fields.path`, the key of the first problem
 */
export function check<T>(schema: z.ZodType<T>, document: unknown, source: string): T {
  const result = schema.safeParse(document, { reportInput: true });
  if (result.success) return freeze(result.data);
  const issues = result.error.issues;
  const problems = issues.map((issue) =>
    describe(issue, issue.code === 'unrecognized_keys' ? keysAt(schema, issue.path) : []),
  );
  const first = problems[0] ?? { path: '(document)', message: 'invalid', hint: undefined };
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
  throw new BatonError('invalid-argument', `${source}: ${first.path}: ${first.message}${more}`, {
    fields: { path: first.path, source },
    ...(first.hint === undefined ? {} : { hint: first.hint }),
  });
}

/** Reads and checks a file whose relative paths are relative to itself. */
export function load<T>(schema: (context: ParseContext) => z.ZodType<T>, file: string): T {
  const absolute = resolve(file);
  return check(schema({ baseDir: dirname(absolute) }), readDocument(absolute), file);
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) freeze(inner);
  }
  return value;
}
