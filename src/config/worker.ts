/**
 * The file of one worker process (`baton worker --config FILE`).
 *
 *   W1  more than one worker in a process (a fleet) is for the simulated runtime only: real sandboxes die with their worker,
 *       so each worker has a process of its own.
 */
import { availableParallelism, totalmem } from 'node:os';
import * as z from 'zod';
import { workerId, type ClusterId, type WorkerId } from '../lib/ids.ts';
import { BatonError } from '../lib/errors.ts';
import { limits } from '../lib/limits.ts';
import {
  clusterField,
  complain,
  labelsField,
  logField,
  milliseconds,
  natsField,
  orUndefined,
  pathField,
  portField,
  secretField,
  workerField,
  type LabelSetting,
  type LogSettings,
  type NatsClient,
} from './common.ts';
import { check, load, type ParseContext } from './parse.ts';

export interface WorkerFile {
  readonly cluster: ClusterId;
  readonly worker: WorkerId;
  /** Artifacts, the highest fence seen, sockets; relative to this file. */
  readonly stateDir: string;
  readonly nats: NatsClient;
  readonly runtime: 'process' | 'simulated';
  /** `simulated`: mean start latency. */
  readonly startMs: number;
  /** `simulated`: this process is as many workers, `<worker>-1` and on, over one connection; left out: it is one worker. */
  readonly fleet: number | undefined;
  /** What may be placed here; left out: this machine's processors and three quarters of its memory. */
  readonly capacity: {
    readonly cpuMillis: number;
    readonly memoryMiB: number;
    readonly sandboxes: number;
  };
  /** `process`: generic runtimes kept booted for the next cold start. */
  readonly stemCells: number;
  /** `process`: programs listen on these; none is used again within ten minutes (R7). */
  readonly ports: { readonly from: number; readonly to: number };
  /** `process`: where data planes on other hosts reach this one; left out: unix sockets and loopback. */
  readonly host: string | undefined;
  /** `process`: the one address on which sandboxes listen where `host` is given; left out: all of this machine's. */
  readonly listenHost: string | undefined;
  /** What functions select this worker by: `{ disk: ssd }`; sorted by name. */
  readonly labels: readonly LabelSetting[];
  readonly heartbeatMs: number;
  readonly tokens: {
    /** Presented to replicas when an artifact is fetched. */
    readonly worker: string;
  };
  readonly log: LogSettings;
}

/** How many workers one process may be. */
export const fleetField: z.ZodType<number> = z.int().min(1).max(limits.fleet);

/** The workers of a fleet: each an id of its own. @throws BatonError `invalid-argument` when they get too long */
export function fleetIds(worker: string, fleet: number): WorkerId[] {
  return Array.from({ length: fleet }, (_, i) => workerId(`${worker}-${i + 1}`));
}

/** A sandbox asks for 50 mCPU by default: a machine is shared by many that are mostly idle. */
const CPU_OVERCOMMIT = 4;

function fields(context: ParseContext): z.ZodType<WorkerFile> {
  return z
    .strictObject({
      cluster: clusterField,
      worker: workerField,
      stateDir: pathField(context),
      nats: natsField,
      runtime: z.enum(['process', 'simulated']).default('process'),
      startMs: milliseconds(10, 0, 600_000),
      fleet: orUndefined(fleetField),
      capacity: z
        .strictObject({
          cpuMillis: z
            .int()
            .min(1)
            .default(availableParallelism() * 1_000 * CPU_OVERCOMMIT),
          memoryMiB: z
            .int()
            .min(1)
            .default(Math.floor((totalmem() / 1_048_576) * 0.75)),
          sandboxes: z.int().min(1).max(limits.sandboxesPerWorker).default(256),
        })
        .prefault({}),
      stemCells: z.int().min(0).max(64).default(2),
      ports: z.strictObject({ from: portField, to: portField }).default({ from: 20_000, to: 29_999 }),
      host: orUndefined(z.string().min(1).max(253)),
      listenHost: orUndefined(z.string().min(1).max(253)),
      labels: labelsField.prefault({}),
      heartbeatMs: milliseconds(1_000, 50, 60_000),
      tokens: z.strictObject({ worker: secretField }),
      log: logField,
    })
    .superRefine((file, refinement) => {
      if (file.runtime !== 'simulated' && file.fleet !== undefined)
        complain(refinement, ['fleet'], 'only with the simulated runtime', 'start one process per worker');
      if (file.ports.from < 1_024 || file.ports.to < file.ports.from)
        complain(refinement, ['ports'], 'not a range of ports', 'give from ≥ 1024 and to ≥ from');
      if (file.listenHost !== undefined && file.host === undefined)
        complain(refinement, ['listenHost'], 'only with host', 'give host, or leave listenHost out');
    });
}

/**
 * @param labels `NAME=VALUE` of the command line: beside those of the file, or instead of them
 * @throws BatonError `invalid-argument` with the path of the key, or `--label`
 */
export function loadWorkerFile(file: string, labels: readonly string[] = []): WorkerFile {
  const settings = load(fields, file);
  if (labels.length === 0) return settings;
  const given = Object.fromEntries([
    ...settings.labels.map(({ name, value }) => [name, value] as const),
    ...labels.map(parseLabel),
  ]);
  return { ...settings, labels: check(labelsField, given, '--label') };
}

function parseLabel(text: string): readonly [name: string, value: string] {
  const at = text.indexOf('=');
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  throw new BatonError('invalid-argument', `--label: ${JSON.stringify(text.slice(0, 80))} is not a label`, {
    fields: { path: '--label' },
    hint: 'write --label NAME=VALUE, for example --label disk=ssd',
  });
}
