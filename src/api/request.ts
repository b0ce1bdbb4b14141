// A request as handlers get it, and what they answer.
import { setTimeout as wait } from 'node:timers/promises';
import { RpcError } from '../channels/rpc/errors.ts';
import type { CommandMethods } from '../channels/command/methods.ts';
import type { ResultOf } from '../channels/rpc/method.ts';
import type { Access, Caller } from './access.ts';
import type { ApiPorts, CalledMethod } from './ports.ts';
import type { Resource } from './resources.ts';

export interface ApiRequest {
  /** Values of the route's parameters. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly body: unknown;
  readonly caller: Caller;
  /** What clients reach the API at, such as `http://127.0.0.1:9876`. */
  readonly base: string;
  /** As the client wrote it, without its query. */
  readonly path: string;
  /** For all that the request changes. */
  readonly commandId: string;
  /** The client chose the command's id, and may be sending it again. */
  readonly isRepeatable: boolean;
  /** Aborts at the request's deadline, or when the client has gone. */
  readonly signal: AbortSignal;
}

export interface Answer {
  readonly status: number;
  /** Undefined: none. */
  readonly body?: unknown;
  readonly type?: string;
}

export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Such as `/v2/lbaas/pools/:id`. */
  readonly path: string;
  /** Undefined: for everybody, without credentials. */
  readonly access: Access | undefined;
  /** One sentence, for the API's own description. */
  readonly summary: string;
  /** For the description: which of a resource's calls it is. */
  readonly about?: { readonly resource: Resource; readonly operation: Operation } | undefined;
  readonly handle: (request: ApiRequest) => Promise<Answer>;
}

export type Operation = 'create' | 'list' | 'show' | 'update' | 'remove';

const shortestWaitMs = 50;
const longestWaitMs = 1_000;
const repeatable: ReadonlySet<string> = new Set(['busy', 'unavailable']);

/**
 * Changes something, and repeats the same command for as long as it is answered that it cannot be taken just now: its
 * owner may be changing. The command's id makes the repetition harmless.
 *
 * @throws RpcError
 */
export async function change<M extends CalledMethod>(
  ports: ApiPorts,
  method: M,
  params: Readonly<Record<string, unknown>>,
  { commandId, signal, caller }: ApiRequest,
): Promise<ResultOf<CommandMethods[M]>> {
  for (;;) {
    try {
      return await ports.call(method, params, { commandId, signal, userToken: caller.token });
    } catch (error) {
      if (!(error instanceof RpcError) || !repeatable.has(error.code) || signal.aborted) throw error;
      const pauseMs = Math.min(longestWaitMs, Math.max(shortestWaitMs, error.data.retryAfterMs ?? 0));
      await wait(pauseMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) throw error;
    }
  }
}
