// How a call fails: one list of codes for servers, clients and the documentation.

/** `code` of an error's data → number of JSON-RPC 2.0, and what it means. Must not change: clients match on both. */
export const errorCodes = {
  parse: { number: -32_700, meaning: 'The message is not JSON.' },
  request: { number: -32_600, meaning: 'The message is not a JSON-RPC 2.0 request, or a batch is empty or too long.' },
  method: { number: -32_601, meaning: 'There is no such method.' },
  invalid: {
    number: -32_602,
    meaning:
      'A parameter is unknown, missing, of a wrong type or out of range, or the request breaks a rule of the tree. Nothing has changed.',
  },
  internal: { number: -32_603, meaning: 'A mistake of the server. It is in the server’s log.' },
  notFound: { number: -32_001, meaning: 'There is no such object.' },
  conflict: {
    number: -32_002,
    meaning: 'Another object stands in the way: a port, an address or a name that is taken.',
  },
  immutable: { number: -32_003, meaning: 'The attribute, or the object in its state, cannot be changed.' },
  commandIdReused: { number: -32_004, meaning: 'The command id was used before with other parameters.' },
  busy: { number: -32_005, meaning: 'Too much is waiting. Repeat after `retryAfterMs`; nothing has changed.' },
  unavailable: {
    number: -32_006,
    meaning: 'No answer in time; what was asked may have happened. Repeat with the same `commandId` to learn it.',
  },
  faulted: { number: -32_007, meaning: 'The object’s actor was given up and waits for an operator.' },
  quota: { number: -32_009, meaning: 'The project has as many objects of a kind as it may. Nothing has changed.' },
  unsupported: { number: -32_008, meaning: 'The API knows this value; this version of the program cannot do it.' },
} as const;

export type ErrorCode = keyof typeof errorCodes;

export interface ErrorData {
  readonly code: ErrorCode;
  /** Path of the parameter at fault, such as `listeners[0].protocolPort`. */
  readonly field?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  /** Id under which a changing call can be repeated. */
  readonly commandId?: string | undefined;
}

/** An error as it travels. */
export interface ErrorBody {
  readonly code: number;
  readonly message: string;
  readonly data: ErrorData;
}

/** A call that is refused or failed, with what the other side needs to know. */
export class RpcError extends Error {
  readonly code: ErrorCode;
  readonly data: Omit<ErrorData, 'code'>;
  constructor(code: ErrorCode, message: string, data: Omit<ErrorData, 'code'> = {}) {
    super(message);
    this.name = 'RpcError';
    this.code = code;
    this.data = data;
  }
}

export function errorBody({ code, message, data }: RpcError, commandId?: string): ErrorBody {
  return { code: errorCodes[code].number, message, data: { code, commandId, ...data } };
}

/** The error that came over the wire, as the server threw it. */
export function errorFrom(body: unknown): RpcError {
  const { code: number, message, data } = (body ?? {}) as Partial<ErrorBody>;
  const byNumber = Object.entries(errorCodes).find(([, known]) => known.number === number)?.[0];
  const { code = byNumber ?? 'internal', ...rest } = (data ?? {}) as Partial<ErrorData>;
  return new RpcError(code as ErrorCode, message ?? 'the server gave no reason', rest);
}
