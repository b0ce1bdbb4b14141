// What a channel can be asked: methods as data, from which parsing, handlers' types, clients' types and the
// documentation follow.
import type { ErrorCode } from './errors.ts';
import type { Given, Parameters } from './parameters.ts';

/** A notification with the `id` of a call: nobody waits for its answer any more. */
export const cancelMethod = 'rpc.cancel';

/** What a call answers. The type is for the compiler, the text for people. */
export interface Result<R> {
  readonly text: string;
  /** Never there: carries the type only. */
  readonly type?: R;
}

export function result<R>(text: string): Result<R> {
  return { text };
}

/** What is wrong, as a sentence, and where. */
export interface Problem {
  readonly field: string;
  readonly message: string;
}

export interface Method<P extends Parameters, R, Changes extends boolean> {
  readonly summary: string;
  readonly params: P;
  readonly result: Result<R>;
  readonly errors: readonly ErrorCode[];
  /** What is wrong with the parameters as a whole; looked at first, so they may be anything. */
  readonly check?: ((given: Readonly<Record<string, unknown>>) => Problem | undefined) | undefined;
  /** Takes a `commandId` and happens once, however often it is sent. */
  readonly changes: Changes;
}

export type AnyMethod = Method<Parameters, unknown, boolean>;
export type MethodTable = Readonly<Record<string, AnyMethod>>;

type Described<P extends Parameters, R> = Omit<Method<P, R, boolean>, 'changes' | 'errors'> & {
  readonly errors?: readonly ErrorCode[];
};

export function reads<P extends Parameters, R>(method: Described<P, R>): Method<P, R, false> {
  return { errors: [], ...method, changes: false };
}

export function changes<P extends Parameters, R>(method: Described<P, R>): Method<P, R, true> {
  return { errors: [], ...method, changes: true };
}

/** The command's id and a digest of method and parameters: equal ids with unequal digests are different commands. */
export interface CommandKey {
  readonly id: string;
  /** SHA-256, hex. */
  readonly digest: string;
}

/** The connection a call came over. */
export interface Peer {
  /** Sends a notification. Left out, and reported as a gap, when the client does not keep up. */
  notify(method: string, params: unknown): void;
  /** Calls back when the connection has ended; at once when it has already. Returns how to stop that. */
  onClose(listener: () => void): () => void;
}

export interface CallContext<Key = CommandKey | undefined> {
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
  readonly peer: Peer;
  readonly command: Key;
  /** Of Keystone, where the call is a user's: what the user may read elsewhere is asked with it. */
  readonly userToken?: string | undefined;
}

export type ParamsOf<M extends AnyMethod> = Given<M['params']>;
/** What a handler gives; a changing call's answer has the `commandId` besides. */
export type HandledOf<M extends AnyMethod> = M extends Method<Parameters, infer R, boolean> ? R : never;
export type ResultOf<M extends AnyMethod> = M['changes'] extends true
  ? HandledOf<M> & { readonly commandId: string }
  : HandledOf<M>;

/** One function per method. A refusal is thrown as RpcError; anything else that is thrown is answered `internal`. */
export type HandlersOf<T extends MethodTable> = {
  readonly [K in keyof T]: (
    params: ParamsOf<T[K]>,
    context: CallContext<T[K]['changes'] extends true ? CommandKey : undefined>,
  ) => Promise<HandledOf<T[K]>>;
};
