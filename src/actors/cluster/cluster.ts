// The cluster as an actor sees it: it need not know which node has what.
import type { AmphoraEntity } from '../../domain/amphora/amphora.ts';
import type { AmphoraQuestion, LoadBalancerQuestion } from '../../domain/cluster/questions.ts';
import type { LoadBalancerEntity } from '../../domain/load-balancer/load-balancer.ts';
import type { ClusterEntities } from './entities.ts';
import type { Singletons } from './singletons.ts';

/** Entities of the whole cluster, wherever their owners are. */
export interface Cluster {
  readonly loadBalancers: ClusterEntities<LoadBalancerEntity, LoadBalancerQuestion>;
  readonly amphorae: ClusterEntities<AmphoraEntity, AmphoraQuestion>;
  readonly singletons: Singletons;
}
