// What can go wrong between controller and agent, and which of the two kinds of failure it is.
import { z } from 'zod';
import { PermanentFailure, TransientFailure } from '../../failure.ts';
import type { AmphoraAddress } from '../driver.ts';
import type { Answer, Exchange } from './transport.ts';

/** The agent's own shape and its web framework's; every part may be missing. */
const errorBody = z.object({
  message: z.string().optional(),
  details: z.string().optional(),
  error: z.string().optional(),
});

export interface AgentError {
  readonly message: string;
  readonly details: string;
}

/** What an error answer says; undefined when it isn't one that an agent gives. */
export function agentError(answer: Answer): AgentError | undefined {
  const parsed = errorBody.safeParse(jsonOf(answer));
  if (!parsed.success) return undefined;
  const { message, details, error } = parsed.data;
  return { message: message ?? error ?? '', details: details ?? '' };
}

/** The answer's body as JSON; undefined when it is none. */
export function jsonOf(answer: Answer): unknown {
  try {
    return JSON.parse(answer.body.toString('utf8'));
  } catch {
    return undefined;
  }
}

/** Names what was asked of whom, for messages. */
export function callName({ method, path }: Exchange, { amphoraId, endpoint }: AmphoraAddress): string {
  const host = endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host;
  return `${method} ${path} at amphora ${amphoraId}, ${host}:${endpoint.port}`;
}

const longestExcerpt = 2000;

/** An answer that no caller expected. */
export function failureOf(answer: Answer, exchange: Exchange, amphora: AmphoraAddress): Error {
  const call = callName(exchange, amphora);
  const error = agentError(answer);
  const said = [error?.message, error?.details].filter(Boolean).join(': ').slice(0, longestExcerpt);
  const message = `${call}: answered ${answer.status}${said === '' ? '' : `, ${said}`}`;
  return isTransient(answer, error) ? new TransientFailure(message, { call }) : new PermanentFailure(message, { call });
}

function isTransient(answer: Answer, error: AgentError | undefined): boolean {
  return answer.status >= 500 || answer.status === 429 || isNotReady(answer, error) || answer.status < 400;
}

/** An answer that changes by itself: the agent's routes are not up yet, or an interface has not been seen yet. */
export function isNotReady(answer: Answer, error = agentError(answer)): boolean {
  if (answer.status !== 404) return false;
  return error === undefined || /no suitable network interface/i.test(error.details);
}

/** An answer that is no agent's: not in the shape that the call has. */
export function garbage(exchange: Exchange, amphora: AmphoraAddress, expected: string): TransientFailure {
  const call = callName(exchange, amphora);
  return new TransientFailure(`${call}: expected ${expected}, given something else`, { call });
}

/** No answer at all: what node:https reported. */
export function exchangeFailure(cause: unknown, exchange: Exchange, amphora: AmphoraAddress): Error {
  const call = callName(exchange, amphora);
  const { code = '', message } = cause as NodeJS.ErrnoException;
  const text = `${call}: ${message || code || 'no answer'}`;
  return isIdentityError(code)
    ? new PermanentFailure(text, { call, cause })
    : new TransientFailure(text, { call, cause });
}

/**
 * One side refused the other's certificate. Unlike a connection that fails this stays so, and the name of an amphora at
 * another one's address must not be tried over and over.
 */
function isIdentityError(code: string): boolean {
  return (
    /^ERR_TLS_CERT|^ERR_SSL_.*ALERT/.test(code) ||
    /^(CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|INVALID_CA|HOSTNAME_MISMATCH)/.test(code)
  );
}
