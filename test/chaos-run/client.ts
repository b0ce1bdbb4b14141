// A client that trusts nobody: it writes down every answer, repeats a command under the same id at another node until it
// has one, and goes on listening to the nodes it has given up, for an answer that comes late still is an answer.
import { setTimeout as wait } from 'node:timers/promises';
import { type CommandClient, connectCommandChannel } from '../../src/channels/command/client.ts';
import { RpcError } from '../../src/channels/rpc/errors.ts';
import { type Made, type Offers, type Script, callOf, type Operation } from './model.ts';

/** Where a node listens just now; undefined while it does not. */
export interface Address {
  readonly url: string;
  readonly token: string;
}

export type Answer =
  | { readonly type: 'accepted'; readonly id: string | null }
  | { readonly type: 'refused'; readonly code: string; readonly message: string };

/** One sending of a command. */
export interface Attempt {
  readonly node: number;
  /** Milliseconds since the epoch. */
  readonly sentAt: number;
  answeredAt: number | null;
  /** Null while there is none; what came that was no answer is in `trouble`. */
  answer: Answer | null;
  trouble: string | null;
}

/** Everything a client knows of one command. */
export interface CommandLog {
  readonly script: string;
  readonly operation: Operation;
  readonly attempts: Attempt[];
}

/** Codes after which the same command is sent again: they do not say what has become of it. */
const retryable = new Set(['busy', 'unavailable', 'internal', 'faulted']);
const answerTimeoutMs = 3_000;
const connectTimeoutMs = 1_000;
const pauseMs = 100;

export interface ClientOptions {
  readonly nodes: readonly (() => Address | undefined)[];
  /** Number of the node that is asked first. */
  readonly firstNode: number;
  readonly offers: Offers;
  /** No command is sent again after it aborts. */
  readonly giveUp: AbortSignal;
  readonly log: (line: string) => void;
}

export class Client {
  readonly logs: CommandLog[] = [];
  readonly #options: ClientOptions;
  readonly #connections = new Map<string, Promise<CommandClient>>();
  #node: number;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#node = options.firstNode;
  }

  /** Carries a script out, in order, each operation once the one before it was answered. Ends early when giving up. */
  async play(script: Script, startedAt: number): Promise<void> {
    const { offers, giveUp } = this.#options;
    let made: Made | undefined;
    for (const operation of script.operations) {
      await wait(Math.max(0, startedAt + operation.atMs - Date.now()));
      let amphoraId: string | undefined;
      if (operation.change.type === 'replaceAmphora') {
        amphoraId = await this.#amphoraOf(made);
        if (amphoraId === undefined) continue;
      }
      const { method, params } = callOf(script, operation.change, made, offers, amphoraId);
      const log: CommandLog = { script: script.name, operation, attempts: [] };
      this.logs.push(log);
      const result = await this.#until(log, (connection) =>
        connection.call(method, { ...params, commandId: operation.commandId }),
      );
      if (result === undefined || giveUp.aborted) return;
      if (operation.change.type === 'create') made = madeBy(result);
    }
  }

  async close(): Promise<void> {
    for (const one of await Promise.allSettled(this.#connections.values())) {
      if (one.status === 'fulfilled') await one.value.close();
    }
  }

  /** One that the load balancer has; undefined when it has none just now. */
  async #amphoraOf(made: Made | undefined): Promise<string | undefined> {
    const query = { loadBalancerId: made?.loadBalancer ?? '' };
    for (let tries = 0; tries < this.#options.nodes.length && !this.#options.giveUp.aborted; tries++) {
      const listed = this.#connection(this.#node).then((connection) => connection.call('amphora.list', query));
      const page = await Promise.race([listed.catch(() => undefined), wait(answerTimeoutMs, undefined)]);
      if (page !== undefined) return page.items[0]?.id;
      this.#node = (this.#node + 1) % this.#options.nodes.length;
    }
    return undefined;
  }

  /** The first answer that is one; undefined after a refusal, or when there is none before giving up. */
  async #until(log: CommandLog, send: (connection: CommandClient) => Promise<unknown>): Promise<unknown> {
    while (!this.#options.giveUp.aborted) {
      const node = this.#node;
      const attempt: Attempt = { node, sentAt: Date.now(), answeredAt: null, answer: null, trouble: null };
      log.attempts.push(attempt);
      const answered = this.#attempt(attempt, send);
      const timeout = new AbortController();
      const result = await Promise.race([
        answered,
        wait(answerTimeoutMs, undefined, { signal: timeout.signal }).catch(() => undefined),
      ]);
      timeout.abort();
      // A late answer still finds its place in the attempt.
      if (attempt.answer !== null) return attempt.answer.type === 'accepted' ? result : undefined;
      attempt.trouble ??= 'no answer in time';
      this.#options.log(`${log.operation.commandId} at node ${node}: ${attempt.trouble}`);
      if (this.#node === node) this.#node = (node + 1) % this.#options.nodes.length;
      await wait(pauseMs);
    }
    return undefined;
  }

  async #attempt(attempt: Attempt, send: (connection: CommandClient) => Promise<unknown>): Promise<unknown> {
    try {
      const result = await send(await this.#connection(attempt.node));
      attempt.answer = { type: 'accepted', id: idIn(result) };
      return result;
    } catch (error) {
      const { message } = error as Error;
      if (error instanceof RpcError && !retryable.has(error.code)) {
        attempt.answer = { type: 'refused', code: error.code, message };
      } else {
        attempt.trouble = error instanceof RpcError ? `${error.code} ${message}` : message;
      }
      return undefined;
    } finally {
      attempt.answeredAt = Date.now();
    }
  }

  /** One connection to each process of each node, kept until the end. */
  async #connection(node: number): Promise<CommandClient> {
    const address = this.#options.nodes[node]?.();
    if (address === undefined) throw new Error(`node ${node} does not run`);
    const { url, token } = address;
    const known = this.#connections.get(url);
    if (known !== undefined) return known;
    const connecting = connectCommandChannel({ url, token, timeoutMs: connectTimeoutMs });
    this.#connections.set(url, connecting);
    const forget = () => void (this.#connections.get(url) === connecting && this.#connections.delete(url));
    connecting.then((connection) => connection.closed).then(forget, forget);
    return connecting;
  }
}

/** The id of the object an answer is about; null when the object is gone by then. */
function idIn(result: unknown): string | null {
  const { id, loadBalancer, listener, pool } = result as Readonly<Record<string, { id?: string } | string | null>>;
  if (typeof id === 'string') return id;
  const about = loadBalancer ?? listener ?? pool ?? null;
  return about === null || typeof about === 'string' ? null : (about.id ?? null);
}

function madeBy(result: unknown): Made | undefined {
  const { loadBalancer: tree } = result as {
    loadBalancer: { id: string; listeners: readonly { id: string }[]; pools: readonly { id: string }[] } | null;
  };
  const [listener, pool] = [tree?.listeners[0]?.id, tree?.pools[0]?.id];
  return tree === null || listener === undefined || pool === undefined
    ? undefined
    : { loadBalancer: tree.id, listener, pool };
}
