/** A data plane that can open no connection: that is its own trouble, and no sandbox's. */
import { expect, it } from 'vitest';
import { Plane } from './plane-fixture.ts';

it('a request that could not be sent is tried again, and then told that there is no capacity', async () => {
  const plane = await Plane.open();
  plane.start(7);
  plane.sandboxes.failures = Array.from({ length: 100 }, () => 'unsent' as const);
  plane.call();
  await plane.quiet();
  expect(plane.sandboxes.sent.length).toBeGreaterThan(1);
  expect(plane.answers.map(({ status, reason }) => [status, reason])).toEqual([[503, 'no-capacity']]);
});

it('goes through as soon as there is a connection', async () => {
  const plane = await Plane.open();
  plane.start(7);
  plane.sandboxes.failures = ['unsent', 'unsent'];
  plane.call();
  await plane.quiet();
  expect(plane.answers).toEqual([]);
  expect(plane.sandboxes.sent).toHaveLength(3);
});
