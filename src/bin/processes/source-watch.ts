/** Tells that the sources of a function changed. Folders are watched, and names looked at: editors replace files. */
import { watch, type FSWatcher } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Sources } from '../../cli/package-function.ts';
import { BatonError } from '../../lib/errors.ts';

/** One save is several events. */
const SETTLE_MS = 50;
const MAX_NAMES = 3;

export class SourceWatch {
  readonly #watchers = new Map<string, FSWatcher>();
  #files: ReadonlySet<string> = new Set();
  #tree: string | undefined;
  #anything = false;
  readonly #changed = new Set<string>();
  #seen = 0;
  #wake: () => void = () => undefined;
  readonly #onAbort = (): void => this.#wake();

  /**
   * These from now on, and no others; changes that are not told yet still are.
   * @param anything whatever changes in their folders counts
   * @throws BatonError `io` when a folder cannot be watched
   */
  follow(sources: Sources, anything = false): void {
    this.#files = new Set(sources.files);
    this.#tree = sources.tree;
    this.#anything = anything;
    const folders = new Set(sources.files.map((file) => dirname(file)));
    if (sources.tree !== undefined) folders.add(sources.tree);
    for (const [folder, watcher] of this.#watchers) {
      if (folders.has(folder)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    for (const folder of folders) if (!this.#watchers.has(folder)) this.#add(folder);
  }

  #add(folder: string): void {
    try {
      const recursive = folder === this.#tree;
      const watcher = watch(folder, { recursive }, (_event, name) => this.#saw(folder, name));
      watcher.on('error', () => undefined);
      this.#watchers.set(folder, watcher);
    } catch (cause) {
      throw new BatonError('io', `cannot watch ${folder} for changes`, {
        hint: 'too many watches? raise fs.inotify.max_user_watches',
        cause,
      });
    }
  }

  #saw(folder: string, name: string | null): void {
    const isOurs =
      this.#anything || name === null || folder === this.#tree || this.#files.has(join(folder, name));
    if (!isOurs) return;
    if (this.#changed.size < MAX_NAMES) this.#changed.add(name ?? folder);
    this.#seen++;
    this.#wake();
  }

  /**
   * Resolves when something has changed since the last time, and nothing for a moment; or when the signal is given.
   * @returns what changed: names in their folders, the first few
   */
  async settled(signal: AbortSignal): Promise<readonly string[]> {
    if (this.#changed.size === 0) await this.#change(signal);
    for (let seen = -1; seen !== this.#seen && !signal.aborted;) {
      seen = this.#seen;
      await delay(SETTLE_MS, undefined, { signal }).catch(() => undefined);
    }
    const names = [...this.#changed];
    this.#changed.clear();
    return names;
  }

  async #change(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      signal.addEventListener('abort', this.#onAbort, { once: true });
    });
    signal.removeEventListener('abort', this.#onAbort);
  }

  close(): void {
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }
}
