// The other side of an endpoint: calls with typed answers, many at a time on one connection, and notifications.
import { WebSocket } from 'ws';
import { errorFrom } from './errors.ts';
import type { MethodTable, ResultOf } from './method.ts';

/** The connection could not be made, or has ended; a call that was under way may have happened. */
export class ConnectionError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'ConnectionError';
  }
}

export interface ConnectOptions {
  /** Such as `ws://127.0.0.1:9877/command`. */
  readonly url: string;
  readonly token?: string | undefined;
  /** Most time for connecting. Default 10 s. */
  readonly timeoutMs?: number | undefined;
}

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class RpcClient<T extends MethodTable> {
  readonly #socket: WebSocket;
  readonly #url: string;
  readonly #waiting = new Map<number, Waiting>();
  readonly #listeners = new Set<(method: string, params: unknown) => void>();
  #nextId = 1;
  #ended: ConnectionError | undefined;
  /** Resolves when the connection has ended, whoever ended it. */
  readonly closed: Promise<void>;

  private constructor(socket: WebSocket, url: string) {
    this.#socket = socket;
    this.#url = url;
    this.closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => {
        const why = reason.length > 0 ? reason.toString() : `code ${code}`;
        this.#end(new ConnectionError(`the connection to ${url} was closed: ${why}`));
        resolve();
      });
    });
    socket.on('error', (error) =>
      this.#end(new ConnectionError(`the connection to ${url} failed: ${error.message}`, error)),
    );
    // oxlint-disable-next-line no-base-to-string -- a Buffer, as ws gives unless told otherwise
    socket.on('message', (data) => this.#onMessage(JSON.parse(data.toString())));
  }

  /** @throws ConnectionError naming the address and the reason */
  static connect<T extends MethodTable>({ url, token, timeoutMs = 10_000 }: ConnectOptions): Promise<RpcClient<T>> {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const socket = new WebSocket(url, { headers, handshakeTimeout: timeoutMs, perMessageDeflate: false });
    return new Promise((resolve, reject) => {
      const fail = (reason: string, cause?: unknown) =>
        reject(new ConnectionError(`cannot connect to ${url}: ${reason}`, cause));
      socket.once('error', (error) => fail(error.message, error));
      socket.once('unexpected-response', (request, response) => {
        request.destroy();
        fail(response.statusCode === 401 ? 'the token was not accepted' : `HTTP status ${response.statusCode}`);
      });
      socket.once('open', () => resolve(new RpcClient<T>(socket, url)));
    });
  }

  /**
   * Calls a method and waits for its answer. Calls may overlap.
   *
   * @throws RpcError as the server gave it; ConnectionError when the connection ends first
   */
  call<M extends keyof T & string>(method: M, params: Readonly<Record<string, unknown>> = {}): Promise<ResultOf<T[M]>> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) return reject(this.#ended);
      const id = this.#nextId++;
      this.#waiting.set(id, { resolve: resolve as (result: unknown) => void, reject });
      this.#socket.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }), (error) => {
        if (error) this.#end(new ConnectionError(`cannot send to ${this.#url}: ${error.message}`, error));
      });
    });
  }

  /** Hears all notifications. Returns how to stop that. */
  onNotification(listener: (method: string, params: unknown) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#socket.close();
    const timer = setTimeout(() => this.#socket.terminate(), 1_000);
    await this.closed;
    clearTimeout(timer);
  }

  #onMessage(message: unknown): void {
    const { id, method, params, result, error } = message as Readonly<Record<string, unknown>>;
    if (typeof method === 'string') {
      for (const listener of this.#listeners) listener(method, params);
      return;
    }
    const waiting = this.#waiting.get(id as number);
    if (waiting === undefined) return;
    this.#waiting.delete(id as number);
    if (error === undefined) waiting.resolve(result);
    else waiting.reject(errorFrom(error));
  }

  #end(error: ConnectionError): void {
    this.#ended ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#ended);
    this.#waiting.clear();
  }
}
