/**
 * CONV: once faults have stopped, desired = placed = every data plane's view = what the workers truly have (R1). Sandboxes are
 * compared by id, the ready ones of the leader's table with all others.
 */
export interface Views {
  /** By the leader: every sandbox that it has in mind, in whatever state. */
  readonly leader: readonly { readonly id: string; readonly state: string }[];
  /** By the workers' own record: what is ready. */
  readonly workers: readonly string[];
  /** By data plane: what it would dispatch to. */
  readonly dataPlanes: ReadonlyMap<string, readonly string[]>;
  readonly scales: readonly { readonly function: string; readonly desired: number; readonly ready: number }[];
}

/** @returns the first difference in words; undefined: all are of one mind */
export function divergence({ leader, workers, dataPlanes, scales }: Views): string | undefined {
  const moving = leader.filter(({ state }) => state !== 'ready');
  if (moving.length > 0) return `not settled: ${moving.map(({ id, state }) => `${id} ${state}`).join(', ')}`;
  const table = leader.map(({ id }) => id);
  for (const [who, held] of [['workers', workers] as const, ...dataPlanes]) {
    const difference = compare(held, table);
    if (difference !== undefined) return `R1: ${who} and the leader differ: ${difference}`;
  }
  const off = scales.find(({ desired, ready }) => desired !== ready);
  return off === undefined ? undefined : `${off.function} has ${off.ready} of ${off.desired} sandboxes`;
}

function compare(held: readonly string[], table: readonly string[]): string | undefined {
  const [ours, theirs] = [new Set(held), new Set(table)];
  const twice = held.length - ours.size;
  const missing = table.filter((id) => !ours.has(id));
  const extra = held.filter((id) => !theirs.has(id));
  const told = [
    ...(missing.length > 0 ? [`missing [${missing.join(' ')}]`] : []),
    ...(extra.length > 0 ? [`too many [${extra.join(' ')}]`] : []),
    ...(twice > 0 ? [`${twice} twice`] : []),
  ];
  return told.length === 0 ? undefined : told.join(', ');
}
