/** Kinds of events as callers name them. */
import { EVENT_KINDS, isEventKind, type EventKind } from '../core/leader/event-kinds.ts';
import { BatonError } from '../lib/errors.ts';

/** @throws BatonError `invalid-argument` */
export function parseEventKind(text: string): EventKind {
  if (isEventKind(text)) return text;
  throw new BatonError(
    'invalid-argument',
    `kind: ${JSON.stringify(text.slice(0, 40))} is not a kind of event`,
    {
      fields: { path: 'kind' },
      hint: `there are ${EVENT_KINDS.join(', ')}`,
    },
  );
}
