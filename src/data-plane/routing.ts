/** Which function a request means: `/function/<name>[/path]`, or Host `<name>` or `<name>.<domain>`. */
import { type FunctionName, functionName, isLabel } from '../lib/ids.ts';

export type Route =
  | { readonly kind: 'function'; readonly name: FunctionName; readonly target: string }
  /** Known by name, not there yet. */
  | { readonly kind: 'unsupported'; readonly what: string }
  /** A path of the data plane's own: `/healthz`, `/readyz`, `/metrics`. */
  | { readonly kind: 'own'; readonly path: OwnPath }
  /** No function can have this name. */
  | { readonly kind: 'unknown-function'; readonly name: string }
  | { readonly kind: 'no-route' };

export type OwnPath = '/healthz' | '/readyz' | '/metrics';

const OWN_PATHS: ReadonlySet<string> = new Set<OwnPath>(['/healthz', '/readyz', '/metrics']);
const FUNCTION = '/function/';
const ASYNC = '/async-function/';

export interface RoutingTable {
  readonly domain: string;
  isKnown(name: FunctionName): boolean;
}

/**
 * A Host under the domain always names a function. A Host of one label (which may as well be the name of this machine)
 * names one if it is known, or if the path means nothing else.
 */
export function route(host: string, target: string, table: RoutingTable): Route {
  const suffix = `.${table.domain}`;
  if (host.endsWith(suffix)) {
    const name = host.slice(0, -suffix.length);
    return isLabel(name)
      ? { kind: 'function', name: functionName(name), target: slashed(target) }
      : { kind: 'unknown-function', name };
  }
  const label = isLabel(host) && host !== 'localhost' ? functionName(host) : undefined;
  if (label !== undefined && table.isKnown(label))
    return { kind: 'function', name: label, target: slashed(target) };
  if (target.startsWith(FUNCTION)) return byPath(target);
  if (target.startsWith(ASYNC)) return { kind: 'unsupported', what: 'asynchronous invocation' };
  const path = target.split('?', 1)[0] ?? '';
  if (OWN_PATHS.has(path)) return { kind: 'own', path: path as OwnPath };
  if (label !== undefined) return { kind: 'function', name: label, target: slashed(target) };
  return { kind: 'no-route' };
}

function byPath(target: string): Route {
  const rest = target.slice(FUNCTION.length);
  const end = rest.search(/[/?]/);
  const name = end === -1 ? rest : rest.slice(0, end);
  if (!isLabel(name)) return { kind: 'unknown-function', name };
  return { kind: 'function', name: functionName(name), target: slashed(end === -1 ? '' : rest.slice(end)) };
}

/** Origin form for the sandbox: a path that begins with "/", and the query as it came. */
function slashed(target: string): string {
  if (target.startsWith('/')) return target;
  return target === '*' ? '/' : `/${target}`;
}
