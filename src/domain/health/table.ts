// The newest of every amphora's heartbeats, compact: one text and a few numbers for each, because there may be a hundred
// thousand. Tells what brings something new from what only says "I live", and what was heard before from what was not.
import { createHash } from 'node:crypto';
import type { HeartbeatMessage, PoolReport } from './message.ts';
import { RecentPrints } from './recent-prints.ts';

/** What heartbeats say of a load balancer's objects. */
export interface Observation {
  readonly listeners: Readonly<Record<string, { readonly status: string }>>;
  readonly pools: Readonly<Record<string, PoolReport>>;
}

/**
 * `repeat`: this very packet was heard before, and changes nothing. `again`: so it was, and yet it shows that the amphora lives,
 * because its sender has begun anew. `late`: it was overtaken by newer ones; what it counted
 * counts. `same`: nothing new but that the amphora lives. `news`: its statuses differ from those before.
 */
export type Hearing = 'repeat' | 'again' | 'late' | 'same' | 'news';

interface Heard {
  /** Milliseconds on a monotonic clock. */
  at: number;
  /** Of the newest message; -1 while none was numbered. */
  seq: number;
  /** Statuses in one text; statistics are not part of it. `unheard` while only other nodes have heard it. */
  statuses: string;
  /** A status has to be told, whatever it is. */
  isWanted: boolean;
  /** Of the newest repeat since the last new packet; -1 for none. */
  repeated: number;
  /** Messages of the sender's present run that ought to have come by now and did not. */
  missed: number;
  /** Its row among the fingerprints. */
  readonly row: number;
}

/** A message that is this much older than the newest was overtaken; one that is older still comes from a sender that has begun anew. */
const mostOvertaken = 3;
/** Differs from the statuses of every message. */
const unheard = '?';

export class HeartbeatTable {
  readonly #heard = new Map<string, Heard>();
  readonly #prints = new RecentPrints();
  /** Amphora → digest of statuses that are known already, though this table has not heard them. */
  readonly #presumed = new Map<string, string>();
  #missed = 0;

  get size(): number {
    return this.#heard.size;
  }

  /** Heartbeats that did not come, by the gaps in their numbers, of amphorae that are there. */
  get missed(): number {
    return this.#missed;
  }

  /** Takes a heartbeat in. `print` is that of its packet; undefined when another node has seen to repeats. */
  hear(message: HeartbeatMessage, print: number | undefined, at: number): Hearing {
    const known = this.#heard.get(message.id);
    const heard = known ?? this.#add(message.id, at);
    if (print !== undefined && !this.#prints.add(heard.row, print)) return this.#repeat(heard, message.seq, at);
    heard.repeated = -1;
    heard.at = Math.max(heard.at, at);
    if (this.#number(heard, message.seq) === 'older') return 'late';
    const isSame = isSaidBy(message, heard.statuses);
    if (isSame && !heard.isWanted) return 'same';
    if (!isSame) heard.statuses = statusText(message);
    heard.isWanted = false;
    return this.#isPresumed(message.id, heard.statuses) ? 'same' : 'news';
  }

  /** It was heard by another node. `seq` is undefined when that node is of a version that does not tell. */
  touch(amphoraId: string, seq: number | undefined, at: number): void {
    const heard = this.#heard.get(amphoraId) ?? this.#add(amphoraId, at);
    // A number that is known may be that of a repeat.
    if (seq === undefined || this.#number(heard, seq) === 'newer') heard.at = Math.max(heard.at, at);
  }

  /** What it says next counts as new, unless its statuses have this digest. */
  expectNews(amphoraId: string, unless: string | undefined): void {
    const heard = this.#heard.get(amphoraId);
    if (heard !== undefined) heard.isWanted = true;
    if (unless === undefined) this.#presumed.delete(amphoraId);
    else this.#presumed.set(amphoraId, unless);
  }

  /** Of the statuses in what the amphora said last; undefined when it was not heard here. */
  digest(amphoraId: string): string | undefined {
    const statuses = this.#heard.get(amphoraId)?.statuses;
    return statuses === undefined || statuses === unheard ? undefined : digestOf(statuses);
  }

  /** When the amphora was heard last; undefined when never. */
  lastSeen(amphoraId: string): number | undefined {
    return this.#heard.get(amphoraId)?.at;
  }

  /** Number of its newest heartbeat, and how many did not come; undefined when it was never heard. */
  numbers(amphoraId: string): { readonly seq: number; readonly missed: number } | undefined {
    const heard = this.#heard.get(amphoraId);
    return heard === undefined ? undefined : { seq: heard.seq, missed: heard.missed };
  }

  observation(amphoraId: string): Observation | undefined {
    const statuses = this.#heard.get(amphoraId)?.statuses;
    return statuses === undefined || statuses === unheard ? undefined : observationIn(statuses);
  }

  forget(amphoraId: string): void {
    const heard = this.#heard.get(amphoraId);
    if (heard !== undefined) {
      this.#prints.release(heard.row);
      this.#missed -= heard.missed;
    }
    this.#heard.delete(amphoraId);
    this.#presumed.delete(amphoraId);
  }

  #add(amphoraId: string, at: number): Heard {
    const row = this.#prints.claim();
    const heard = { at, seq: -1, statuses: unheard, isWanted: true, repeated: -1, missed: 0, row };
    this.#heard.set(amphoraId, heard);
    return heard;
  }

  /**
   * A sender that has begun anew and has nothing new to say sends the packets of before once more, in their order. So each of them
   * is a sign of life once; somebody else who sends them again can't keep an amphora alive with them for long.
   */
  #repeat(heard: Heard, seq: number, at: number): 'repeat' | 'again' {
    if (seq <= heard.repeated) return 'repeat';
    heard.repeated = seq;
    heard.at = Math.max(heard.at, at);
    return 'again';
  }

  /** Takes note of a message's number, and tells how it stands to the newest one. */
  #number(heard: Heard, seq: number): 'newer' | 'equal' | 'older' {
    const behind = heard.seq - seq;
    if (heard.seq >= 0 && behind === 0) return 'equal';
    if (heard.seq >= 0 && behind > 0 && behind <= mostOvertaken) {
      if (heard.missed > 0) this.#miss(heard, -1);
      return 'older';
    }
    if (heard.seq >= 0 && behind < -1) this.#miss(heard, -behind - 1);
    heard.seq = seq;
    return 'newer';
  }

