// What channels may see of the tree: load balancers to command, the pool of spares, and live actors.
import type { EntityKind } from '../../domain/entity.ts';
import type { LoadBalancerCommand } from '../../domain/load-balancer/commands.ts';
import type { StepsState } from '../../domain/step.ts';
import type { ActorView, DeadLetterView } from '../../domain/views.ts';
import type { CommandIdentity } from '../runtime/entity-messages.ts';
import type { ActorRecord } from '../runtime/registry.ts';
import type { Tree } from '../tree.ts';

export interface ActorDetails extends ActorView {
  /** What the actor says of itself; null when it says nothing. */
  readonly state: unknown;
}

export function channelPorts(tree: Tree) {
  const stepFailures = countStepFailures(tree);
  return {
    loadBalancers: {
      ask: (id: string, command: LoadBalancerCommand, signal: AbortSignal, key: CommandIdentity) =>
        tree.cluster.loadBalancers.ask(id, command, signal, key),
    },
    sparesView: (signal: AbortSignal) => tree.cluster.singletons.sparesView(signal),
    actors: {
      tree: (): readonly ActorView[] => tree.registry.all().map(actorView),
      show(path: string): ActorDetails | undefined {
        const record = tree.registry.find(path);
        return record && { ...actorView(record), state: record.describe?.() ?? null };
      },
      /** False when there is no durable actor of that path. */
      async restart(path: string): Promise<boolean> {
        const [, branch, id = ''] =
          /^(?:system\/)?(load-balancers\/lb|amphorae\/amphora)-([0-9a-f-]{36})$/.exec(path) ?? [];
        if (branch === undefined) return false;
        await (branch === 'amphorae/amphora' ? tree.amphorae : tree.loadBalancers).restart(id);
        return true;
      },
      counts: () => ({ ...countsOf(tree), stepFailures }),
      deadLetters: (): readonly DeadLetterView[] =>
        tree.registry.deadLetters().map((letter) => ({ ...letter, at: isoTime(letter.at) })),
    },
  };
}

/** Counts failures of steps from now on, by kind of entity. */
function countStepFailures({ loadBalancers, amphorae }: Tree): Readonly<Record<EntityKind, number>> {
  const counts = { loadBalancer: 0, amphora: 0 };
  const count = (kind: EntityKind, before: StepsState | undefined, after: StepsState) => {
    if (before?.retries === after.retries) return;
    for (const [key, { failures }] of Object.entries(after.retries)) {
      if (failures > (before?.retries[key]?.failures ?? 0)) counts[kind]++;
    }
  };
  loadBalancers.onChange((_, before, after) => count('loadBalancer', before?.steps, after.steps));
  amphorae.onChange((_, before, after) => count('amphora', before?.steps, after.steps));
  return counts;
}

/** Numbers for metrics. */
function countsOf({ registry }: Tree) {
  const byKind = new Map<string, number>();
  let restarts = 0;
  for (const record of registry.all()) {
    byKind.set(record.kind, (byKind.get(record.kind) ?? 0) + 1);
    restarts += record.restarts;
  }
  return { byKind, restarts, deadLetters: registry.deadLetterCount };
}

function actorView({ path, kind, pending, processed, restarts, ...record }: ActorRecord): ActorView {
  const { startedAt, lastActiveAt, lastError, handling } = record;
  return {
    path,
    kind,
    startedAt: isoTime(startedAt),
    pending,
    processed,
    restarts,
    lastError: lastError === undefined ? null : { message: lastError.message, at: isoTime(lastError.at) },
    handling: handling ?? null,
    lastActiveAt: isoTime(lastActiveAt),
  };
}

function isoTime(at: number): string {
  return new Date(at).toISOString();
}
