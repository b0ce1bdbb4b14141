// Balances datagrams between clients and members, in this process: what LVS does in the kernel of an amphora that is a
// machine. Each client has a socket of its own towards its member, as with source NAT, and answers come back through it.
import { type RemoteInfo, type Socket, createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { ListenerStatistics, PoolReport } from '../../domain/health/message.ts';
import type { LvsConfiguration, LvsMember } from './configuration.ts';
import { MemberHealth } from './health.ts';
import { Scheduler, networkOf } from './schedule.ts';

/** A client that is silent that long is forgotten: LVS's time-out for UDP. */
const idleMs = 300_000;
/** Clients at once, of one listener; a new one then takes the place of the one that was silent longest. */
const mostClients = 2000;
const mostRemembered = 20_000;
const sweepMs = 5000;

interface Client {
  readonly member: LvsMember;
  readonly upstream: Socket;
  lastAt: number;
}

interface Affinity {
  readonly memberId: string;
  lastAt: number;
}

export class Balancer {
  readonly #clock: () => number;
  readonly #binds = new Map<string, Socket>();
  /** `<address>:<port>` of the client and of the VIP → where its packets go; in order of the last packet. */
  readonly #clients = new Map<string, Client>();
  readonly #remembered = new Map<string, Affinity>();
  readonly #scheduler = new Scheduler();
  readonly #health = new MemberHealth((memberId) => this.#forget((member) => member.id === memberId));
  #configuration: LvsConfiguration;
  readonly #sweep: NodeJS.Timeout;
  #tx = 0;
  #rx = 0;
  #total = 0;

  private constructor(configuration: LvsConfiguration, clock: () => number) {
    this.#configuration = configuration;
    this.#clock = clock;
    this.#sweep = setInterval(() => this.#forgetIdle(), sweepMs);
  }

  /** Rejects when an address can't be bound. */
  static async start(configuration: LvsConfiguration, clock: () => number): Promise<Balancer> {
    const balancer = new Balancer(configuration, clock);
    try {
      await balancer.reconfigure(configuration);
    } catch (error) {
      balancer.stop();
      throw error;
    }
    return balancer;
  }

  /** Clients keep their member while it is there and not changed. Rejects, and stays as it was, when an address can't be bound. */
  async reconfigure(configuration: LvsConfiguration): Promise<void> {
    const { addresses, port, members } = configuration;
    const wanted = new Map(addresses.map((address) => [`${address} ${port}`, address]));
    const added = new Map<string, Socket>();
    try {
      for (const [key, address] of wanted) {
        if (!this.#binds.has(key)) added.set(key, await this.#bind(address, port));
      }
    } catch (error) {
      for (const socket of added.values()) socket.close();
      throw error;
    }
    for (const [key, socket] of added) this.#binds.set(key, socket);
    for (const [key, socket] of this.#binds) {
      if (wanted.has(key)) continue;
      socket.close();
      this.#binds.delete(key);
    }
    this.#configuration = configuration;
    this.#forget((member) => !members.some((other) => isSamePlace(other, member)));
    this.#health.watch(configuration);
  }

  stop(): void {
    clearInterval(this.#sweep);
    this.#health.stop();
    for (const socket of this.#binds.values()) socket.close();
    this.#binds.clear();
    this.#forget(() => true);
  }

  /** Counters are totals since the start. */
  statistics(): ListenerStatistics {
    return { tx: this.#tx, rx: this.#rx, conns: this.#clients.size, totconns: this.#total, ereq: 0 };
  }

  /** The pool as heartbeats tell of it; undefined when the listener has none. */
  pool(): { readonly id: string; readonly report: PoolReport } | undefined {
    const { poolId: id, members, disabled } = this.#configuration;
    if (id === undefined) return undefined;
    const words = [
      ...members.map((member): [string, string] => [member.id, this.#wordFor(member)]),
      ...disabled.map((memberId): [string, string] => [memberId, 'MAINT']),
    ];
    const isDown = words.length > 0 && words.every(([, word]) => word === 'DOWN');
    return { id, report: { status: isDown ? 'DOWN' : 'UP', members: Object.fromEntries(words) } };
  }

  #wordFor({ id, weight, check }: LvsMember): string {
    if (this.#health.isDown(id)) return 'DOWN';
    if (weight === 0) return 'DRAIN';
    return check === undefined ? 'no check' : 'UP';
  }

  #bind(address: string, port: number): Promise<Socket> {
    const socket = createSocket(isIPv6(address) ? { type: 'udp6', ipv6Only: true } : { type: 'udp4' });
    return new Promise((resolve, reject) => {
      socket.once('error', (error) => {
        socket.close();
        reject(error);
      });
      socket.bind({ address, port, exclusive: true }, () => {
        socket.removeAllListeners('error');
        // An answer to a client that is gone comes back as an error of the next call.
        socket.on('error', () => undefined);
        socket.on('message', (packet, from) => this.#forward(socket, address, packet, from));
        resolve(socket);
      });
    });
  }

  #forward(socket: Socket, vip: string, packet: Buffer, from: RemoteInfo): void {
    this.#rx += packet.length;
    const key = `${from.address}:${from.port} ${vip}`;
    const client = this.#clients.get(key) ?? this.#admit(key, socket, from);
    if (client === undefined) return;
    client.lastAt = this.#clock();
    this.#clients.delete(key);
    this.#clients.set(key, client);
    client.upstream.send(packet, client.member.port, client.member.address, () => undefined);
  }

  #admit(key: string, socket: Socket, from: RemoteInfo): Client | undefined {
    const member = this.#memberFor(from.address);
    if (member === undefined) return undefined;
    if (this.#clients.size >= mostClients) this.#drop(this.#clients.keys().next().value ?? '');
    const upstream = createSocket(isIPv6(member.address) ? 'udp6' : 'udp4');
    upstream.on('error', () => undefined);
    upstream.on('message', (packet, sender) => {
      if (sender.address !== member.address || sender.port !== member.port) return;
      this.#tx += packet.length;
      socket.send(packet, from.port, from.address, () => undefined);
    });
    const client = { member, upstream, lastAt: this.#clock() };
    this.#clients.set(key, client);
    this.#total++;
    return client;
  }

  #memberFor(address: string): LvsMember | undefined {
    const { members, schedule, persistenceMs, granularity } = this.#configuration;
    const now = this.#clock();
    const network = networkOf(address, granularity);
    const known = this.#remembered.get(network);
    if (persistenceMs !== undefined && known !== undefined && now - known.lastAt < persistenceMs) {
      const member = members.find(({ id }) => id === known.memberId);
      // A member that drains keeps those who know it.
      if (member !== undefined && !this.#health.isDown(member.id)) {
        known.lastAt = now;
        return member;
      }
    }
    const clients = this.#clientsByMember();
    const candidates = members
      .filter(
        ({ id, weight, limit }) =>
          weight > 0 && !this.#health.isDown(id) && (clients.get(id) ?? 0) < (limit ?? Infinity),
      )
      .map((member) => ({ id: member.id, weight: member.weight, clients: clients.get(member.id) ?? 0, member }));
    const chosen = this.#scheduler.choose(schedule, candidates, address)?.member;
    if (chosen !== undefined && persistenceMs !== undefined) this.#remember(network, chosen.id, now);
    return chosen;
  }

  #remember(network: string, memberId: string, now: number): void {
    this.#remembered.delete(network);
    if (this.#remembered.size >= mostRemembered) this.#remembered.delete(this.#remembered.keys().next().value ?? '');
    this.#remembered.set(network, { memberId, lastAt: now });
  }

  #clientsByMember(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const { member } of this.#clients.values()) counts.set(member.id, (counts.get(member.id) ?? 0) + 1);
    return counts;
  }

  #forgetIdle(): void {
    const now = this.#clock();
    for (const [key, { lastAt }] of this.#clients) {
      if (now - lastAt < idleMs) break;
      this.#drop(key);
    }
    const { persistenceMs = 0 } = this.#configuration;
    for (const [network, { lastAt }] of this.#remembered) {
      if (now - lastAt >= persistenceMs) this.#remembered.delete(network);
    }
  }

  #forget(isGone: (member: LvsMember) => boolean): void {
    for (const [key, { member }] of this.#clients) if (isGone(member)) this.#drop(key);
  }

  #drop(key: string): void {
    this.#clients.get(key)?.upstream.close();
    this.#clients.delete(key);
  }
}

function isSamePlace(one: LvsMember, other: LvsMember): boolean {
  return one.id === other.id && one.address === other.address && one.port === other.port;
}
