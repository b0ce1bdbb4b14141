// The outside world of a simulation: instances, VIPs and what is served. It outlives every controller, and notes what
// must never be.
import { renderHaproxy } from '../../src/domain/haproxy/render.ts';
import type { AmphoraId, LoadBalancerId } from '../../src/domain/ids.ts';
import type { Pairing } from '../../src/domain/load-balancer/steps.ts';
import { wrongBeside } from '../support/vip-rule.ts';
import type { ServedTree } from '../../src/domain/load-balancer/attributes.ts';

interface Served {
  readonly loadBalancerId: LoadBalancerId;
  readonly text: string | null;
  readonly pairing: Pairing | null;
}

export class World {
  readonly instances = new Set<AmphoraId>();
  readonly vips = new Set<LoadBalancerId>();
  /** Amphora → whom it serves, and what. */
  readonly serving = new Map<AmphoraId, Served>();
  readonly violations: string[] = [];

  boot(id: AmphoraId): void {
    this.instances.add(id);
  }

  destroy(id: AmphoraId): void {
    this.instances.delete(id);
    this.serving.delete(id);
  }

  /** False when there is no such instance to talk to. */
  serve(id: AmphoraId, loadBalancerId: LoadBalancerId, tree: ServedTree, told: Pairing | null): boolean {
    if (!this.instances.has(id)) return false;
    const before = this.serving.get(id);
    if (before !== undefined && before.loadBalancerId !== loadBalancerId) {
      this.violations.push(`amphora ${id} serves ${before.loadBalancerId} and is given to ${loadBalancerId}`);
    }
    const others = [...this.serving].filter(([, served]) => served.loadBalancerId === loadBalancerId);
    const servers = others.map(([amphoraId, { pairing }]) => ({ amphoraId, pairing }));
    const pairing = told === null || !told.keepsPeer ? told : (before?.pairing ?? told);
    const wrong = wrongBeside(servers, { amphoraId: id, pairing }, before === undefined);
    if (wrong !== undefined) this.violations.push(`${loadBalancerId}: ${wrong}`);
    this.serving.set(id, { loadBalancerId, text: renderHaproxy(tree), pairing });
    return true;
  }
}
