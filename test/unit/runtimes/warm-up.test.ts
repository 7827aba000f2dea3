/** A stem cell answers two requests of its own before it waits for a function. */
import { expect, it } from 'vitest';
import { warmUp } from '../../../src/adapters/runtimes/process/warm-up.ts';

it('reads and answers requests with and without a body, without a socket', async () => {
  expect(await warmUp()).toBe(true);
});
