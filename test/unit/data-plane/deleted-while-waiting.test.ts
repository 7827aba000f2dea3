/** A function is deleted while requests wait for it: what they are told is about its name, and a leader's word. */
import { beforeEach, describe, expect, it } from 'vitest';
import { ant, Plane } from './plane-fixture.ts';

let plane: Plane;

beforeEach(async () => {
  plane = await Plane.open();
  plane.call();
  await plane.quiet();
  expect([plane.answers, plane.sandboxes.sent], 'it waits for a sandbox').toEqual([[], []]);
});

describe('a request that waits for a function that is deleted', () => {
  it('is answered 404 when a leader says that there is none of this name', async () => {
    plane.registered = undefined;
    plane.publish([]);
    await plane.quiet();
    expect(plane.answers.map(({ status, reason }) => [status, reason])).toEqual([[404, 'unknown-function']]);
  });

  it('goes to the function that has its name now, as the same news says', async () => {
    plane.publish([ant(19)]);
    await plane.quiet();
    plane.start(19);
    await plane.quiet();
    expect([plane.answers, plane.sandboxes.sent]).toEqual([[], ['unix:/run/s-19.sock']]);
  });

  it('goes to the function that has its name now, as a leader says when it is asked', async () => {
    plane.registered = ant(30);
    plane.publish([]);
    await plane.quiet();
    plane.start(30);
    await plane.quiet();
    expect([plane.answers, plane.sandboxes.sent]).toEqual([[], ['unix:/run/s-30.sock']]);
  });
});
