// The outside world of a simulation: instances, VIPs and what is served. It outlives every controller, and notes what
// must never be.
import { renderHaproxy } from '../../src/domain/haproxy/render.ts';
import type { AmphoraId, LoadBalancerId } from '../../src/domain/ids.ts';
import type { ServedTree } from '../../src/domain/load-balancer/attributes.ts';

export class World {
  readonly instances = new Set<AmphoraId>();
  readonly vips = new Set<LoadBalancerId>();
  /** Amphora → whom it serves, and what. */
  readonly serving = new Map<AmphoraId, { readonly loadBalancerId: LoadBalancerId; readonly text: string | null }>();
  readonly violations: string[] = [];

  boot(id: AmphoraId): void {
    this.instances.add(id);
  }

  destroy(id: AmphoraId): void {
    this.instances.delete(id);
    this.serving.delete(id);
  }

  /** False when there is no such instance to talk to. */
  serve(id: AmphoraId, loadBalancerId: LoadBalancerId, tree: ServedTree): boolean {
    if (!this.instances.has(id)) return false;
    const before = this.serving.get(id);
    if (before !== undefined && before.loadBalancerId !== loadBalancerId) {
      this.violations.push(`amphora ${id} serves ${before.loadBalancerId} and is given to ${loadBalancerId}`);
    }
    for (const [other, served] of this.serving) {
      if (other === id || served.loadBalancerId !== loadBalancerId) continue;
      this.violations.push(`${other} and ${id} serve the VIP of ${loadBalancerId} at once`);
    }
    this.serving.set(id, { loadBalancerId, text: renderHaproxy(tree) });
    return true;
  }
}
