/** Log lines of sandboxes, asked of every worker at once. A worker that does not answer is left out, and asked from where it was next time. */
import { isBatonError } from '../lib/errors.ts';
import type { FunctionUid, ReplicaId, SandboxId, WorkerId } from '../lib/ids.ts';
import type { LogCursors, LogPage } from '../api/backend.ts';
import type { Bus } from '../ports/bus.ts';
import type { Subjects } from '../wire/subjects.ts';
import { decodeLogReply, encodeLogQuery } from '../wire/worker-codec.ts';

const LOG_TIMEOUT_MS = 1_000;

export interface WorkerLogsQuery {
  /** 0: of all functions. */
  readonly uid: FunctionUid;
  /** Empty: of all sandboxes. */
  readonly sandbox: SandboxId | '';
  readonly cursors: readonly LogCursors[];
  /** Lines of each worker. */
  readonly limit: number;
}

export async function workerLogs(
  { bus, subjects, self }: { bus: Bus; subjects: Subjects; self: ReplicaId },
  workers: readonly WorkerId[],
  { uid, sandbox, cursors, limit }: WorkerLogsQuery,
): Promise<LogPage> {
  const after = new Map(cursors.map((cursor) => [cursor.worker, cursor.after]));
  const pages = await Promise.all(
    workers.map(async (worker) => {
      const payload = encodeLogQuery({ uid, sandbox, after: after.get(worker) ?? 0, limit });
      try {
        const reply = await bus.request(subjects.query(worker, self), payload, LOG_TIMEOUT_MS);
        return { worker, ...decodeLogReply(reply.payload) };
      } catch (error) {
        if (!isBatonError(error)) throw error;
        return { worker, lines: [], cursor: after.get(worker) ?? 0, dropped: 0 };
      }
    }),
  );
  const rows = pages.flatMap(({ worker, lines }) => lines.map((line) => ({ ...line, worker })));
  rows.sort((a, b) => a.wallMs - b.wallMs || a.cursor - b.cursor);
  return {
    rows,
    cursors: pages.map(({ worker, cursor }) => ({ worker, after: cursor })),
    dropped: pages.reduce((sum, { dropped }) => sum + dropped, 0),
  };
}
