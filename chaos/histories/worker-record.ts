/** What one worker has, by its own record: the truth that all views are compared with. */
import { textOf, type LogLine } from './process-log.ts';

export type RecordedState = 'starting' | 'ready' | 'draining';

export interface RecordedSandbox {
  readonly id: string;
  readonly function: string;
  readonly state: RecordedState;
  /** 0 where it has no process. */
  readonly pid: number;
}

export class WorkerRecord {
  /** Sandboxes that were ever started, by function. */
  readonly starts: Map<string, number> = new Map();
  /** Sandboxes that ended although their worker lives. */
  readonly ends: { readonly id: string; readonly reason: string }[] = [];
  readonly #sandboxes = new Map<string, RecordedSandbox>();

  /** Nothing survives the worker's process. */
  begin(): void {
    this.#sandboxes.clear();
  }

  hear(line: LogLine): void {
    const id = textOf(line, 'sandbox');
    if (id === '') return;
    const known = this.#sandboxes.get(id);
    switch (line.message) {
      case 'sandbox starts': {
        const name = textOf(line, 'function');
        this.starts.set(name, (this.starts.get(name) ?? 0) + 1);
        this.#sandboxes.set(id, { id, function: name, state: 'starting', pid: 0 });
        return;
      }
      case 'sandbox is up':
        if (known?.state !== 'starting') return;
        this.#sandboxes.set(id, { ...known, state: 'ready', pid: Number(line.fields['pid']) });
        return;
      case 'command obeyed':
        if (known === undefined || !['drain', 'kill'].includes(textOf(line, 'command'))) return;
        this.#sandboxes.set(id, { ...known, state: 'draining' });
        return;
      case 'sandbox is gone':
        if (this.#sandboxes.delete(id)) this.ends.push({ id, reason: textOf(line, 'reason') });
        return;
      default:
    }
  }

  get sandboxes(): readonly RecordedSandbox[] {
    return [...this.#sandboxes.values()];
  }

  get ready(): readonly RecordedSandbox[] {
    return this.sandboxes.filter(({ state }) => state === 'ready');
  }
}
