/** What a verifier says: whether it holds, and in words what was seen. */
export interface Verdict {
  readonly ok: boolean;
  readonly what: string;
}

/** Nothing wrong is right; the first few of what is wrong are told. */
export function verdict(wrong: readonly string[], right: string): Verdict {
  const told = wrong.slice(0, 5).join('; ');
  const more = wrong.length > 5 ? `; and ${wrong.length - 5} more` : '';
  return { ok: wrong.length === 0, what: wrong.length === 0 ? right : told + more };
}
