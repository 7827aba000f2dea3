/** Which promise of the simulator a violation speaks of: the text that oracles write, without its particulars. */

const NAMED =
  /^(?:R\d|FENCE|LEDGER|LIN|[a-z][a-z -]+ safety|log matching|leader completeness|durable majority)(?=:)/;

const DESCRIBED: readonly (readonly [RegExp, string])[] = [
  [/is not on its disk|has (?:one of term )?\d+ on its disk/, 'persist before reply'],
  [/durability: /, 'durability'],
  [/votes (?:for|of term \d+ to) .* and (?:for|to)/, 'one vote a term'],
  [/stored term goes from|comes back in term/, 'no regression of the term'],
  [/answered a request sent after version/, 'confirmed version'],
  [/not settled|no leader \d+ ms after the start/, 'liveness'],
  [/cannot go on: (?!the disk)/, 'assertion'],
  [/does not start/, 'restart'],
  [/the run ended/, 'exception'],
];

/** @param violation as the simulator prints it, "12.345: what happened" */
export function oracleOf(violation: string): string {
  const text = violation.replace(/^[\d.]+: /, '');
  return NAMED.exec(text)?.[0] ?? DESCRIBED.find(([pattern]) => pattern.test(text))?.[1] ?? text.slice(0, 60);
}
