/**
 * What the processes put on the record: who led when, how each term began, whose word was taken, and under which fence workers acted. All
 * moments are of the machine's one monotonic clock, stamped by the process that saw them.
 */
import { ProcessLog, textOf, type LogLine } from '../../chaos/histories/process-log.ts';
import { FenceWitness } from '../../chaos/verifiers/fence.ts';

/** Whose logs are read; of workers, those that note what they obey. */
export interface Recorded {
  readonly replicas: readonly string[];
  readonly dataPlanes: readonly { readonly id: string }[];
  readonly workers: readonly string[];
  logOf(id: string): string;
}

export interface Story {
  readonly replica: string;
  readonly term: number;
  readonly cause: string;
  readonly campaigns: number;
  /** Created first under the term. */
  readonly sandbox: string;
  readonly atMs: Readonly<Record<string, number>>;
}

/** What a data plane noted about a term. */
interface Hearing {
  heardMs: number;
  /** The first sandbox that came in under it. */
  sandbox: string;
  sandboxMs: number;
}

export interface TermSeen {
  readonly term: number;
  /** When a replica first said that it is in this term. */
  readonly atMs: number;
}

export class Records {
  readonly fences: FenceWitness = new FenceWitness();
  readonly #logs: readonly (readonly [string, ProcessLog])[];
  readonly #leading = new Map<number, Story>();
  readonly #stories = new Map<number, Story>();
  readonly #terms = new Map<number, number>();
  readonly #hearings = new Map<string, Hearing>();
  readonly #roles = new Map<string, { readonly role: string; readonly term: number }>();

  constructor(cluster: Recorded) {
    const ids = [...cluster.replicas, ...cluster.dataPlanes.map(({ id }) => id), ...cluster.workers];
    this.#logs = ids.map((id) => [id, new ProcessLog(cluster.logOf(id))]);
  }

  read(): void {
    for (const [id, log] of this.#logs) for (const line of log.read()) this.#note(id, line);
  }

  #note(id: string, line: LogLine): void {
    const term = numberOf(line, 'term');
    switch (line.message) {
      case 'raft':
        this.#terms.set(term, Math.min(this.#terms.get(term) ?? Infinity, numberOf(line, 'atMs')));
        this.#roles.set(id, { role: textOf(line, 'role'), term });
        return;
      case 'leading: the no-op of this term is applied':
        this.#leading.set(term, storyOf(id, line));
        return;
      case 'the first cold start of this term':
        this.#stories.set(term, storyOf(id, line));
        return;
      case 'fence believed':
        this.#hearing(id, term).heardMs = numberOf(line, 'atMs');
        return this.#acted(id, line);
      case 'the first new sandbox of this term':
        Object.assign(this.#hearing(id, term), {
          sandbox: textOf(line, 'sandbox'),
          sandboxMs: numberOf(line, 'atMs'),
        });
        return;
      case 'command obeyed':
        return this.#acted(id, line);
      default:
    }
  }

  #acted(id: string, line: LogLine): void {
    this.fences.see(id, { epoch: numberOf(line, 'epoch'), term: numberOf(line, 'term') });
  }

  #hearing(dataPlane: string, term: number): Hearing {
    const key = `${dataPlane} ${term}`;
    const known = this.#hearings.get(key) ?? { heardMs: 0, sandbox: '', sandboxMs: 0 };
    this.#hearings.set(key, known);
    return known;
  }

  /** Of a term above this one that somebody leads; the highest. */
  leadingAbove(term: number): Story | undefined {
    const terms = [...this.#leading.keys()].filter((led) => led > term);
    return terms.length === 0 ? undefined : this.#leading.get(Math.max(...terms));
  }

  /** With the first cold start; undefined before there was one. */
  story(term: number): Story | undefined {
    return this.#stories.get(term);
  }

  heard(dataPlane: string, term: number): Hearing | undefined {
    return this.#hearings.get(`${dataPlane} ${term}`);
  }

  /** What the replica said last of itself. */
  role(replica: string): { readonly role: string; readonly term: number } | undefined {
    return this.#roles.get(replica);
  }

  get terms(): readonly TermSeen[] {
    return [...this.#terms].map(([term, atMs]) => ({ term, atMs })).sort((a, b) => a.term - b.term);
  }
}

function storyOf(replica: string, line: LogLine): Story {
  return {
    replica,
    term: numberOf(line, 'term'),
    cause: textOf(line, 'cause'),
    campaigns: numberOf(line, 'campaigns'),
    sandbox: textOf(line, 'sandbox'),
    atMs: (line.fields['atMs'] ?? {}) as Record<string, number>,
  };
}

function numberOf({ fields }: LogLine, name: string): number {
  const value = fields[name];
  return typeof value === 'number' ? value : 0;
}
