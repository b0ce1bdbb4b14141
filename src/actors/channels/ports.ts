// What channels may see of the tree: load balancers to command, the pool of spares, and live actors.
import type { AmphoraCommand } from '../../domain/amphora/commands.ts';
import type { AmphoraState } from '../../domain/amphora/state.ts';
import { stepKeys } from '../../domain/amphora/steps.ts';
import type { EntityKind } from '../../domain/entity.ts';
import type { LoadBalancerCommand } from '../../domain/load-balancer/commands.ts';
import type { StepsState } from '../../domain/step.ts';
import type { DeadLetterView } from '../../domain/operator-views.ts';
import type { CommandIdentity } from '../runtime/entity-messages.ts';
import type { Tree } from '../tree.ts';

/** For who takes commands. */
export function commandPorts({ cluster }: Tree) {
  return {
    loadBalancers: {
      ask: (id: string, command: LoadBalancerCommand, signal: AbortSignal, key: CommandIdentity) =>
        cluster.loadBalancers.ask(id, command, signal, key),
      whenPlaced: (id: string, signal: AbortSignal) => cluster.loadBalancers.when(id, { type: 'isPlaced' }, signal),
    },
    amphorae: {
      ask: (id: string, command: AmphoraCommand, signal: AbortSignal, key: CommandIdentity) =>
        cluster.amphorae.ask(id, command, signal, key),
    },
    sparesView: (signal: AbortSignal) => cluster.singletons.sparesView(signal),
  };
}

/** The same, and live actors with what they count from now on. To be called once. */
export function channelPorts(tree: Tree) {
  const stepFailures = countStepFailures(tree);
  const rotations = countRotations(tree);
  return {
    ...commandPorts(tree),
    actors: {
      counts: () => ({ ...countsOf(tree), stepFailures, rotations }),
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

/** Counts replaced certificates of amphorae from now on, and tries that failed. */
function countRotations({ amphorae }: Tree): Readonly<Record<'replaced' | 'failed', number>> {
  const counts = { replaced: 0, failed: 0 };
  const failures = (state: AmphoraState | undefined) => state?.steps.retries[stepKeys.rotateCertificate]?.failures ?? 0;
  amphorae.onChange((_, before, after) => {
    const isOver = before?.rotation !== undefined && after.rotation === undefined;
    if (isOver) counts.replaced++;
    if (failures(after) > failures(before)) counts.failed++;
  });
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

function isoTime(at: number): string {
  return new Date(at).toISOString();
}
