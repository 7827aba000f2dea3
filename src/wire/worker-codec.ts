/** Between the leader and workers: commands, notices, reports, log queries. */
import { functionUid, sandboxId, type Digest } from '../lib/ids.ts';
import { limits } from '../lib/limits.ts';
import type { CommandEnvelope, WorkerCommand, WorkerNotice } from '../core/model/command.ts';
import type { LogQuery, LogReply } from '../core/model/query.ts';
import type { SandboxStatus } from '../core/model/sandbox.ts';
import type { WorkerHeartbeat, WorkerInventory, WorkerReport } from '../core/model/worker-report.ts';
import { unreachable } from '../lib/assert.ts';
import {
  digestFrom,
  digestTo,
  fenceFrom,
  incarnationFrom,
  labelsFrom,
  specFrom,
  specTo,
  sandboxOwnerFrom,
  statusFrom,
  statusTo,
} from './common-codec.ts';
import * as wire from './gen/baton/v1/bus.ts';
import { enumeration, known, pack, required, unpack, WireError } from './wire-error.ts';

type Command = NonNullable<wire.CommandEnvelope['command']>;

function commandTo(command: WorkerCommand): Command {
  switch (command.kind) {
    case 'create':
      return {
        $case: 'create',
        value: { ...command, spec: specTo(command.spec) },
      };
    case 'adopt':
      return { $case: 'adopt', value: command };
    case 'drain':
      return { $case: 'drain', value: command };
    case 'kill':
      return { $case: 'kill', value: command };
    case 'cordon':
      return { $case: 'cordon', value: command };
    case 'forget-artifacts':
      return { $case: 'forgetArtifacts', value: { digests: command.digests.map(digestTo) } };
    default:
      return unreachable(command, 'command');
  }
}

function commandFrom(command: Command): WorkerCommand {
  switch (command.$case) {
    case 'create': {
      const { value } = command;
      return {
        kind: 'create',
        sandbox: sandboxId(value.sandbox),
        uid: functionUid(value.uid),
        generation: value.generation,
        specIndex: value.specIndex,
        spec: specFrom(value.spec),
        trial: value.trial,
        owner: sandboxOwnerFrom(value.owner),
        artifactSources: value.artifactSources,
      };
    }
    case 'adopt': {
      const { sandbox, uid, generation, specIndex } = command.value;
      const owner = sandboxOwnerFrom(command.value.owner);
      return {
        kind: 'adopt',
        sandbox: sandboxId(sandbox),
        uid: functionUid(uid),
        generation,
        specIndex,
        owner,
      };
    }
    case 'drain':
      return { kind: 'drain', sandbox: sandboxId(command.value.sandbox), graceMs: command.value.graceMs };
    case 'kill':
      return { kind: 'kill', sandbox: sandboxId(command.value.sandbox) };
    case 'cordon':
      return { kind: 'cordon', on: command.value.on, drain: command.value.drain };
    case 'forgetArtifacts':
      return { kind: 'forget-artifacts', digests: command.value.digests.map(digestFrom) };
    default:
      return unreachable(command, 'command');
  }
}

export function encodeCommand(envelope: CommandEnvelope): Uint8Array {
  return pack(wire.CommandEnvelope, { ...envelope, command: commandTo(envelope.command) });
}

export function decodeCommand(bytes: Uint8Array): CommandEnvelope {
  return unpack('command', wire.CommandEnvelope, bytes, (message) => ({
    fence: fenceFrom(message.fence),
    incarnation: incarnationFrom(message.incarnation),
    seq: message.seq,
    command: commandFrom(known(message.command, 'command')),
  }));
}

export function encodeNotice(notice: WorkerNotice): Uint8Array {
  const { fence, incarnation } = notice;
  return pack(wire.WorkerNotice, {
    fence,
    incarnation,
    notice:
      notice.notice.kind === 'send-inventory'
        ? { $case: 'sendInventory', value: notice.notice }
        : { $case: 'duplicateId', value: notice.notice },
  });
}

export function decodeNotice(bytes: Uint8Array): WorkerNotice {
  return unpack('notice', wire.WorkerNotice, bytes, (message) => {
    const notice = known(message.notice, 'notice');
    return {
      fence: fenceFrom(message.fence),
      incarnation: incarnationFrom(message.incarnation),
      notice:
        notice.$case === 'sendInventory'
          ? { kind: 'send-inventory', spreadMs: notice.value.spreadMs }
          : { kind: 'duplicate-id', other: incarnationFrom(notice.value.other) },
    };
  });
}

function heartbeatTo(heartbeat: WorkerHeartbeat): wire.WorkerHeartbeat {
  const { cpuMillis, memoryMiB, sandboxes } = heartbeat.capacity;
  return {
    ...heartbeat,
    capacity: { cpuMillis, memoryMib: memoryMiB, sandboxes },
    changes: heartbeat.changes.map(statusTo),
    artifactsAdded: heartbeat.artifactsAdded.map(digestTo),
    artifactsRemoved: heartbeat.artifactsRemoved.map(digestTo),
  };
}

function artifactsFrom(digests: readonly Uint8Array[]): Digest[] {
  if (digests.length > limits.artifactsPerWorker) throw new WireError('malformed', 'artifacts');
  return digests.map(digestFrom);
}

