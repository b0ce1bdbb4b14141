// Requests of JSON-RPC 2.0: from text to calls with checked parameters. Nothing that comes in here can be trusted.
import { createHash, randomUUID } from 'node:crypto';
import { z } from 'zod';
import { RpcError } from './errors.ts';
import type { CommandKey, AnyMethod, MethodTable } from './method.ts';
import { issueKinds, objectOf } from './parameters.ts';
import { text } from './values.ts';

export type RequestId = string | number | null;

export interface Request {
  /** Undefined: a notification, which is carried out and not answered. */
  readonly id: RequestId | undefined;
  readonly method: string;
  readonly params: unknown;
}

export type Parsed =
  | { readonly type: 'single'; readonly item: Request | Unreadable }
  | { readonly type: 'batch'; readonly items: readonly (Request | Unreadable)[] };

export interface Unreadable {
  readonly id: RequestId;
  readonly error: RpcError;
}

/** Requests in one batch. */
const mostInBatch = 100;

/** @throws RpcError when nothing can be made of the message as a whole */
export function parseMessage(message: string): Parsed {
  const json = parseJson(message);
  if (!Array.isArray(json)) return { type: 'single', item: readRequest(json) };
  if (json.length === 0) throw new RpcError('request', 'The batch is empty');
  if (json.length > mostInBatch) {
    throw new RpcError('request', `The batch has ${json.length} requests; expected at most ${mostInBatch}`);
  }
  return { type: 'batch', items: json.map(readRequest) };
}

function parseJson(message: string): unknown {
  try {
    return JSON.parse(message);
  } catch {
    throw new RpcError('parse', 'Request is not in valid JSON format');
  }
}

const requestId = z.union([z.string().max(255), z.number(), z.null()]);
const request = z.strictObject({
  jsonrpc: z.literal('2.0'),
  id: requestId.optional(),
  method: z.string().max(100),
  params: z.unknown().optional(),
});

function readRequest(json: unknown): Request | Unreadable {
  const parsed = request.safeParse(json);
  if (parsed.success) return { id: parsed.data.id, method: parsed.data.method, params: parsed.data.params };
  const id = requestId.safeParse((json as { readonly id?: unknown } | null)?.id);
  const message =
    'Expected an object with "jsonrpc": "2.0", "method" (a string) and, if any, "params" and "id" (a string or a number), nothing else';
  return { id: id.success ? id.data : null, error: new RpcError('request', message) };
}

/** A request whose method is known and whose parameters are checked. */
export interface Call {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly command: CommandKey | undefined;
}

const commandIdSchema = text({ min: 1, max: 255 });

/** What calls can be read with: schemas are made once, not per call. */
export class CallReader {
  readonly #methods: ReadonlyMap<string, { readonly schema: z.ZodType; readonly definition: AnyMethod }>;

  constructor(methods: MethodTable) {
    const compiled = Object.entries(methods).map(
      ([name, definition]) => [name, { schema: objectOf(definition.params), definition }] as const,
    );
    this.#methods = new Map(compiled);
  }

  /** @throws RpcError that names the method or the parameter at fault */
  read({ method, params: given }: Request): Call {
    const known = this.#methods.get(method);
    if (known === undefined) throw new RpcError('method', `There is no method ${shown(method)}`);
    if (given !== undefined && (typeof given !== 'object' || given === null || Array.isArray(given))) {
      throw new RpcError('invalid', `Parameters are named: expected an object for params, given ${shown(given)}`);
    }
    const { commandId, ...own } = (given ?? {}) as Record<string, unknown>;
    const all = known.definition.changes || commandId === undefined ? own : { ...own, commandId };
    const wrong = known.definition.check?.(own);
    if (wrong !== undefined) throw new RpcError('invalid', wrong.message, { field: wrong.field });
    const parsed = known.schema.safeParse(all);
    if (!parsed.success) throw problem(parsed.error.issues, all);
    const params = parsed.data as Readonly<Record<string, unknown>>;
    if (!known.definition.changes) return { method, params, command: undefined };
    return { method, params, command: { id: readCommandId(commandId), digest: digestOf(method, own) } };
  }
}

/** @throws RpcError when it is none */
function readCommandId(given: unknown): string {
  if (given === undefined || given === null) return randomUUID();
  const parsed = commandIdSchema.safeParse(given);
  if (!parsed.success) throw problem(parsed.error.issues, given, ['commandId']);
  return parsed.data;
}

type Issues = z.core.$ZodIssue[];

/** The first thing that is wrong, in the words of Octavia's API. */
function problem(issues: Issues, given: unknown, prefix: readonly PropertyKey[] = []): RpcError {
  const issue = issues[0];
  if (issue === undefined) return new RpcError('invalid', 'Invalid parameters');
  const path = [...prefix, ...issue.path];
  if (issue.code === 'unrecognized_keys') {
    const field = fieldName([...path, issue.keys[0] ?? '']);
    return new RpcError('invalid', `Unknown attribute ${field}`, { field });
  }
  const field = fieldName(path);
  const kind: unknown = issue.code === 'custom' ? issue.params?.['kind'] : undefined;
  if (kind === issueKinds.unsupported) return new RpcError('unsupported', issue.message, { field });
  const code = kind === issueKinds.immutable ? 'immutable' : 'invalid';
  const value = issue.path.reduce<unknown>((at, name) => (at as Record<PropertyKey, unknown> | null)?.[name], given);
  const message = `Invalid input for field/attribute ${field}. Value: '${shown(value)}'. ${issue.message}`;
  return new RpcError(code, message, { field });
}

/** `['listeners', 0, 'protocolPort']` → `listeners[0].protocolPort`. */
function fieldName(path: readonly PropertyKey[]): string {
  return path.reduce<string>((name, part) => {
    if (typeof part === 'number') return `${name}[${part}]`;
    return name === '' ? shown(String(part)) : `${name}.${shown(String(part))}`;
  }, '');
}

const longestShown = 100;

function shown(value: unknown): string {
  if (value === undefined) return 'None';
  const words = typeof value === 'string' ? value : JSON.stringify(value);
  const fit = words.length > longestShown ? `${words.slice(0, longestShown)}…` : words;
  // It goes to logs and terminals: no control characters.
  return fit.replace(/\p{C}/gu, '\uFFFD');
}

/** Equal for equal parameters, in whatever order they are written. */
function digestOf(method: string, params: unknown): string {
  return createHash('sha256').update(method).update(' ').update(canonical(params)).digest('hex');
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([name, inner]) => `${JSON.stringify(name)}:${canonical(inner)}`).join(',')}}`;
}
