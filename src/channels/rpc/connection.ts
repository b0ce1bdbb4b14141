// One client's connection: reads requests, bounds what is in flight, and sends answers and notifications no faster than
// the client takes them. Whatever one client does, others do not feel it.
import { WebSocket, type RawData } from 'ws';
import { errorBody, RpcError } from './errors.ts';
import { type CallContext, cancelMethod, type Peer } from './method.ts';
import { type CallReader, parseMessage, type Request, type RequestId, type Unreadable } from './request.ts';

export type Handler = (params: unknown, context: CallContext) => Promise<unknown>;

export interface ConnectionOptions {
  readonly reader: CallReader;
  readonly handlers: Readonly<Record<string, Handler>>;
  /** Calls that may wait for their answer; further ones are answered `busy`. */
  readonly maxInFlight: number;
  /** Bytes that may wait to be sent. Beyond, nothing more is read from the client and notifications are left out. */
  readonly maxBuffered: number;
  readonly deadlineMs: number;
  /** A mistake of ours: the client is told only that there was one. */
  readonly onMistake: (error: unknown, method: string) => void;
}

/** Close codes of RFC 6455. */
export const closeCodes = { goingAway: 1001, tryAgainLater: 1013 } as const;

const busyRetryMs = 200;
/** How often a client that does not keep up is looked at. */
const drainPollMs = 50;

export class RpcConnection implements Peer {
  readonly #socket: WebSocket;
  readonly #options: ConnectionOptions;
  readonly #closeListeners = new Set<() => void>();
  #inFlight = 0;
  /** Ends the signals of calls in flight that have an id. */
  readonly #aborts = new Map<RequestId, AbortController>();
  /** Notifications left out since the last one that was sent. */
  #dropped = 0;
  #drain: NodeJS.Timeout | undefined;
  #isAlive = true;

