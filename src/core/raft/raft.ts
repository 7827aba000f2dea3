/**
 * Raft-lite: Raft reduced to a fixed membership and a small replicated state, strengthened against one slow machine and a
 * lossy bus (docs/adr/0005-raft-lite.md). Synchronous and deterministic: inputs change state, takeReady() says what to do.
 */
import { limits } from '../../lib/limits.ts';
import type { ReplicaId } from '../../lib/ids.ts';
import { unreachable } from '../../lib/assert.ts';
import { orderIncarnation } from '../model/fence.ts';
import {
  countOwnVote,
  onHint,
  onProbeResult,
  onTimeoutNow,
  onVoteReply,
  onVoteRequest,
  tickElection,
} from './election.ts';
import { continueTransfer, flushLeader } from './feeding.ts';
import type { Peer } from './progress.ts';
import { maybeCommit, tickLeader } from './quorum.ts';
import { requestRead } from './reads.ts';
import {
  beginRejoin,
  bridgeEpochs,
  onArtifacts,
  onRejoinReply,
  onRejoinRequest,
  tickRejoin,
  onEarlierLife,
} from './rejoin.ts';
import { acknowledgeDurable, onAppend, onAppendReply } from './replication.ts';
import { becomeFollower, resetElectionTimer } from './roles.ts';
import { onChunk, onChunkReply } from './snapshot.ts';
import { RaftState } from './state.ts';
import type {
  ProposeResult,
  RaftBoot,
  RaftConfig,
  RaftMessage,
  RaftRole,
  RaftStatus,
  Ready,
  Snapshot,
} from './types.ts';

export class Raft {
  readonly #s: RaftState;

  constructor(config: RaftConfig, boot: RaftBoot, nowMs: number) {
    this.#s = new RaftState(config, boot, nowMs);
    resetElectionTimer(this.#s);
    if (!boot.voter) beginRejoin(this.#s, config.incarnation.nonce);
  }

  /** Monotonic time; call at least every few milliseconds of an election timeout. */
  tick(nowMs: number): void {
    const s = this.#s;
    if (s.failed) return;
    s.nowMs = nowMs;
    if (s.role === 'leader') tickLeader(s);
    tickElection(s);
    tickRejoin(s);
  }

  step(message: RaftMessage, nowMs: number): void {
    const s = this.#s;
    s.nowMs = nowMs;
    const peer = this.#admit(message);
    if (peer === undefined) return;
    const { body, from, term } = message;
    if (term > s.term && body.kind !== 'vote-request' && body.kind !== 'rejoin-request') {
      const isFromLeader = body.kind === 'append' || body.kind === 'snapshot';
      becomeFollower(s, term, isFromLeader ? from : '');
    }
    switch (body.kind) {
      case 'vote-request':
        return onVoteRequest(s, from, term, body);
      case 'vote-reply':
        return onVoteReply(s, from, body);
      case 'rejoin-request':
        return onRejoinRequest(s, from, body.nonce);
      case 'rejoin-reply':
        return onRejoinReply(s, from, term, body);
      case 'append':
      case 'snapshot':
        if (term < s.term) return this.#tellStaleLeader(from);
        return body.kind === 'append' ? onAppend(s, from, body) : onChunk(s, from, body);
      case 'append-reply':
        return term < s.term ? undefined : onAppendReply(s, from, body);
      case 'snapshot-reply':
        return term < s.term ? undefined : onChunkReply(s, from, body);
      case 'timeout-now':
        return term < s.term ? undefined : onTimeoutNow(s, from);
      default:
        return unreachable(body, 'message');
    }
  }

  /** Undefined: refused. Identity, membership and epoch must fit, and an older life of a peer is not heard. */
  #admit(message: RaftMessage): Peer | undefined {
    const s = this.#s;
    const { config } = s;
    const peer = s.peers.get(message.from);
    const fits =
      !s.failed &&
      peer !== undefined &&
      message.to === config.id &&
      message.cluster === config.cluster &&
      message.memberHash === s.memberHash;
    if (!fits || (message.epoch !== s.epoch && !bridgeEpochs(s, message))) {
      s.refused++;
      return undefined;
    }
    const order = orderIncarnation(message.incarnation, peer.incarnation);
    if (order === 'older' || order === 'duplicate') {
      s.refused++;
      onEarlierLife(s, message, peer.incarnation);
      return undefined;
    }
    if (order === 'newer') {
      peer.incarnation = message.incarnation;
      peer.reset(s.log.lastIndex);
      // The leader that we followed has died and come back: it is not the leader any more.
      if (s.role === 'follower' && s.leader === peer.id && message.body.kind !== 'append') {
        becomeFollower(s, s.term, '');
      }
    }
    peer.commandVersion = message.commandVersion;
    peer.voter = message.voter;
    peer.lastHeardMs = s.nowMs;
    return peer;
  }

  #tellStaleLeader(from: ReplicaId): void {
    this.#s.send(from, { kind: 'append-reply', ok: false, index: 0, hintTerm: 0, refused: 0, round: 0 });
  }

