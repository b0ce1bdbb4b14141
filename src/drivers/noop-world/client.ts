// A connection to the noop world, shared by the three noop drivers of a node. Calls are pipelined; a lost connection
// fails what was under way and is made anew by the next call.
import { connect, type Socket } from 'node:net';
import { causesOf } from '../../domain/causes.ts';
import { PermanentFailure, TransientFailure } from '../failure.ts';
import {
  lineReader,
  type WorldCall,
  type WorldCalls,
  type WorldControl,
  type WorldControls,
  type WorldReply,
} from './protocol.ts';

export interface ConnectToWorld {
  /** `host:port`. */
  readonly address: string;
  /** Written to the world's log with every call. */
  readonly node: string;
  /** The epoch under which the node acts just now, for the log. */
  readonly epoch?: () => number | null;
}

interface Pending {
  readonly name: string;
  resolve(result: unknown): void;
  reject(failure: Error): void;
}

export class WorldClient {
  readonly #options: ConnectToWorld;
  readonly #pending = new Map<number, Pending>();
  #socket: Socket | undefined;
  #nextId = 1;
  #waiting = '';

  constructor(options: ConnectToWorld) {
    this.#options = options;
  }

  /** @throws TransientFailure, PermanentFailure as the world says; TransientFailure on abort and lost connections. */
  call<C extends WorldCall>(
    call: C,
    params: WorldCalls[C]['params'],
    signal: AbortSignal,
  ): Promise<WorldCalls[C]['result']> {
    const { node, epoch } = this.#options;
    const commands = causesOf(signal);
    return this.#request(call, { call, params, node, epoch: epoch?.() ?? null, commands }, signal) as Promise<
      WorldCalls[C]['result']
    >;
  }

  /** Tells the world how to be: for tests. */
  control<C extends WorldControl>(control: C, params: WorldControls[C]['params']): Promise<WorldControls[C]['result']> {
    return this.#request(control, { control, params }) as Promise<WorldControls[C]['result']>;
  }

  /** Ends the connection. Calls under way fail. */
  close(): Promise<void> {
    const socket = this.#socket;
    if (socket === undefined || socket.destroyed) return Promise.resolve();
    return new Promise((resolve) => socket.once('close', () => resolve()).destroy());
  }

  #request(name: string, message: object, signal?: AbortSignal): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const aborted = (): void => {
        this.#pending.delete(id);
        reject(new TransientFailure(`${name} was given up`, { call: `noop ${name}`, cause: signal?.reason }));
      };
      const id = this.#nextId++;
      if (signal?.aborted === true) return aborted();
      signal?.addEventListener('abort', aborted, { once: true });
      const settle = (): void => signal?.removeEventListener('abort', aborted);
      this.#pending.set(id, {
        name,
        resolve: (result) => [settle(), resolve(result)],
        reject: (failure) => [settle(), reject(failure)],
      });
      this.#send(`${JSON.stringify({ id, ...message })}\n`);
    });
  }

  /** Everything that is sent in one turn of the event loop travels together. */
  #send(line: string): void {
    this.#socket ??= this.#connect();
    if (this.#waiting === '') setImmediate(() => this.#flush());
    this.#waiting += line;
  }

  #flush(): void {
    if (this.#waiting !== '') this.#socket?.write(this.#waiting);
    this.#waiting = '';
  }

  #connect(): Socket {
    const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(this.#options.address) ?? [];
    const socket = connect({ host, port: Number(port), noDelay: true });
    let cause: Error | undefined;
    socket.setEncoding('utf8').on(
      'data',
      lineReader((line) => this.#receive(JSON.parse(line) as WorldReply)),
    );
    socket.on('error', (error) => (cause = error));
    socket.on('close', () => this.#lost(socket, cause));
    return socket;
  }

  #receive(reply: WorldReply): void {
    const pending = this.#pending.get(reply.id);
    if (pending === undefined) return;
    this.#pending.delete(reply.id);
    if ('result' in reply) return pending.resolve(reply.result);
    const Failure = reply.failure === 'transient' ? TransientFailure : PermanentFailure;
    pending.reject(new Failure(reply.message, { call: `noop ${pending.name}` }));
  }

  #lost(socket: Socket, cause: Error | undefined): void {
    if (this.#socket === socket) this.#socket = undefined;
    const lost = [...this.#pending.values()];
    this.#pending.clear();
    this.#waiting = '';
    for (const pending of lost) {
      pending.reject(
        new TransientFailure(`the noop world at ${this.#options.address} is not reachable`, {
          call: `noop ${pending.name}`,
          cause,
        }),
      );
    }
  }
}
