/** Virtual time for code with promises: between two events every promise that is settled runs. */
import { EventQueue } from './event-queue.ts';

/** Turns of the real loop that are taken at once: each costs a system call, whatever runs in it. */
const TURNS = 64;

export class Scheduler extends EventQueue {
  /** Runs events until virtual time `untilMs`, or until `done` says so. */
  runUntil(untilMs: number, done: () => boolean = () => false): Promise<boolean> {
    return new Promise((resolve, reject) => {
      let ended = false;
      const step = (): void => {
        if (ended) return;
        try {
          const reached = done();
          if (!reached && this.runNext(untilMs)) return;
          ended = true;
          resolve(reached);
        } catch (error) {
          ended = true;
          reject(error);
        }
      };
      // Node empties the queue of microtasks after each immediate, also between those of one turn.
      const turn = (): void => {
        if (ended) return;
        for (let i = 0; i < TURNS; i++) setImmediate(step);
        setImmediate(turn);
      };
      turn();
    });
  }
}
