/**
 * A function as users write it (docs/spec.md) → a FunctionSpec. One validation for files, HTTP and gRPC; every error names
 * the path of the field, what is allowed and how to mend it.
 */
import { z } from 'zod';
import { BatonError } from '../lib/errors.ts';
import {
  functionName,
  isLabel,
  isLabelKey,
  isLabelValue,
  LABEL_KEY_HINT,
  LABEL_VALUE_HINT,
} from '../lib/ids.ts';
import type { Digest } from '../lib/ids.ts';
import { limits } from '../lib/limits.ts';
import {
  PLACEMENT_STRATEGIES,
  type FunctionRuntime,
  type FunctionSpec,
  type LoadBalancing,
} from '../core/model/function.ts';

const whole = (min: number, max: number): z.ZodNumber => z.int().min(min).max(max);

/** Keys that will mean something later: refused by name, so that nobody believes they work. */
const LATER: Readonly<Record<string, string>> = {
  image: 'OCI images',
  revisions: 'revisions',
  traffic: 'traffic split',
  secrets: 'secrets',
  quota: 'quotas',
  async: 'asynchronous invocation',
  triggers: 'triggers',
  namespace: 'namespaces',
};

/** Where there is no hard limit: Knative's. */
const DEFAULT_TARGET = 100;

const environmentName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'use letters, digits and "_"');

const functionDocument = z.strictObject({
  kind: z.literal('Function').optional(),
  name: z
    .string()
    .refine(isLabel, 'use 1 to 63 of a-z, 0-9 and "-", beginning and ending with a letter or digit'),
  runtime: z.enum(['javascript', 'program']).default('javascript'),
  artifact: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'give the SHA-256 of an uploaded artifact, 64 hexadecimal digits'),
  artifactBytes: whole(0, limits.artifactBytes).default(0),
  entry: z.string().max(512).default(''),
  command: z.array(z.string().max(4_096)).max(64).default([]),
  env: z.record(environmentName, z.string()).default({}),
  concurrency: whole(0, 10_000).default(0),
  /** What a sandbox may take is what is aimed at, if nothing else is said. */
  target: z.number().min(0.01).max(10_000).optional(),
  targetUtilizationPct: z.number().min(1).max(100).default(70),
  min: whole(0, 10_000).default(0),
  max: whole(0, 10_000).default(0),
  initial: whole(0, 10_000).default(0),
  activation: whole(1, 10_000).default(1),
  stableWindowMs: whole(1_000, 3_600_000).default(60_000),
  panicWindowPct: z.number().min(1).max(100).default(10),
  panicThresholdPct: z.number().min(110).max(1_000).default(200),
  maxScaleUpRate: z.number().min(1.1).max(10_000).default(1_000),
  maxScaleDownRate: z.number().min(1.1).max(10_000).default(2),
  scaleDownDelayMs: whole(0, 3_600_000).default(0),
  scaleToZeroGraceMs: whole(0, 3_600_000).default(30_000),
  burstCapacity: whole(-1, 1_000_000).default(200),
  timeoutMs: whole(1, 3_600_000).default(60_000),
  queueTimeoutMs: whole(1, 600_000).default(30_000),
  resources: z
    .strictObject({
      cpuMillis: whole(0, 1_000_000).default(50),
      memoryMiB: whole(1, 1_048_576).default(64),
    })
    .default({ cpuMillis: 50, memoryMiB: 64 }),
  loadBalancing: z.enum(['two-choices', 'round-robin', 'random', 'least-loaded']).default('two-choices'),
  placement: z.enum(['default', ...PLACEMENT_STRATEGIES]).default('default'),
  selector: z
    .record(z.string().refine(isLabelKey, LABEL_KEY_HINT), z.string().refine(isLabelValue, LABEL_VALUE_HINT))
    .default({}),
});

type Parsed = z.output<typeof functionDocument>;

/** A function as users write it, every key filled in. */
export interface FunctionDocument {
  readonly name: string;
  readonly runtime: FunctionRuntime;
  readonly artifact: string;
  readonly artifactBytes: number;
  readonly entry: string;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly concurrency: number;
  readonly target: number;
  readonly targetUtilizationPct: number;
  readonly min: number;
  readonly max: number;
  readonly initial: number;
  readonly activation: number;
  readonly stableWindowMs: number;
  readonly panicWindowPct: number;
  readonly panicThresholdPct: number;
  readonly maxScaleUpRate: number;
  readonly maxScaleDownRate: number;
  readonly scaleDownDelayMs: number;
  readonly scaleToZeroGraceMs: number;
  readonly burstCapacity: number;
  readonly timeoutMs: number;
  readonly queueTimeoutMs: number;
  readonly resources: { readonly cpuMillis: number; readonly memoryMiB: number };
  readonly loadBalancing: LoadBalancing;
  readonly placement: FunctionSpec['placement'];
  readonly selector: Readonly<Record<string, string>>;
}

/** JSON Schema of what users write, for the OpenAPI document. */
export function functionDocumentSchema(): object {
  return z.toJSONSchema(functionDocument, { io: 'input', unrepresentable: 'any' });
}

/** @throws BatonError `invalid-argument` or `unsupported`; `fields.path` names the key */
export function parseFunctionDocument(document: unknown, where = ''): FunctionSpec {
  if (document !== null && typeof document === 'object') refuseLater(document, where);
  const result = functionDocument.safeParse(document);
  if (!result.success) throw invalid(result.error, where);
  return toSpec(result.data, where);
}

