/**
 * A driver that runs sandboxes. The worker decides; a driver prepares, starts, drains and kills, and says what became
 * of what it started. Drivers: process, simulated; later oci, containerd.
 */
import type { FunctionUid, SandboxId } from '../lib/ids.ts';
import type { FunctionSpec } from '../core/model/function.ts';
import type { SandboxAddress, StartStage } from '../core/model/sandbox.ts';

export interface StartRequest {
  readonly sandbox: SandboxId;
  readonly uid: FunctionUid;
  readonly generation: number;
  readonly spec: FunctionSpec;
  /** The unpacked artifact, read-only; empty for drivers that need none. */
  readonly artifactDir: string;
}

export interface StartedSandbox {
  /** Accepts connections now. */
  readonly address: SandboxAddress;
  readonly pid: number;
  readonly stages: readonly StartStage[];
}

export interface SandboxExit {
  readonly sandbox: SandboxId;
  /** "exit 1", "signal SIGKILL", "killed after drain" … */
  readonly reason: string;
  /** Last output lines, bounded. */
  readonly log: string;
}

export interface LogLine {
  readonly sandbox: SandboxId;
  readonly wallMs: number;
  readonly stream: 'stdout' | 'stderr';
  readonly text: string;
}

export interface SandboxRuntime {
  readonly name: string;
  /** For people: what keeps a sandbox from its host and its neighbours. */
  readonly isolation: string;
  /** Whether `artifactDir` must be unpacked before a start. */
  readonly needsArtifacts: boolean;
  /** Makes ready what any start will need (a pool of generic runtimes, a base image); idempotent. */
  prepare(): Promise<void>;
  /**
   * Resolves once the sandbox accepts requests.
   * @throws BatonError `trial-failed` with `fields.log` when the function itself failed to load, `timeout`, `io`
   */
  start(request: StartRequest): Promise<StartedSandbox>;
  /** Stops accepting, lets running requests finish, then ends; killed after `graceMs`. The exit is reported by onExit. */
  drain(sandbox: SandboxId, graceMs: number): void;
  kill(sandbox: SandboxId): void;
  /** Every sandbox that was started, or was starting, ends in exactly one exit. */
  onExit(handler: (exit: SandboxExit) => void): void;
  onLog(handler: (line: LogLine) => void): void;
  /** Ends everything that this driver started, children of arbitrary programs included. */
  close(): Promise<void>;
}
