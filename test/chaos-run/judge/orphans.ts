// Where world and journal differ: instances and ports that nobody owns, owned ones that are not there, and addresses that
// more or fewer amphorae serve than should.
import { grouped } from '../grouped.ts';
import type { DatabaseEvidence, Evidence } from '../evidence.ts';

type Situation = DatabaseEvidence & Pick<Evidence, 'world'>;

export function orphans({ world, entities, amphorae, loadBalancers }: Situation): readonly string[] {
  const live = (kind: string) =>
    new Set(entities.filter((entity) => entity.kind === kind && !entity.isOver).map(({ id }) => id));
  const [liveAmphorae, liveLoadBalancers] = [live('amphora'), live('loadBalancer')];
  const instances = new Map(world.instances.map((instance) => [instance.amphoraId, instance]));
  const holders = grouped(
    world.instances.flatMap(({ amphoraId, vips, isUp }) => (isUp ? vips.map((vip) => ({ vip, amphoraId })) : [])),
    ({ vip }) => vip,
  );
  return [
    ...world.instances
      .filter(({ amphoraId }) => !liveAmphorae.has(amphoraId))
      .map(({ amphoraId }) => `instance of amphora ${amphoraId} has no live amphora`),
    ...Object.keys(world.ports ?? {})
      .filter((id) => !liveLoadBalancers.has(id))
      .map((id) => `the VIP's port of load balancer ${id} has no live load balancer`),
    ...amphorae
      .filter(({ status, id }) => ['READY', 'ALLOCATED'].includes(status) && !instances.has(id))
      .map(({ id }) => `amphora ${id} has no instance`),
    ...loadBalancers.flatMap(({ id, status, values }) => {
      const address = String(values['vip_address']);
      if (status !== 'ACTIVE') return [];
      if (world.ports !== null && world.ports[id] !== address) return [`load balancer ${id} has no port of ${address}`];
      const count = holders.get(address)?.length ?? 0;
      const wanted = values['topology'] === 'ACTIVE_STANDBY' ? 2 : 1;
      return count === wanted ? [] : [`${address} of load balancer ${id} is served by ${count} amphorae`];
    }),
    ...amphorae
      .filter(({ status }) => status === 'ALLOCATED')
      .flatMap((amphora) => ownersOf(amphora).map((owner) => ({ id: amphora.id, owner })))
      .filter(({ owner }) => !liveLoadBalancers.has(owner))
      .map(({ id, owner }) => `amphora ${id} is kept for load balancer ${owner}, which is gone`),
  ];
}

function ownersOf({ loadBalancerId, values }: DatabaseEvidence['amphorae'][number]): readonly string[] {
  return [loadBalancerId ?? '', ...((values['other_load_balancer_ids'] ?? []) as readonly string[])];
}
