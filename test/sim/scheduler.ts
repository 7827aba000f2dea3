/** Virtual time for code with promises: between two events every promise that is settled runs. */
import { EventQueue } from './event-queue.ts';

export class Scheduler extends EventQueue {
  /** Runs events until virtual time `untilMs`, or until `done` says so. */
  async runUntil(untilMs: number, done: () => boolean = () => false): Promise<boolean> {
    await settle();
    while (!done()) {
      if (!this.runNext(untilMs)) return false;
      await settle();
    }
    return true;
  }
}

/** Promises run to their end before the next event: a turn of the real loop empties the queue of microtasks. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
