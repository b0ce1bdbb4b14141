// What this amphora has: its load balancers, the VIPs that were plugged, and what it tells about them in heartbeats.
import { readFileSync, readdirSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { isUuid } from '../domain/ids.ts';
import {
  type HeartbeatMessage,
  type ListenerReport,
  type PoolReport,
  messageVersion,
} from '../domain/health/message.ts';
import { DeltaCounters } from './health/counters.ts';
import { LoadBalancer, type LoadBalancerContext } from './load-balancer.ts';
import { LvsListener } from './lvs/listener.ts';
import { Vrrp } from './vrrp/vrrp.ts';

type AmphoraContext = Omit<LoadBalancerContext, 'onLastCount' | 'moves'>;

const relocationMs = 500;
const vipsFile = 'plugged-vips.json';

export class Amphora {
  /** Of a pair, who has the VIP. */
  readonly vrrp: Vrrp;
  readonly #context: AmphoraContext;
  readonly #loadBalancers = new Map<string, LoadBalancer>();
  readonly #lvsListeners = new Map<string, LvsListener>();
  readonly #counters = new DeltaCounters('stats_counters.json');
  readonly #vips: Set<string>;
  #sequence = 0;
  #relocation: NodeJS.Timeout | undefined;

  constructor(context: AmphoraContext) {
    this.#context = context;
    this.vrrp = new Vrrp({
      isWell: () => this.#isWell(),
      onMove: () => void this.#relocate(),
      log: context.log,
    });
    this.#vips = new Set(readVips());
  }

  /** Starts what was served before the agent was restarted. */
  async resume(): Promise<void> {
    const ids = readdirSync('.').filter(isUuid);
    const lvsIds = filesIn(LvsListener.folder).flatMap((name) => LvsListener.idOf(name) ?? []);
    await Promise.all([
      ...ids.map(async (id) => {
        const loadBalancer = this.loadBalancer(id);
        if ((await loadBalancer.configuration()) !== undefined) await loadBalancer.resume();
      }),
      ...lvsIds.map((id) => this.lvsListener(id).serve()),
    ]);
    await this.vrrp.resume();
  }

  /** Ends everything that serves; what was not reported yet is kept for the next run of the agent. */
  async stop(): Promise<void> {
    this.vrrp.end();
    clearTimeout(this.#relocation);
    await Promise.all(Array.from(this.#loadBalancers.values(), (loadBalancer) => loadBalancer.stop()));
    for (const listener of this.#lvsListeners.values()) {
      const counted = listener.statistics();
      if (counted !== undefined) this.#counters.add(counted);
      await listener.stop();
    }
    this.#counters.save();
  }

  /** The load balancer of that id, which may have nothing yet. */
  loadBalancer(id: string): LoadBalancer {
    const existing = this.#loadBalancers.get(id);
    if (existing !== undefined) return existing;
    const made = new LoadBalancer(id, {
      ...this.#context,
      moves: () => this.vrrp.moves(),
      onLastCount: (counted) => this.#counters.add(counted),
    });
    this.#loadBalancers.set(id, made);
    return made;
  }

  loadBalancers(): readonly LoadBalancer[] {
    return Array.from(this.#loadBalancers.values());
  }

  /** The UDP listener of that id, which may have nothing yet. */
  lvsListener(id: string): LvsListener {
    const known = this.#lvsListeners.get(id) ?? new LvsListener(id, this.#context.log, () => this.vrrp.moves());
    this.#lvsListeners.set(id, known);
    return known;
  }

  lvsListeners(): readonly LvsListener[] {
    return Array.from(this.#lvsListeners.values()).filter((listener) => listener.exists());
  }

  /** Removes the load balancer, or the UDP listener, and everything of it. No error when there is none. */
  async remove(id: string): Promise<void> {
    await this.#lvsListeners.get(id)?.remove();
    this.#lvsListeners.delete(id);
    await this.#loadBalancers.get(id)?.remove();
    this.#loadBalancers.delete(id);
  }

  hasVip(address: string): boolean {
    return this.#vips.has(address);
  }

  /**
   * Remembers the VIP, and the amphora's own address beside it. Addresses of this host's loopback need no interface, so
   * there is nothing more to do.
   */
  async plugVip(...addresses: readonly string[]): Promise<void> {
    for (const address of addresses) this.#vips.add(address);
    await writeFile(`${vipsFile}.new`, JSON.stringify([...this.#vips]), { mode: 0o600 });
    await rename(`${vipsFile}.new`, vipsFile);
  }

  /** Of a pair: whether the VIP may be here. */
  #isWell(): boolean {
    const all = this.loadBalancers();
    const serves = all.some((loadBalancer) => loadBalancer.isWanted()) || this.lvsListeners().length > 0;
    return serves && all.every((loadBalancer) => loadBalancer.isWell());
  }

  async #relocate(): Promise<void> {
    clearTimeout(this.#relocation);
    const served = [...this.loadBalancers(), ...this.lvsListeners()];
    const isDone = await Promise.all(served.map((one) => one.relocate()));
    // Whoever had the VIP before may hang, and hold it until it is ended.
    if (isDone.includes(false)) this.#relocation = setTimeout(() => void this.#relocate(), relocationMs);
  }

  /**
   * The next heartbeat; undefined while there is to be none. A haproxy that is down is told by its listeners being absent.
   */
  async heartbeat(): Promise<HeartbeatMessage | undefined> {
    if (this.vrrp.isSilenced()) return undefined;
    const listeners: Record<string, ListenerReport> = {};
    const pools: Record<string, PoolReport> = {};
    let complete = true;
    for (const serving of [...this.#loadBalancers.values(), ...this.lvsListeners()]) {
      const counted = await serving.statistics();
      complete &&= counted !== undefined;
      if (counted === undefined) continue;
      this.#counters.add(counted);
      for (const [id, { status, stats }] of Object.entries(counted.listeners)) {
        listeners[id] = { status, stats: this.#counters.take(id, stats.conns) };
      }
      Object.assign(pools, counted.pools);
    }
    if (complete) this.#counters.keepOnly(new Set(Object.keys(listeners)));
    this.#counters.save();
    return { id: this.#context.amphoraId, seq: this.#sequence++, listeners, pools, ver: messageVersion };
  }
}

function filesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function readVips(): string[] {
  try {
    return (JSON.parse(readFileSync(vipsFile, 'utf8')) as unknown[]).filter((address) => typeof address === 'string');
  } catch {
    return [];
  }
}