function refuseLater(document: object, where: string): void {
  for (const key of Object.keys(document)) {
    const feature = Object.hasOwn(LATER, key) ? LATER[key] : undefined;
    if (feature === undefined) continue;
    throw new BatonError('unsupported', `${where}${key}: ${feature} are not there yet`, {
      fields: { path: `${where}${key}` },
      hint: 'leave the key out',
    });
  }
}

/** The first problem: one line that names the field and the fix. */
function invalid(error: z.ZodError, where: string): BatonError {
  const issue = error.issues[0];
  const keys =
    issue?.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0] ?? ''] : (issue?.path ?? []);
  const path = `${where}${keys.join('.')}`;
  const message = issue?.code === 'unrecognized_keys' ? 'no such key' : (issue?.message ?? 'invalid');
  return new BatonError('invalid-argument', `${path === '' ? 'document' : path}: ${message}`, {
    fields: { path },
    hint: 'docs/spec.md lists the keys, their ranges and defaults',
  });
}

function toSpec(parsed: Parsed, where: string): FunctionSpec {
  const fail = (path: string, message: string, hint: string): BatonError =>
    new BatonError('invalid-argument', `${where}${path}: ${message}`, {
      fields: { path: `${where}${path}` },
      hint,
    });
  if (parsed.runtime === 'javascript' && parsed.entry === '') {
    throw fail(
      'entry',
      'a javascript function needs the module to load',
      'name a file of the artifact, such as index.mjs',
    );
  }
  if (parsed.entry.startsWith('/') || parsed.entry.split('/').includes('..')) {
    throw fail('entry', 'must stay inside the artifact', 'give a relative path without ".."');
  }
  if (parsed.runtime === 'program' && parsed.command.length === 0) {
    throw fail('command', 'a program needs a command', 'give argv, such as ["python3", "main.py"]');
  }
  if (parsed.max > 0 && parsed.max < parsed.min) {
    throw fail(
      'max',
      `${parsed.max} is below min ${parsed.min}`,
      'raise max, lower min, or leave max out (0: no bound)',
    );
  }
  const env = Object.entries(parsed.env)
    .map(([name, value]) => ({ name, value }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  if (env.length > limits.envVars)
    throw fail('env', `more than ${limits.envVars} variables`, 'pass a file in the artifact');
  const bytes = env.reduce((sum, { name, value }) => sum + name.length + 3 * value.length, 0);
  if (bytes > limits.envBytes)
    throw fail('env', `more than ${limits.envBytes} bytes`, 'pass a file in the artifact');
  const selector = Object.entries(parsed.selector)
    .map(([name, value]) => ({ name, value }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  if (selector.length > limits.labels)
    throw fail('selector', `more than ${limits.labels} labels`, 'select by fewer');
  return {
    name: functionName(parsed.name),
    runtime: parsed.runtime,
    artifact: parsed.artifact as Digest,
    artifactBytes: parsed.artifactBytes,
    entry: parsed.entry,
    command: parsed.command,
    env,
    containerConcurrency: parsed.concurrency,
    scaling: {
      target: parsed.target ?? (parsed.concurrency > 0 ? parsed.concurrency : DEFAULT_TARGET),
      targetUtilizationPct: parsed.targetUtilizationPct,
      min: parsed.min,
      max: parsed.max,
      initial: parsed.initial,
      activation: parsed.activation,
      stableWindowMs: parsed.stableWindowMs,
      panicWindowPct: parsed.panicWindowPct,
      panicThresholdPct: parsed.panicThresholdPct,
      maxScaleUpRate: parsed.maxScaleUpRate,
      maxScaleDownRate: parsed.maxScaleDownRate,
      scaleDownDelayMs: parsed.scaleDownDelayMs,
      scaleToZeroGraceMs: parsed.scaleToZeroGraceMs,
      burstCapacity: parsed.burstCapacity,
    },
    timeoutMs: parsed.timeoutMs,
    queueTimeoutMs: parsed.queueTimeoutMs,
    resources: parsed.resources,
    loadBalancing: parsed.loadBalancing,
    placement: parsed.placement,
    selector,
  };
}

/** The way back: what `get -o yaml` shows can be applied again. */
export function toFunctionDocument(spec: FunctionSpec): FunctionDocument {
  return {
    name: spec.name,
    runtime: spec.runtime,
    artifact: spec.artifact,
    artifactBytes: spec.artifactBytes,
    entry: spec.entry,
    command: [...spec.command],
    env: Object.fromEntries(spec.env.map(({ name, value }) => [name, value])),
    concurrency: spec.containerConcurrency,
    ...spec.scaling,
    timeoutMs: spec.timeoutMs,
    queueTimeoutMs: spec.queueTimeoutMs,
    resources: spec.resources,
    loadBalancing: spec.loadBalancing,
    placement: spec.placement,
    selector: Object.fromEntries(spec.selector.map(({ name, value }) => [name, value])),
  };
}

/** `<base>-<nonce>`. */
export function parseRequestId(text: string): { base: number; nonce: string } {
  const match = /^(\d{1,15})-([A-Za-z0-9_-]{1,64})$/.exec(text);
  if (match === null) {
    throw new BatonError(
      'invalid-argument',
      `requestId: ${JSON.stringify(text.slice(0, 80))} is not a request id`,
      {
        fields: { path: 'requestId' },
        hint: 'send "<commit index>-<nonce>", with a commit index read from GetReplica',
      },
    );
  }
  return { base: Number(match[1]), nonce: match[2] ?? '' };
}