  #miss(heard: Heard, count: number): void {
    heard.missed += count;
    this.#missed += count;
  }

  /** Asked once: from then on the table knows better. */
  #isPresumed(amphoraId: string, statuses: string): boolean {
    const digest = this.#presumed.get(amphoraId);
    this.#presumed.delete(amphoraId);
    return digest !== undefined && digest === digestOf(statuses);
  }
}

function digestOf(statuses: string): string {
  return createHash('sha1').update(statuses).digest('base64');
}

// What stands between the parts of a status text. Agents have none of these in their words and ids.
const between = '\u001f';
const listenerMark = '\u001cL';
const poolMark = '\u001cP';
const memberMark = '\u001cM';

/** In one piece: a text put together by `+` would keep all its parts in memory. */
function statusText({ listeners, pools }: HeartbeatMessage): string {
  const parts: string[] = [];
  for (const id in listeners) parts.push(listenerMark, id, between, listeners[id]?.status ?? '');
  for (const id in pools) {
    const pool = pools[id];
    parts.push(poolMark, id, between, pool?.status ?? '');
    for (const member in pool?.members) parts.push(memberMark, member, between, pool.members[member] ?? '');
  }
  return parts.join('');
}

/** Whether that is the message's status text, which need not be made for it: nearly all heartbeats say what the last one said. */
function isSaidBy({ listeners, pools }: HeartbeatMessage, text: string): boolean {
  let at = 0;
  const goesOn = (mark: string, id: string, word: string): boolean => {
    const [idAt, betweenAt] = [at + mark.length, at + mark.length + id.length];
    const isSaid =
      text.startsWith(mark, at) &&
      text.startsWith(id, idAt) &&
      text.startsWith(between, betweenAt) &&
      text.startsWith(word, betweenAt + between.length);
    at = betweenAt + between.length + word.length;
    return isSaid;
  };
  for (const id in listeners) if (!goesOn(listenerMark, id, listeners[id]?.status ?? '')) return false;
  for (const id in pools) {
    const pool = pools[id];
    if (!goesOn(poolMark, id, pool?.status ?? '')) return false;
    for (const member in pool?.members) {
      if (!goesOn(memberMark, member, pool.members[member] ?? '')) return false;
    }
  }
  return at === text.length;
}

function observationIn(statuses: string): Observation {
  const listeners: Record<string, { status: string }> = {};
  const pools: Record<string, { status: string; members: Record<string, string> }> = {};
  let members: Record<string, string> = {};
  for (const part of statuses.split(listenerMark[0] ?? '').slice(1)) {
    const [id = '', word = ''] = part.slice(1).split(between);
    if (part[0] === 'L') listeners[id] = { status: word };
    else if (part[0] === 'P') pools[id] = { status: word, members: (members = {}) };
    else members[id] = word;
  }
  return { listeners, pools };
}