  constructor(socket: WebSocket, options: ConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.on('message', (data, isBinary) => this.#onMessage(data, isBinary));
    socket.on('pong', () => (this.#isAlive = true));
    // `ws` closes by itself what breaks the protocol: too large (1009), not UTF-8 (1007), malformed frames (1002).
    socket.on('error', () => undefined);
    socket.on('close', () => this.#onClose());
  }

  /** Closes when the last ping was not answered, else pings. */
  checkAlive(): void {
    if (!this.#isAlive) {
      if (this.#isSlow) this.#socket.close(closeCodes.tryAgainLater, 'the client does not read what it is sent');
      this.#socket.terminate();
      return;
    }
    this.#isAlive = false;
    this.#socket.ping();
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
  }

  terminate(): void {
    this.#socket.terminate();
  }

  notify(method: string, params: unknown): void {
    if (this.#isSlow) {
      this.#dropped++;
      this.#awaitDrain();
      return;
    }
    this.#send({ jsonrpc: '2.0', method, params });
  }

  onClose(listener: () => void): () => void {
    if (this.#socket.readyState >= WebSocket.CLOSING) {
      listener();
      return () => undefined;
    }
    this.#closeListeners.add(listener);
    return () => this.#closeListeners.delete(listener);
  }

  get #isSlow(): boolean {
    return this.#socket.bufferedAmount > this.#options.maxBuffered;
  }

  #onClose(): void {
    clearInterval(this.#drain);
    for (const abort of this.#aborts.values()) abort.abort(new Error('the client has gone'));
    for (const listener of this.#closeListeners) listener();
    this.#closeListeners.clear();
  }

  #onMessage(data: RawData, isBinary: boolean): void {
    this.#isAlive = true;
    try {
      if (isBinary) throw new RpcError('parse', 'Expected a text message, given a binary one');
      // oxlint-disable-next-line no-base-to-string -- a Buffer, as ws gives unless told otherwise
      const parsed = parseMessage(data.toString());
      if (parsed.type === 'single') void this.#answer([parsed.item], ([reply]) => reply);
      else void this.#answer(parsed.items, (replies) => (replies.length === 0 ? undefined : replies));
    } catch (error) {
      this.#send(failed(null, toRpcError(error)));
    }
  }

  async #answer(
    items: readonly (Request | Unreadable)[],
    join: (replies: readonly object[]) => unknown,
  ): Promise<void> {
    const replies = await Promise.all(items.map((item) => this.#reply(item)));
    const answer = join(replies.filter((reply) => reply !== undefined));
    if (answer !== undefined) this.#send(answer);
  }

  /** Never fails; undefined for what wants no answer. */
  async #reply(item: Request | Unreadable): Promise<object | undefined> {
    if ('error' in item) return failed(item.id, item.error);
    if (item.method === cancelMethod) return this.#cancel(item);
    const { maxInFlight } = this.#options;
    if (this.#inFlight >= maxInFlight) {
      const message = `${maxInFlight} calls of this connection wait for their answer already`;
      return item.id === undefined
        ? undefined
        : failed(item.id, new RpcError('busy', message, { retryAfterMs: busyRetryMs }));
    }
    this.#inFlight++;
    try {
      const answer = await this.#carryOut(item);
      return item.id === undefined ? undefined : { id: item.id, ...answer };
    } finally {
      this.#inFlight--;
    }
  }

  #cancel({ params }: Request): undefined {
    const id = (params as { readonly id?: RequestId } | null | undefined)?.id;
    if (id !== undefined) this.#aborts.get(id)?.abort(new Error('nobody waits for the answer any more'));
  }

  async #carryOut(request: Request): Promise<object> {
    const { reader, handlers, deadlineMs, onMistake } = this.#options;
    let commandId: string | undefined;
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), deadlineMs);
    if (request.id !== undefined) this.#aborts.set(request.id, deadline);
    try {
      const { method, params, command } = reader.read(request);
      commandId = command?.id;
      const handler = handlers[method];
      if (handler === undefined) throw new Error(`method ${method} has no handler`);
      const answer = await before(
        deadline.signal,
        deadlineMs,
        handler(params, { signal: deadline.signal, peer: this, command }),
      );
      return { jsonrpc: '2.0', result: commandId === undefined ? answer : { commandId, ...(answer as object) } };
    } catch (error) {
      if (!(error instanceof RpcError)) onMistake(error, request.method);
      return { jsonrpc: '2.0', error: errorBody(toRpcError(error), commandId) };
    } finally {
      clearTimeout(timer);
      if (request.id !== undefined) this.#aborts.delete(request.id);
    }
  }

  #send(message: unknown): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    this.#socket.send(JSON.stringify(message));
    if (this.#isSlow) this.#awaitDrain();
  }

  /** Reads nothing more from a client that does not read: so its answers stay bounded by what is in flight. */
  #awaitDrain(): void {
    if (this.#drain !== undefined) return;
    this.#socket.pause();
    this.#drain = setInterval(() => {
      if (this.#isSlow) return;
      clearInterval(this.#drain);
      this.#drain = undefined;
      this.#socket.resume();
      const dropped = this.#dropped;
      this.#dropped = 0;
      if (dropped > 0) this.notify('status.gap', { dropped });
    }, drainPollMs);
  }
}

/** Whoever did not answer in time will hardly do so at once. */
const unavailableRetryMs = 1_000;

async function before<T>(signal: AbortSignal, deadlineMs: number, answer: Promise<T>): Promise<T> {
  // It may fail after the deadline, when nobody listens any more.
  answer.catch(() => undefined);
  let onAbort: () => void = () => undefined;
  const late = new Promise<never>((_, reject) => {
    const message = `No answer within ${deadlineMs / 1000} s; it may still happen`;
    onAbort = () => reject(new RpcError('unavailable', message, { retryAfterMs: unavailableRetryMs }));
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function failed(id: RequestId, error: RpcError): object {
  return { jsonrpc: '2.0', id, error: errorBody(error) };
}

function toRpcError(error: unknown): RpcError {
  if (error instanceof RpcError) return error;
  return new RpcError('internal', 'The server made a mistake; its log says more');
}