  /** Data must not be empty: that is the no-op's. */
  propose(data: Uint8Array): ProposeResult {
    const s = this.#s;
    if (s.role !== 'leader' || s.failed) return { ok: false, reason: 'not-leader' };
    if (s.transfer !== undefined) return { ok: false, reason: 'transferring' };
    if (data.length === 0 || data.length > limits.commandBytes) return { ok: false, reason: 'too-large' };
    if (s.log.lastIndex - s.log.commit >= limits.raftProposals) return { ok: false, reason: 'busy' };
    const index = s.log.lastIndex + 1;
    s.log.append({ index, term: s.term, data });
    s.wrote(index);
    s.wantAppend = true;
    return { ok: true, index, term: s.term };
  }

  /** The answer is a ReadResult with this ctx. False: not leading, or too many reads wait. */
  readIndex(ctx: number): boolean {
    return !this.#s.failed && requestRead(this.#s, { kind: 'read', ctx });
  }

  /** False: not leading, or `to` is not a voter that was heard lately. Gives up after an election timeout. */
  transferLeadership(to: ReplicaId): boolean {
    const s = this.#s;
    const peer = s.peers.get(to);
    if (s.role !== 'leader' || s.transfer !== undefined || peer === undefined || !peer.voter) return false;
    if (s.nowMs - peer.lastHeardMs > s.config.electionTimeoutMs) return false;
    s.transfer = { to, deadlineMs: s.nowMs + s.config.electionTimeoutMs, sent: false };
    s.wantAppend = true;
    continueTransfer(s);
    return true;
  }

  /** The shell learned that nobody subscribes to this leader's subject, on a connection that it trusts. */
  leaderGone(leader: ReplicaId, nowMs: number): void {
    this.#s.nowMs = nowMs;
    onHint(this.#s, leader);
  }

  /** The answer to Ready.probe. */
  probeResult(leader: ReplicaId, gone: boolean, nowMs: number): void {
    this.#s.nowMs = nowMs;
    onProbeResult(this.#s, leader, gone);
  }

  /** Somebody probed this replica: a leader that is alive shows itself to all, unless it just did. */
  probed(nowMs: number): void {
    const s = this.#s;
    const isDue = nowMs >= s.nextHeartbeatMs - s.config.heartbeatMs / 2;
    if (s.role === 'leader' && isDue) s.wantHeartbeat = true;
  }

  persisted(ticket: number, nowMs: number): void {
    const s = this.#s;
    if (s.failed) return;
    s.nowMs = nowMs;
    s.confirm(ticket);
    if (s.role === 'leader') {
      maybeCommit(s);
      s.wantAppend = true;
    } else if (s.role === 'candidate') {
      countOwnVote(s);
    } else {
      acknowledgeDurable(s);
    }
    tickRejoin(s);
  }

  /** The store refused a write: nothing that this replica says can be trusted to be durable any more. */
  storageFailed(): void {
    const s = this.#s;
    if (s.role === 'leader') becomeFollower(s, s.term, '');
    s.failed = true;
  }

  /** A replica without a vote: every artifact that the state as of `appliedIndex` names is here. */
  artifactsReady(appliedIndex: number, nowMs: number): void {
    this.#s.nowMs = nowMs;
    onArtifacts(this.#s, appliedIndex);
  }

  /** The shell stored a snapshot of applied state and dropped entries below `keepFrom`. */
  compacted(snapshot: Snapshot, keepFrom: number): void {
    this.#s.log.compact(snapshot, keepFrom);
  }

  takeReady(): Ready | undefined {
    if (this.#s.failed) return undefined;
    flushLeader(this.#s);
    return this.#s.takeReady();
  }

  /**
   * The leader may publish: its own no-op is committed and its last quorum contact is younger than an election timeout
   * (DESIGN, CheckQuorum).
   */
  mayAct(nowMs: number): boolean {
    const s = this.#s;
    return (
      s.role === 'leader' &&
      !s.failed &&
      s.log.commit >= s.termStartIndex &&
      (s.peers.size === 0 || nowMs - s.quorumContactMs < s.config.electionTimeoutMs)
    );
  }

  get role(): RaftRole {
    return this.#s.role;
  }

  /** Index of the no-op of the term that this replica leads; 0 otherwise. */
  get termStartIndex(): number {
    return this.#s.role === 'leader' ? this.#s.termStartIndex : 0;
  }

  status(): RaftStatus {
    const s = this.#s;
    const peers = [...s.peers.values()];
    const heardSince = s.nowMs - 2 * s.config.electionTimeoutMs;
    const versions = [s.config.commandVersion, ...peers.map((peer) => peer.commandVersion)];
    return {
      id: s.id,
      role: s.role,
      voter: s.voter,
      term: s.term,
      leader: s.leader,
      successor: s.successor,
      commit: s.log.commit,
      lastIndex: s.log.lastIndex,
      durableIndex: s.log.durable,
      applied: s.applied,
      quorumContactMs: s.quorumContactMs,
      reachable: [
        s.id,
        ...peers.filter((peer) => peer.lastHeardMs >= heardSince).map((peer) => peer.id),
      ].sort(),
      nonVoters: [
        ...(s.voter ? [] : [s.id]),
        ...peers.filter((peer) => !peer.voter).map((peer) => peer.id),
      ].sort(),
      minCommandVersion: Math.min(...versions),
      refusedMessages: s.refused,
      epoch: s.epoch,
    };
  }
}
