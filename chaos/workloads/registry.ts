/** Registrations as a workload of a scenario: clients, what they saw, and the verdicts on it (LIN, and nothing lost). */
import { explain, isBatonError } from '../../src/lib/errors.ts';
import type { Prng } from '../../src/lib/prng.ts';
import type { Chronicle } from '../histories/chronicle.ts';
import { History, type Distribution } from '../histories/history.ts';
import { lostRegistrations, type FinalRead } from '../histories/lost.ts';
import { checkHistory } from '../histories/verdicts.ts';
import type { Observer } from '../observer.ts';
import type { Stage } from '../stage.ts';
import type { RegistryInput } from '../verifiers/registry-model.ts';
import { verdict, type Verdict } from '../verifiers/verdict.ts';
import { MetadataWorkload, twelveClients } from './metadata.ts';

export interface RegistryVerdicts {
  /** What clients saw fits a registry that exists once. */
  readonly lin: Verdict;
  /** Acknowledged registrations are there at the end. */
  readonly lost: Verdict;
  readonly lostRegistrations: number;
  /** SVG by function: what no single copy could have produced. */
  readonly pictures: ReadonlyMap<string, string>;
}

export interface RegistryFigures {
  readonly operations: number;
  readonly unknownOutcomes: number;
  readonly retriedOperations: number;
  /** Calls that brought no outcome, by error code. */
  readonly failedCalls: Readonly<Record<string, number>>;
  readonly operationMs: Readonly<Record<RegistryInput['kind'], Distribution>>;
}

export class RegistryClients {
  readonly history: History;
  readonly #stage: Stage;
  readonly #workload: MetadataWorkload;

  private constructor(stage: Stage, history: History, workload: MetadataWorkload) {
    this.#stage = stage;
    this.history = history;
    this.#workload = workload;
  }

  static async prepare(stage: Stage, observer: Observer, chronicle: Chronicle): Promise<RegistryClients> {
    const history = new History();
    const workload = await MetadataWorkload.prepare({
      history,
      replicas: stage.replicas,
      signal: stage.signal,
      leader: () => chronicle.leader.id,
      isUp: (id) => observer.up.has(id),
    });
    return new RegistryClients(stage, history, workload);
  }

  /** @param count of the twelve, the last ones first: among them are all kinds */
  start(count: number, random: Prng): void {
    this.#workload.start(twelveClients.slice(-count), random);
  }

  get open(): number {
    return this.#workload.open;
  }

  /** Resolves when the last operation has ended. */
  stop(): Promise<void> {
    return this.#workload.stop();
  }

  /**
   * Reads everything once more through every replica.
   * @returns answers that no client should get, and what could not be read; and the verdicts
   */
  async judge(
    title: string,
    progress: (line: string) => void,
  ): Promise<{ readonly wrong: readonly string[]; readonly verdicts: RegistryVerdicts }> {
    const { history } = this;
    const lost = new Set<string>();
    const wrong = [...this.#workload.failures];
    for (const { id } of this.#stage.replicas) {
      progress(`reading everything through ${id} …`);
      try {
        for (const [name, final] of await this.#workload.readAll(id))
          for (const what of lostRegistrations(name, history.of(name), final as FinalRead)) lost.add(what);
      } catch (error) {
        if (isBatonError(error, 'canceled')) throw error;
        wrong.push(explain(error));
      }
    }
    progress(`checking ${history.operations} operations …`);
    const { violations, undecided, operations, functions } = checkHistory(history, title);
    const misfits = [...violations.map(({ what }) => what), ...undecided.map((name) => `${name}: undecided`)];
    return {
      wrong,
      verdicts: {
        lin: verdict(misfits, `${operations} operations on ${functions} functions`),
        lost: verdict([...lost], 'nothing'),
        lostRegistrations: lost.size,
        pictures: new Map(violations.map(({ name, svg }) => [name, svg])),
      },
    };
  }

  /** As they appear in a run's JSON; milliseconds are those of answered operations, retries included. */
  figures(): RegistryFigures {
    const { history } = this;
    const { retried, failedCalls } = this.#workload;
    return {
      operations: history.operations,
      unknownOutcomes: history.unknown,
      retriedOperations: retried,
      failedCalls: Object.fromEntries(failedCalls),
      operationMs: {
        put: history.latencies('put'),
        delete: history.latencies('delete'),
        get: history.latencies('get'),
      },
    };
  }
}
