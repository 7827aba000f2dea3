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
  for (const key of Object.keys(fields).sort()) {
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
