/** Which errors are told: each once, and again when somebody edited the function and it is still there. */
import { basename } from 'node:path';

/**
 * While a function is broken any change beside it is reason to try again, and what was told may go to a file there
 * (`2>&1 | tee dev.log`): told again, it would never end.
 */
export class ErrorNews {
  #last: string | undefined;

  /**
   * @param changed names of what changed before
   * @param files the function's own
   */
  isNews(text: string, changed: readonly string[], files: readonly string[]): boolean {
    const isEdited = changed.some((name) => files.some((file) => basename(file) === basename(name)));
    const isNews = text !== this.#last || isEdited;
    this.#last = text;
    return isNews;
  }

  /** It works: the same error later is a new one. */
  onSuccess(): void {
    this.#last = undefined;
  }
}
