/**
 * What sandboxes wrote, bounded per sandbox and in the number of sandboxes that are remembered after their end. Lines are
 * numbered across the worker, so that one cursor follows any selection.
 */
import type { FunctionUid, SandboxId } from '../../lib/ids.ts';
import { limits } from '../../lib/limits.ts';
import type { LogQuery, LogRecord, LogReply } from '../model/query.ts';

interface Stored {
  readonly cursor: number;
  readonly wallMs: number;
  readonly stream: 'stdout' | 'stderr';
  readonly text: string;
}

interface SandboxLog {
  uid: FunctionUid;
  lines: Stored[];
  bytes: number;
  dropped: number;
  lastDropped: number;
  ended: boolean;
}

const KEPT_AFTER_END = 64;
/** Of one reply: well within a message, whatever the text encodes to. */
const REPLY_CHARACTERS = 120_000;
const LINE_OVERHEAD = 100;

export class LogBuffer {
  /** In order of creation. */
  readonly #logs = new Map<SandboxId, SandboxLog>();
  #cursor = 0;
  #ended = 0;

  /** Also when its function becomes known: a trial that was adopted. */
  belongsTo(sandbox: SandboxId, uid: FunctionUid): void {
    this.#log(sandbox).uid = uid;
  }

  add(sandbox: SandboxId, stream: 'stdout' | 'stderr', text: string, wallMs: number): void {
    const log = this.#log(sandbox);
    log.lines.push({ cursor: ++this.#cursor, wallMs, stream, text: text.slice(0, limits.logLineBytes) });
    log.bytes += text.length + LINE_OVERHEAD;
    while (log.bytes > limits.logBytesPerSandbox && log.lines.length > 1) {
      const gone = log.lines.shift();
      if (gone === undefined) break;
      log.bytes -= gone.text.length + LINE_OVERHEAD;
      log.dropped++;
      log.lastDropped = gone.cursor;
    }
  }

  end(sandbox: SandboxId): void {
    const log = this.#logs.get(sandbox);
    if (log === undefined || log.ended) return;
    log.ended = true;
    if (++this.#ended <= KEPT_AFTER_END) return;
    for (const [id, candidate] of this.#logs) {
      if (!candidate.ended) continue;
      this.#logs.delete(id);
      this.#ended--;
      return;
    }
  }

  query({ uid, sandbox, after, limit }: LogQuery): LogReply {
    const found: LogRecord[] = [];
    let dropped = 0;
    for (const [id, log] of this.#logs) {
      if ((sandbox !== '' && id !== sandbox) || (uid !== 0 && log.uid !== uid)) continue;
      if (log.lastDropped > after) dropped += Math.min(log.dropped, log.lastDropped - after);
      for (const line of log.lines)
        if (line.cursor > after) found.push({ ...line, sandbox: id, uid: log.uid });
    }
    found.sort((a, b) => a.cursor - b.cursor);
    const lines: LogRecord[] = [];
    let characters = 0;
    for (const line of found) {
      characters += line.text.length + LINE_OVERHEAD;
      if (lines.length >= limit || (lines.length > 0 && characters > REPLY_CHARACTERS)) break;
      lines.push(line);
    }
    return { lines, cursor: lines.at(-1)?.cursor ?? Math.max(after, 0), dropped };
  }

  #log(sandbox: SandboxId): SandboxLog {
    let log = this.#logs.get(sandbox);
    if (log === undefined) {
      log = { uid: 0 as FunctionUid, lines: [], bytes: 0, dropped: 0, lastDropped: 0, ended: false };
      this.#logs.set(sandbox, log);
    }
    return log;
  }
}
