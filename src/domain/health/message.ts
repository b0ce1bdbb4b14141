// What an amphora says in a heartbeat, as text and back. Read by hand rather than by a schema: thousands arrive per
// second, and the checks are few.

/** Counters are deltas since the previous message from version 3 on, totals before; `conns` is always a gauge. */
export interface ListenerStatistics {
  /** Bytes sent to clients. */
  readonly tx: number;
  /** Bytes received from clients. */
  readonly rx: number;
  /** Connections open now. */
  readonly conns: number;
  readonly totconns: number;
  /** Requests that were errors. */
  readonly ereq: number;
}

export interface ListenerReport {
  /** `OPEN` or `FULL`; other words are kept as they came. */
  readonly status: string;
  readonly stats: ListenerStatistics;
}

export interface PoolReport {
  /** `UP` or `DOWN`. */
  readonly status: string;
  /** Member id → `UP`, `UP 1/2`, `DOWN`, `DOWN 1/2`, `DRAIN`, `MAINT`, `no check` or `RESTARTING`. */
  readonly members: Readonly<Record<string, string>>;
}

export interface HeartbeatMessage {
  /** The amphora's id, as its own configuration gives it. */
  readonly id: string;
  /** Counts the messages that this run of the agent has built. */
  readonly seq: number;
  readonly listeners: Readonly<Record<string, ListenerReport>>;
  /** Keyed `<pool>:<listener>` for haproxy, `<pool>` for LVS. */
  readonly pools: Readonly<Record<string, PoolReport>>;
  readonly ver: number;
}

/** The version that `src/agent` speaks. */
export const messageVersion = 3;

/** The text of a message: keys in the order id, seq, listeners, pools, ver, written as Python's json module writes. */
export function encodeMessage(message: HeartbeatMessage): string {
  const { id, seq, listeners, pools, ver } = message;
  return pythonJson({ id, seq, listeners, pools, ver });
}

function pythonJson(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).map(([key, inner]) => `${JSON.stringify(key)}: ${pythonJson(inner)}`);
  return `{${entries.join(', ')}}`;
}

/**
 * A parsed JSON value as a message, or undefined when it is not one. Knows all versions: before version 2 pools stood
 * inside their listener, and are keyed `<pool>:<listener>` here as they are today; a missing version is taken as 0. The
 * message shares its objects with `value`.
 */
export function parseMessage(value: unknown): HeartbeatMessage | undefined {
  if (!isRecord(value)) return undefined;
  const { id, seq, listeners, ver = 0 } = value;
  if (typeof id !== 'string' || id === '' || !isCount(seq) || !isCount(ver) || !isListeners(listeners))
    return undefined;
  const pools = value['pools'] ?? poolsInside(listeners);
  if (!isPools(pools)) return undefined;
  return { id, seq, listeners, pools, ver };
}

type JsonObject = Record<string, unknown>;

function poolsInside(listeners: Readonly<Record<string, ListenerReport>>): JsonObject | undefined {
  const found: JsonObject = {};
  for (const [listenerId, listener] of Object.entries(listeners)) {
    const inner = (listener as ListenerReport & { readonly pools?: unknown }).pools ?? {};
    if (!isRecord(inner)) return undefined;
    for (const [poolId, pool] of Object.entries(inner)) found[`${poolId}:${listenerId}`] = pool;
  }
  return found;
}

function isListeners(value: unknown): value is Readonly<Record<string, ListenerReport>> {
  return isRecord(value) && isEvery(value, isListener);
}

function isListener(value: unknown): value is ListenerReport {
  if (!isRecord(value) || typeof value['status'] !== 'string') return false;
  const stats = value['stats'];
  if (!isRecord(stats)) return false;
  return (
    isCount(stats['tx']) &&
    isCount(stats['rx']) &&
    isCount(stats['conns']) &&
    isCount(stats['totconns']) &&
    isCount(stats['ereq'])
  );
}

function isPools(value: unknown): value is Readonly<Record<string, PoolReport>> {
  return isRecord(value) && isEvery(value, isPool);
}

function isPool(value: unknown): value is PoolReport {
  if (!isRecord(value) || typeof value['status'] !== 'string') return false;
  const members = value['members'];
  return isRecord(members) && isEvery(members, isText);
}

/** `Object.values(…).every(…)` without the list. What JSON makes has no properties but its own. */
function isEvery(values: JsonObject, holds: (value: unknown) => boolean): boolean {
  for (const key in values) if (!holds(values[key])) return false;
  return true;
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isRecord(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
