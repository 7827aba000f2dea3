/** What any replica may ask of a worker, answered at once from the worker's own memory. */
import type { FunctionUid, SandboxId } from '../../lib/ids.ts';

export interface LogQuery {
  /** 0: any function. */
  readonly uid: FunctionUid;
  /** Empty: any sandbox. */
  readonly sandbox: SandboxId | '';
  /** Lines after this cursor; 0 begins with the oldest line kept. */
  readonly after: number;
  readonly limit: number;
}

export interface LogRecord {
  readonly cursor: number;
  readonly sandbox: SandboxId;
  readonly uid: FunctionUid;
  readonly wallMs: number;
  readonly stream: 'stdout' | 'stderr';
  readonly text: string;
}

export interface LogReply {
  readonly lines: readonly LogRecord[];
  /** Pass as `after` to go on. */
  readonly cursor: number;
  /** Lines that fell out of the bounded buffer between `after` and the first line here. */
  readonly dropped: number;
}
