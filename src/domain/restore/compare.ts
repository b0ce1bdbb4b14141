// How the world differs from the journal after a restore from an older backup. Pure. The world is listed first and the
// journal read afterwards, so that what is being made meanwhile is not taken for a difference.
import type { AmphoraId, LoadBalancerId } from '../ids.ts';
import type { AmphoraStatus } from '../statuses.ts';

export interface WorldInstance {
  readonly amphoraId: AmphoraId;
  readonly computeId: string;
  readonly status: 'BUILD' | 'ACTIVE' | 'STOPPED' | 'ERROR';
}

/** An amphora that the journal does not take for deleted. */
export interface JournalAmphora {
  readonly id: AmphoraId;
  readonly status: AmphoraStatus;
  /** None of a spare. */
  readonly loadBalancerIds: readonly LoadBalancerId[];
  readonly computeId: string | null;
}

export interface JournalLoadBalancer {
  readonly id: LoadBalancerId;
  readonly name: string;
}

export interface RestoreInput {
  /** Those that carry this deployment's id. */
  readonly instances: readonly WorldInstance[];
  readonly amphorae: readonly JournalAmphora[];
  /** Amphorae that the journal knows to be deleted. */
  readonly deleted: ReadonlySet<AmphoraId>;
  readonly loadBalancers: readonly JournalLoadBalancer[];
}

export type DifferenceKind =
  | 'unknownInstance'
  | 'deletedInstance'
  | 'missingInstance'
  | 'otherInstance'
  | 'stoppedInstance'
  | 'unservedLoadBalancer';

export interface Difference {
  readonly kind: DifferenceKind;
  readonly amphoraId: AmphoraId | null;
  readonly loadBalancerId: LoadBalancerId | null;
  readonly computeId: string | null;
  /** What is the case and what becomes of it when nodes work again; names all ids. */
  readonly sentence: string;
}

/** In the order of instances, amphorae and load balancers. */
export function compareWorld({ instances, amphorae, deleted, loadBalancers }: RestoreInput): readonly Difference[] {
  const known = new Map(amphorae.map((amphora) => [amphora.id, amphora]));
  const running = new Map(instances.map((instance) => [instance.amphoraId, instance]));
  const lost = amphorae.filter((amphora) => isLost(amphora, running.get(amphora.id)));
  return [
    ...instances.flatMap((instance) => instanceDifference(instance, known.get(instance.amphoraId), deleted)),
    ...lost.filter(({ id }) => !running.has(id)).map(missingInstance),
    ...loadBalancers.flatMap((loadBalancer) => unserved(loadBalancer, amphorae, new Set(lost.map(({ id }) => id)))),
  ];
}

/** An amphora that boots, or is being deleted, may or may not have an instance. */
function ought({ status }: JournalAmphora): boolean {
  return status === 'READY' || status === 'ALLOCATED';
}

function isLost(amphora: JournalAmphora, instance: WorldInstance | undefined): boolean {
  return ought(amphora) && (instance === undefined || instance.status === 'STOPPED' || instance.status === 'ERROR');
}

function instanceDifference(
  instance: WorldInstance,
  amphora: JournalAmphora | undefined,
  deleted: ReadonlySet<AmphoraId>,
): readonly Difference[] {
  const { amphoraId, computeId, status } = instance;
  const at = { amphoraId, computeId };
  if (amphora === undefined) {
    if (deleted.has(amphoraId)) {
      const sentence = `instance ${computeId} of amphora ${amphoraId} is there, and the journal says that the amphora is deleted: the sweep removes it`;
      return [{ ...at, kind: 'deletedInstance', loadBalancerId: null, sentence }];
    }
    const sentence = `instance ${computeId} of amphora ${amphoraId} is there, and the journal knows no such amphora: it was made after the backup, and the sweep removes it`;
    return [{ ...at, kind: 'unknownInstance', loadBalancerId: null, sentence }];
  }
  const loadBalancerId = amphora.loadBalancerIds[0] ?? null;
  if (isLost(amphora, instance)) {
    const sentence = `instance ${computeId} of amphora ${amphoraId}${ofLoadBalancer(amphora)} is ${status}, and the journal has it ${amphora.status}: the amphora is replaced`;
    return [{ ...at, kind: 'stoppedInstance', loadBalancerId, sentence }];
  }
  if (amphora.computeId !== null && amphora.computeId !== computeId) {
    const sentence = `amphora ${amphoraId}${ofLoadBalancer(amphora)} runs as instance ${computeId}, and the journal has it as ${amphora.computeId}: nothing is done about it`;
    return [{ ...at, kind: 'otherInstance', loadBalancerId, sentence }];
  }
  return [];
}

function missingInstance(amphora: JournalAmphora): Difference {
  const { id, loadBalancerIds, computeId } = amphora;
  const sentence = `amphora ${id}${ofLoadBalancer(amphora)} is ${amphora.status} in the journal and has no instance: it was deleted after the backup, and is replaced`;
  return { kind: 'missingInstance', amphoraId: id, loadBalancerId: loadBalancerIds[0] ?? null, computeId, sentence };
}

/** One that has amphorae, all of them lost. */
function unserved(
  { id, name }: JournalLoadBalancer,
  amphorae: readonly JournalAmphora[],
  lost: ReadonlySet<AmphoraId>,
): readonly Difference[] {
  const own = amphorae.filter(({ loadBalancerIds }) => loadBalancerIds.includes(id));
  if (own.length === 0 || own.some((amphora) => !lost.has(amphora.id))) return [];
  const sentence = `load balancer ${id} (${name}) is served by nobody: all its amphorae are lost. It may have been deleted after the backup; otherwise it is failed over`;
  return [{ kind: 'unservedLoadBalancer', amphoraId: null, loadBalancerId: id, computeId: null, sentence }];
}

function ofLoadBalancer({ loadBalancerIds }: JournalAmphora): string {
  if (loadBalancerIds.length === 0) return '';
  return loadBalancerIds.length === 1
    ? ` of load balancer ${loadBalancerIds.join()}`
    : ` of load balancers ${loadBalancerIds.join(', ')}`;
}
