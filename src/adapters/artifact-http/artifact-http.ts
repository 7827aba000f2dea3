/** Artifacts from and to replicas over their internal HTTP routes. */
import { Agent, request, type Dispatcher } from 'undici';
import { BatonError, type ErrorCode, type ErrorFields } from '../../lib/errors.ts';
import type { Digest } from '../../lib/ids.ts';
import type { ArtifactPeers } from '../../ports/artifact-peers.ts';

const CONNECT_TIMEOUT_MS = 1_000;
/** Without a byte for this long the other side counts as gone. */
const STALL_MS = 5_000;

export interface ArtifactHttp extends ArtifactPeers {
  close(): Promise<void>;
}

/** @param token the replica's, or the worker's (which may fetch only) */
export function artifactHttp(token: string): ArtifactHttp {
  const agent = new Agent({
    connect: { timeout: CONNECT_TIMEOUT_MS },
    bodyTimeout: STALL_MS,
    connections: 8,
    keepAliveTimeout: 5_000,
  });
  const headers = { authorization: `Bearer ${token}` };

  async function send(
    url: string,
    options: { method: 'GET' | 'POST'; body?: string; headersTimeout: number },
  ): Promise<Dispatcher.ResponseData> {
    let response: Dispatcher.ResponseData;
    try {
      response = await request(url, {
        ...options,
        dispatcher: agent,
        headers: {
          ...headers,
          ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
        },
      });
    } catch (cause) {
      throw lost(url, cause);
    }
    if (response.statusCode === 200) return response;
    throw await refusal(url, response);
  }

  async function ask(
    base: string,
    digest: Digest,
    action: string,
    source: string,
    timeoutMs: number,
  ): Promise<void> {
    const response = await send(`${base}/internal/artifacts/${digest}/${action}`, {
      method: 'POST',
      body: JSON.stringify({ source }),
      headersTimeout: timeoutMs,
    });
    await response.body.dump();
  }

  return {
    async *fetch(fromHttp, digest) {
      const url = `${fromHttp}/internal/artifacts/${digest}`;
      const response = await send(url, { method: 'GET', headersTimeout: STALL_MS });
      try {
        for await (const chunk of response.body) yield chunk as Uint8Array;
      } catch (cause) {
        throw lost(url, cause);
      }
    },
    askToHold: (replicaHttp, digest, sourceHttp, timeoutMs) =>
      ask(replicaHttp, digest, 'hold', sourceHttp, timeoutMs),
    askToReplicate: (leaderHttp, digest, sourceHttp, timeoutMs) =>
      ask(leaderHttp, digest, 'replicate', sourceHttp, timeoutMs),
    close: () => agent.close(),
  };
}

function lost(url: string, cause: unknown): BatonError {
  const timedOut = cause instanceof Error && cause.name.includes('Timeout');
  return new BatonError(timedOut ? 'timeout' : 'disconnected', `no answer from ${new URL(url).origin}`, {
    cause,
  });
}

/** The replica's own error, as it said it. */
async function refusal(url: string, response: Dispatcher.ResponseData): Promise<BatonError> {
  const text = (await response.body.text()).slice(0, 10_000);
  try {
    const { reason, message, fields, hint } = JSON.parse(text) as {
      reason: ErrorCode;
      message: string;
      fields?: ErrorFields;
      hint?: string;
    };
    return new BatonError(reason, message, {
      ...(fields === undefined ? {} : { fields }),
      ...(hint === undefined ? {} : { hint }),
    });
  } catch (cause) {
    return new BatonError('unavailable', `${new URL(url).origin} answered ${response.statusCode}`, { cause });
  }
}
