/** What is replicated about a function: its specification and the identity that Raft gave it. */
import type { Digest, FunctionName, FunctionUid } from '../../lib/ids.ts';

/** `javascript`: a module with a web-standard handler. `program`: anything that listens on `$PORT`. */
export type FunctionRuntime = 'javascript' | 'program';

export type LoadBalancing = 'two-choices' | 'round-robin' | 'random' | 'least-loaded';

/** Names of what a worker is scored by; least-allocated is balanced too (core/placement). */
export const PLACEMENT_STRATEGIES = [
  'least-allocated',
  'bin-packing',
  'random',
  'round-robin',
  'artifact-locality',
] as const;
export type PlacementStrategy = (typeof PLACEMENT_STRATEGIES)[number];

/** Of a worker: what it is. In a selector: what a worker must be. */
export interface Label {
  readonly name: string;
  readonly value: string;
}

export interface EnvVar {
  readonly name: string;
  readonly value: string;
}

/** Knative KPA's knobs, under our names. Percentages are 0–100 (`panicThresholdPct` may exceed 100). */
export interface ScalingSpec {
  /** Soft target of requests in flight per sandbox; ignored while a lower hard limit is set. */
  readonly target: number;
  readonly targetUtilizationPct: number;
  readonly min: number;
  /** 0 means no upper bound but the cluster's capacity. */
  readonly max: number;
  /** Sandboxes started when the function is created. */
  readonly initial: number;
  /** Smallest scale that is not zero. */
  readonly activation: number;
  readonly stableWindowMs: number;
  readonly panicWindowPct: number;
  readonly panicThresholdPct: number;
  /** Factors of what is ready, per two seconds. */
  readonly maxScaleUpRate: number;
  readonly maxScaleDownRate: number;
  readonly scaleDownDelayMs: number;
  readonly scaleToZeroGraceMs: number;
  /**
   * Requests that are to find room beside the present load: while there is room for fewer, the present load counts at once and
   * is not averaged. 0: at scale zero only, -1: always (Knative's target-burst-capacity).
   */
  readonly burstCapacity: number;
}

export interface ResourceSpec {
  readonly cpuMillis: number;
  readonly memoryMiB: number;
}

export interface FunctionSpec {
  readonly name: FunctionName;
  readonly runtime: FunctionRuntime;
  /** The artifact is a gzip tar; this is its SHA-256. */
  readonly artifact: Digest;
  readonly artifactBytes: number;
  /** `javascript`: the module's path inside the artifact. */
  readonly entry: string;
  /** `program`: argv, run in the unpacked artifact. */
  readonly command: readonly string[];
  /** Sorted by name. */
  readonly env: readonly EnvVar[];
  /** Hard limit of requests in flight per sandbox across all data planes; 0 is none. */
  readonly containerConcurrency: number;
  readonly scaling: ScalingSpec;
  /** From the request head written to the sandbox to its response head. */
  readonly timeoutMs: number;
  /** How long a request may wait for a free slot. */
  readonly queueTimeoutMs: number;
  readonly resources: ResourceSpec;
  readonly loadBalancing: LoadBalancing;
  /** `default`: as the control plane's configuration says. */
  readonly placement: PlacementStrategy | 'default';
  /** Sorted by name; a worker must have them all. */
  readonly selector: readonly Label[];
}

export interface FunctionRecord {
  readonly uid: FunctionUid;
  /** 1, 2, 3 … for people. */
  readonly generation: number;
  /** The Raft index of the command that made this generation; travels on the wire. */
  readonly specIndex: number;
  readonly spec: FunctionSpec;
}
