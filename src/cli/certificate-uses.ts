// Who uses a reference to a certificate: listeners and pools, by what the controller's lists say of them.
import type { CommandClient } from '../channels/command/client.ts';
import { secretsIn } from '../domain/load-balancer/tls.ts';
import type { ListenerView, LoadBalancerView, PoolView } from '../domain/views.ts';
import { allPages } from './find.ts';

export interface CertificateUse {
  readonly loadBalancerId: string;
  /** Empty where it has none, as is `name`. */
  readonly loadBalancerName: string;
  readonly kind: 'listener' | 'pool';
  readonly id: string;
  readonly name: string;
  /** The attribute that has the reference, as it is. */
  readonly attribute: Readonly<Record<string, unknown>>;
}

/** Of one project, or of all. Three lists, however many load balancers there are. */
export async function usesOf(
  client: CommandClient,
  ref: string,
  projectId?: string,
): Promise<readonly CertificateUse[]> {
  const within = projectId === undefined ? {} : { projectId };
  const balancers = await allPages<LoadBalancerView>((marker) =>
    client.call('loadBalancer.list', { ...within, ...marker }),
  );
  const names = new Map(balancers.map(({ id, name }) => [id, name]));
  const listeners = await allPages<ListenerView>((marker) => client.call('listener.list', marker));
  const pools = await allPages<PoolView>((marker) => client.call('pool.list', marker));
  const usesIn = (kind: CertificateUse['kind'], views: readonly (ListenerView | PoolView)[]) =>
    views.flatMap((view): readonly CertificateUse[] => {
      const { id, name, loadBalancerId } = view;
      const loadBalancerName = names.get(loadBalancerId);
      const attribute = attributeWith(view, ref);
      if (loadBalancerName === undefined || attribute === undefined) return [];
      return [{ loadBalancerId, loadBalancerName, kind, id, name, attribute }];
    });
  return [...usesIn('listener', listeners), ...usesIn('pool', pools)];
}

function attributeWith(view: ListenerView | PoolView, ref: string): CertificateUse['attribute'] | undefined {
  const use = secretsIn(view).find((candidate) => candidate.ref === ref);
  return use && Object.fromEntries(Object.entries(view).filter(([name]) => name === use.field));
}
