/** What a leader tells about itself, by kind. docs/events.md says when each is said; a test holds the two together. */
export const EVENT_KINDS = [
  'leading',
  'stepped-down',
  'reconciled',
  'registered',
  'deleted',
  'scaled',
  'no-capacity',
  'placed',
  'start-failed',
  'sandbox-gone',
  'withdrawn',
  'swept',
  'owner',
  'worker-joined',
  'worker-silent',
  'worker-dead',
  'draining',
  'drained',
  'data-plane-joined',
  'data-plane-gone',
  'refused',
] as const;

export type EventKind = (typeof EVENT_KINDS)[number];

export function isEventKind(text: string): text is EventKind {
  return (EVENT_KINDS as readonly string[]).includes(text);
}
