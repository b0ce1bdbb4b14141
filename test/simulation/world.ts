// The outside world of a simulation: instances, VIPs and what is served. It outlives every controller, and notes what
// must never be.
import { renderHaproxy } from '../../src/domain/haproxy/render.ts';
import type { AmphoraId, LoadBalancerId } from '../../src/domain/ids.ts';
import type { Pairing } from '../../src/domain/load-balancer/steps.ts';
import { wrongBeside } from '../support/vip-rule.ts';
import type { ServedTree } from '../../src/domain/load-balancer/attributes.ts';

interface Served {
  readonly text: string | null;
  readonly pairing: Pairing | null;
}

export class World {
  readonly instances = new Set<AmphoraId>();
  readonly vips = new Set<LoadBalancerId>();
  /** They died by themselves. */
  readonly lost = new Set<AmphoraId>();
  /** Amphora → whom it serves, and what. */
  readonly serving = new Map<AmphoraId, Map<LoadBalancerId, Served>>();
  /** Load balancers that share → how many may be on one amphora. */
  readonly sharers = new Map<LoadBalancerId, number>();
  readonly violations: string[] = [];

  boot(id: AmphoraId): void {
    this.instances.add(id);
  }

  destroy(id: AmphoraId): void {
    const served = [...(this.serving.get(id)?.keys() ?? [])];
    const isNeeded = served.length > 1 && !this.lost.has(id);
    if (isNeeded) this.violations.push(`amphora ${id} is destroyed, and served ${served.join(' and ')}`);
    this.#end(id);
  }

  /** It dies by itself. */
  lose(id: AmphoraId): void {
    this.lost.add(id);
    this.#end(id);
  }

  #end(id: AmphoraId): void {
    this.instances.delete(id);
    this.serving.delete(id);
  }

  /** False when there is no such instance to talk to. */
  serve(id: AmphoraId, loadBalancerId: LoadBalancerId, tree: ServedTree, told: Pairing | null): boolean {
    if (!this.instances.has(id)) return false;
    const here = this.serving.get(id) ?? new Map<LoadBalancerId, Served>();
    this.serving.set(id, here);
    const before = here.get(loadBalancerId);
    const servers = this.serversOf(loadBalancerId).map(([amphoraId, { pairing }]) => ({ amphoraId, pairing }));
    const pairing = told === null || !told.keepsPeer ? told : (before?.pairing ?? told);
    const wrong = wrongBeside(servers, { amphoraId: id, pairing }, before === undefined);
    if (wrong !== undefined) this.violations.push(`${loadBalancerId}: ${wrong}`);
    here.set(loadBalancerId, { text: renderHaproxy(tree), pairing });
    const most = Math.min(...Array.from(here.keys(), (one) => this.sharers.get(one) ?? 1));
    if (here.size > most) this.violations.push(`amphora ${id} is given to ${[...here.keys()].join(' and ')}`);
    return true;
  }

  /** Takes a load balancer off an amphora. False when there is no such instance to talk to. */
  withdraw(id: AmphoraId, loadBalancerId: LoadBalancerId): boolean {
    this.serving.get(id)?.delete(loadBalancerId);
    return this.instances.has(id);
  }

  serversOf(loadBalancerId: LoadBalancerId): readonly (readonly [AmphoraId, Served])[] {
    return [...this.serving].flatMap(([amphoraId, served]) => {
      const own = served.get(loadBalancerId);
      return own === undefined ? [] : [[amphoraId, own] as const];
    });
  }
}
