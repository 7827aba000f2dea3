/** JSON with sorted keys: equal values, equal text, whatever the order in which their fields were set. */
export function canonical(value: unknown): string {
  if (typeof value === 'number' && Number.isFinite(value)) return `${value}`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  let text = '';
  if (Array.isArray(value)) {
    for (const item of value) text += (text === '' ? '' : ',') + canonical(item);
    return `[${text}]`;
  }
  const fields = value as Readonly<Record<string, unknown>>;
  for (const key of sortedKeys(fields)) {
    const field = fields[key];
    if (field === undefined) continue;
    text += `${text === '' ? '' : ','}"${key}":${key === 'spec' ? canonicalSpec(field as object) : canonical(field)}`;
  }
  return `{${text}}`;
}

/** A spec is looked at in its command and again in its record, and never changed: the larger part of both. */
const specs = new WeakMap<object, string>();

function canonicalSpec(spec: object): string {
  let text = specs.get(spec);
  if (text === undefined) specs.set(spec, (text = canonical(spec)));
  return text;
}

/** Keys as an object has them, and sorted. */
interface Shape {
  readonly keys: readonly string[];
  readonly sorted: readonly string[];
}

/** By first key, the last shape that began with it: what codecs make is of few shapes, and to sort their keys is most of the work. */
const shapes = new Map<string, Shape>();
const MAX_SHAPES = 256;

function sortedKeys(fields: object): readonly string[] {
  const keys = Object.keys(fields);
  const first = keys[0];
  if (first === undefined || keys.length === 1) return keys;
  const known = shapes.get(first);
  if (known !== undefined && isSame(known.keys, keys)) return known.sorted;
  const sorted = keys.toSorted();
  if (shapes.size >= MAX_SHAPES) shapes.clear();
  shapes.set(first, { keys, sorted });
  return sorted;
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
