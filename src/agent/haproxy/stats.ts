// haproxy's statistics socket: one question a connection, read to its end.
import { connect } from 'node:net';
import { isUuid } from '../../domain/ids.ts';
import type { ListenerStatistics, PoolReport } from '../../domain/health/message.ts';

const longestAnswer = 32 * 1024 * 1024;

/**
 * haproxy's answer to one command. Rejects when nobody listens, when the answer takes longer than `timeoutMs` or is larger
 * than 32 MiB.
 */
export function ask(socketPath: string, command: string, timeoutMs = 2000): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    const parts: Buffer[] = [];
    let size = 0;
    const timer = setTimeout(() => socket.destroy(new Error(`haproxy did not answer "${command}"`)), timeoutMs);
    socket.on('connect', () => socket.write(`${command}\n`));
    socket.on('data', (part) => {
      parts.push(part);
      size += part.length;
      if (size > longestAnswer) socket.destroy(new Error(`haproxy's answer to "${command}" is too long`));
    });
    socket.on('end', () => resolve(Buffer.concat(parts).toString('utf8')));
    socket.on('error', reject);
    socket.on('close', () => {
      clearTimeout(timer);
      reject(new Error(`haproxy closed the connection at "${command}"`));
    });
  });
}

/** The process id of the worker that serves now; undefined when none answers. */
export async function workerPid(socketPath: string): Promise<number | undefined> {
  const info = await ask(socketPath, 'show info').catch(() => '');
  const pid = /^Pid: (\d+)$/m.exec(info)?.[1];
  return pid === undefined ? undefined : Number(pid);
}

export interface HaproxyStatistics {
  /** The process that counted; another one counts from 0. */
  readonly worker: number;
  /** By listener id; counters are totals of the worker. */
  readonly listeners: Readonly<
    Record<string, { readonly status: 'OPEN' | 'FULL'; readonly stats: ListenerStatistics }>
  >;
  /** By backend name, `<pool>:<listener>`. */
  readonly pools: Readonly<Record<string, PoolReport>>;
}

/** What haproxy counts now; undefined when it is down. */
export async function statistics(socketPath: string): Promise<HaproxyStatistics | undefined> {
  const answer = await ask(socketPath, 'show info;show stat').catch(() => '');
  const worker = /^Pid: (\d+)$/m.exec(answer)?.[1];
  const table = answer.indexOf('# pxname');
  return worker === undefined || table < 0 ? undefined : { worker: Number(worker), ...readTable(answer.slice(table)) };
}

/**
 * The answer to `show stat` in the words of a heartbeat. Splitting at commas suffices: the columns that are read stand
 * before those with quoted texts.
 */
export function readTable(csv: string): Omit<HaproxyStatistics, 'worker'> {
  const [header = '', ...lines] = csv.replace(/^# /, '').split('\n');
  const columns = header.split(',');
  const rows = lines
    .filter((line) => line !== '')
    .map((line) => new Map(line.split(',').map((cell, index) => [columns[index] ?? '', cell])));
  const listeners: Record<string, HaproxyStatistics['listeners'][string]> = {};
  const pools: Record<string, { status: string; members: Record<string, string> }> = {};
  for (const row of rows) {
    const name = row.get('pxname') ?? '';
    const part = row.get('svname') ?? '';
    if (part === 'FRONTEND' && isUuid(name)) listeners[name] = listenerOf(row);
    else if (name.includes(':')) poolRow((pools[name] ??= { status: 'DOWN', members: {} }), part, row);
  }
  return { listeners, pools };
}

type Row = ReadonlyMap<string, string>;

function listenerOf(row: Row): HaproxyStatistics['listeners'][string] {
  const count = (column: string): number => Number(row.get(column) ?? 0) || 0;
  const [conns, limit] = [count('scur'), count('slim')];
  return {
    // haproxy itself stopped saying FULL in 2.3; a frontend at its limit is what the word meant.
    status: limit > 0 && conns >= limit ? 'FULL' : 'OPEN',
    stats: { tx: count('bout'), rx: count('bin'), conns, totconns: count('stot'), ereq: count('ereq') },
  };
}

function poolRow(pool: { status: string; members: Record<string, string> }, part: string, row: Row): void {
  const status = row.get('status') ?? '';
  if (part === 'BACKEND') pool.status = status.startsWith('UP') ? 'UP' : 'DOWN';
  else pool.members[part] = status === 'UP' && row.get('weight') === '0' ? 'DRAIN' : memberWord(status);
}

/** `MAINT (via …)` and the like lose what the protocol has no place for. */
function memberWord(status: string): string {
  return status.replace(/ \(.*$/, '');
}
