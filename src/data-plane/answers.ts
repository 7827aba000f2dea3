/** What the platform itself answers, told from a function's answer by `X-Baton-Error` and a JSON body. */
import type { HeaderList, InboundRequest } from '../ports/http-front.ts';

export type ErrorReason =
  | 'unknown-function'
  | 'no-route'
  | 'unsupported'
  | 'unauthorized'
  | 'bad-request'
  | 'request-timeout'
  | 'queue-full'
  | 'no-capacity'
  | 'no-leader'
  | 'not-synced'
  | 'not-owner'
  | 'function-timeout'
  | 'sandbox-crashed'
  | 'bad-response';

interface Answer {
  readonly status: number;
  readonly retryAfterSeconds: number | undefined;
  readonly message: string;
}

const answer = (status: number, message: string, retryAfterSeconds?: number): Answer => ({
  status,
  message,
  retryAfterSeconds,
});

const ANSWERS: Readonly<Record<ErrorReason, Answer>> = {
  'unknown-function': answer(404, 'there is no function of this name'),
  'no-route': answer(404, 'call /function/<name>, or name the function in Host'),
  unsupported: answer(501, 'not supported yet'),
  unauthorized: answer(401, 'the internal token is missing or wrong'),
  'bad-request': answer(400, 'malformed request'),
  'request-timeout': answer(408, 'the request body made no progress'),
  'queue-full': answer(503, 'too many requests wait for this function', 1),
  'no-capacity': answer(503, 'no sandbox could take the request in time', 1),
  'no-leader': answer(503, 'no leader could say in time whether this function exists', 1),
  'not-synced': answer(503, 'this data plane has not yet heard from the control plane', 1),
  'not-owner': answer(421, 'another data plane owns this function'),
  'function-timeout': answer(504, 'the function did not answer within its timeout'),
  'sandbox-crashed': answer(502, 'the connection to the sandbox was lost before it answered'),
  'bad-response': answer(502, 'the sandbox answered something that is not HTTP'),
};

const encoder = new TextEncoder();

export function respondError(
  request: InboundRequest,
  callId: string,
  reason: ErrorReason,
  message: string = ANSWERS[reason].message,
  extra: HeaderList = [],
): void {
  const { status, retryAfterSeconds } = ANSWERS[reason];
  const headers: [string, string][] = [
    ['content-type', 'application/json'],
    ['x-baton-error', reason],
    ['x-call-id', callId],
  ];
  if (retryAfterSeconds !== undefined) headers.push(['retry-after', String(retryAfterSeconds)]);
  for (const [name, value] of extra) headers.push([name, value]);
  const body = encoder.encode(`${JSON.stringify({ component: 'data-plane', reason, message, callId })}\n`);
  request.respond(status, headers, body);
}

export function respondText(
  request: InboundRequest,
  callId: string,
  status: number,
  contentType: string,
  text: string,
): void {
  request.respond(
    status,
    [
      ['content-type', contentType],
      ['x-call-id', callId],
    ],
    encoder.encode(text),
  );
}