function heartbeatFrom(message: wire.WorkerHeartbeat): WorkerHeartbeat {
  const capacity = required(message.capacity, 'capacity');
  if (message.changes.length > limits.sandboxesPerWorker) throw new WireError('malformed', 'changes');
  return {
    kind: 'heartbeat',
    incarnation: incarnationFrom(message.incarnation),
    seq: message.seq,
    natsServer: message.natsServer,
    capacity: {
      cpuMillis: capacity.cpuMillis,
      memoryMiB: capacity.memoryMib,
      sandboxes: capacity.sandboxes,
    },
    cordoned: message.cordoned,
    draining: message.draining,
    driver: message.driver,
    isolation: message.isolation,
    fence: fenceFrom(message.fence),
    lastCommand: message.lastCommand,
    sinceVersion: message.sinceVersion,
    version: message.version,
    changes: message.changes.map(statusFrom),
    labels: labelsFrom(message.labels, 'labels'),
    artifactsAdded: artifactsFrom(message.artifactsAdded),
    artifactsRemoved: artifactsFrom(message.artifactsRemoved),
  };
}

export function encodeWorkerReport(report: WorkerReport): Uint8Array {
  switch (report.kind) {
    case 'heartbeat':
      return pack(wire.WorkerReport, { report: { $case: 'heartbeat', value: heartbeatTo(report) } });
    case 'hello':
      return pack(wire.WorkerReport, {
        report: {
          $case: 'hello',
          value: {
            heartbeat: heartbeatTo(report.heartbeat),
            counts: report.counts,
            artifacts: report.artifacts.map(digestTo),
          },
        },
      });
    case 'inventory':
      return pack(wire.WorkerReport, {
        report: {
          $case: 'inventory',
          value: {
            ...report,
            sandboxes: report.sandboxes.map(statusTo),
            artifacts: report.artifacts.map(digestTo),
          },
        },
      });
    default:
      return unreachable(report, 'worker report');
  }
}

function inventoryFrom(message: wire.WorkerInventory): WorkerInventory {
  if (message.part >= message.parts) throw new WireError('malformed', 'part');
  return {
    kind: 'inventory',
    incarnation: incarnationFrom(message.incarnation),
    version: message.version,
    part: message.part,
    parts: message.parts,
    sandboxes: message.sandboxes.map(statusFrom),
    artifacts: artifactsFrom(message.artifacts),
  };
}

export function decodeWorkerReport(bytes: Uint8Array): WorkerReport {
  return unpack('worker report', wire.WorkerReport, bytes, (message): WorkerReport => {
    const report = known(message.report, 'worker report');
    switch (report.$case) {
      case 'heartbeat':
        return heartbeatFrom(report.value);
      case 'hello':
        return {
          kind: 'hello',
          heartbeat: heartbeatFrom(required(report.value.heartbeat, 'heartbeat')),
          counts: report.value.counts.map(({ uid, generation, starting, ready }) => ({
            uid: functionUid(uid),
            generation,
            starting,
            ready,
          })),
          artifacts: artifactsFrom(report.value.artifacts),
        };
      case 'inventory':
        return inventoryFrom(report.value);
      default:
        return unreachable(report, 'worker report');
    }
  });
}

/** Parts of an inventory or of a list of changes, each small enough for one message. */
export function splitStatuses(sandboxes: readonly SandboxStatus[]): SandboxStatus[][] {
  const parts: SandboxStatus[][] = [];
  let part: SandboxStatus[] = [];
  let bytes = 0;
  for (const status of sandboxes) {
    const size =
      160 +
      (status.owner === undefined ? 0 : 96) +
      status.address.length +
      4 * (status.reason.length + status.log.length) +
      32 * status.startStages.length;
    if (part.length > 0 && bytes + size > limits.chunkBytes) {
      parts.push(part);
      part = [];
      bytes = 0;
    }
    part.push(status);
    bytes += size;
  }
  if (part.length > 0 || parts.length === 0) parts.push(part);
  return parts;
}

const streams = enumeration<'stdout' | 'stderr'>('stream', { stdout: 1, stderr: 2 });

export const encodeLogQuery = (query: LogQuery): Uint8Array => pack(wire.LogQuery, query);

export function decodeLogQuery(bytes: Uint8Array): LogQuery {
  return unpack('log query', wire.LogQuery, bytes, ({ uid, sandbox, after, limit }) => ({
    uid: functionUid(uid),
    sandbox: sandbox === '' ? '' : sandboxId(sandbox),
    after,
    limit,
  }));
}

export function encodeLogReply(reply: LogReply): Uint8Array {
  return pack(wire.LogReply, {
    ...reply,
    lines: reply.lines.map((line) => ({ ...line, stream: streams.to(line.stream) as wire.LogStream })),
  });
}

export function decodeLogReply(bytes: Uint8Array): LogReply {
  return unpack('log reply', wire.LogReply, bytes, ({ lines, cursor, dropped }) => ({
    lines: lines.map((line) => ({
      cursor: line.cursor,
      sandbox: sandboxId(line.sandbox),
      uid: functionUid(line.uid),
      wallMs: line.wallMs,
      stream: streams.from(line.stream),
      text: line.text,
    })),
    cursor,
    dropped,
  }));
}
