// The other side of an endpoint: calls with typed answers, many at a time on one connection, and notifications.
import { WebSocket } from 'ws';
import { type ClientTls, tlsOptions } from '../tls.ts';
import { errorFrom } from './errors.ts';
import { cancelMethod, type MethodTable, type ResultOf } from './method.ts';

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
  /** For `wss:`; without it, the authorities that Node knows are trusted. */
  readonly tls?: ClientTls | undefined;
  /** Most time for connecting. Default 10 s. */
  readonly timeoutMs?: number | undefined;
  /** Without a ping of the server for that long the connection is taken for lost. Undefined: it is not watched. */
  readonly longestSilenceMs?: number | undefined;
  /** Sent with the request to upgrade, besides the token. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
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
  static connect<T extends MethodTable>(options: ConnectOptions): Promise<RpcClient<T>> {
    const { url, token, tls = {}, timeoutMs = 10_000 } = options;
    const headers = { ...options.headers, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) };
    const handshake = { headers, handshakeTimeout: timeoutMs, perMessageDeflate: false };
    const socket = new WebSocket(url, { ...handshake, ...tlsOptions(tls) });
    return new Promise((resolve, reject) => {
      const fail = (reason: string, cause?: unknown) =>
        reject(new ConnectionError(`cannot connect to ${url}: ${reason}`, cause));
      socket.once('error', (error: NodeJS.ErrnoException) => fail(reasonOf(error), error));
      socket.once('unexpected-response', (request, response) => {
        let body = '';
        const { statusCode, socket: carrier } = response;
        response.setEncoding('utf8').on('data', (text: string) => (body = (body + text).slice(0, longestReason)));
        response.on('end', () => {
          // A server that keeps connections would keep this program from ending.
          request.destroy();
          carrier.destroy();
          fail(
            statusCode === 401
              ? unauthorized(options, wordsOf(body))
              : `HTTP status ${statusCode}${statusCode === 404 ? ' (is it the control port?)' : ''}`,
          );
        });
      });
      socket.once('open', () => {
        if (options.longestSilenceMs !== undefined) watchPings(socket, options.longestSilenceMs);
        resolve(new RpcClient<T>(socket, url));
      });
    });
  }

  /**
   * Calls a method and waits for its answer. Calls may overlap. When the signal aborts, the server is told that nobody waits
   * any more.
   *
   * @throws RpcError as the server gave it; ConnectionError when the connection ends first; the signal's reason
   */
  call<M extends keyof T & string>(
    method: M,
    params: Readonly<Record<string, unknown>> = {},
    signal?: AbortSignal,
  ): Promise<ResultOf<T[M]>> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) return reject(this.#ended);
      if (signal?.aborted === true) return reject(reasonOfAbort(signal));
      const id = this.#nextId++;
      const onAbort = () => {
        if (signal === undefined || !this.#waiting.delete(id)) return;
        this.notify(cancelMethod, { id });
        reject(reasonOfAbort(signal));
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      const forget = () => signal?.removeEventListener('abort', onAbort);
      this.#waiting.set(id, {
        resolve: (result) => (forget(), resolve(result as ResultOf<T[M]>)),
        reject: (error) => (forget(), reject(error)),
      });
      this.#send({ jsonrpc: '2.0', id, method, params });
    });
  }

  /** Calls a method whose answer nobody waits for. Lost when the connection ends. */
  notify(method: string, params: unknown): void {
    if (this.#ended === undefined) this.#send({ jsonrpc: '2.0', method, params });
  }

  /** Bytes that wait to be sent. */
  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  #send(message: unknown): void {
    this.#socket.send(JSON.stringify(message), (error) => {
      if (error) this.#end(new ConnectionError(`cannot send to ${this.#url}: ${error.message}`, error));
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

function reasonOfAbort(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error('aborted');
}

/** A path that drops packets tells neither side. */
function watchPings(socket: WebSocket, longestSilenceMs: number): void {
  const timer = setTimeout(() => socket.terminate(), longestSilenceMs);
  socket.on('ping', () => timer.refresh());
  socket.on('close', () => clearTimeout(timer));
}

const longestReason = 1_000;

/** `words` are the server's. */
function unauthorized({ token, tls }: ConnectOptions, words: string): string {
  if (token !== undefined) return 'the token was not accepted';
  if (tls?.certificate === undefined) return 'it wants a token';
  // Whoever asks for a name of its own has nothing but its certificate.
  return tls.serverName === undefined ? 'the client certificate was not accepted, and there is no token' : words;
}

function wordsOf(body: string): string {
  try {
    return String((JSON.parse(body) as { readonly error?: unknown }).error);
  } catch {
    return 'it refuses the connection';
  }
}

const untrusted = /^(UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_)/;

function reasonOf({ code = '', message }: NodeJS.ErrnoException): string {
  if (untrusted.test(code)) return `its certificate is not signed by a trusted authority (${message})`;
  if (code === 'ECONNREFUSED') return 'nothing listens there';
  if (message.includes('wrong version number')) return 'it does not speak TLS (ws: instead of wss:)';
  if (message === 'socket hang up') return 'it closed the connection (does it speak TLS? then wss: instead of ws:)';
  return message === '' ? code : message;
}
