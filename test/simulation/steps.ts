// What steps do when their time comes: drivers are calls on the world, other entities are asked by commands.
import type { AmphoraAnswer } from '../../src/domain/amphora/commands.ts';
import { openSharing } from '../../src/domain/amphora/facts.ts';
import { mayJoin, type Sharing } from '../../src/domain/amphora/sharing.ts';
import type { AmphoraState } from '../../src/domain/amphora/state.ts';
import { amphoraStatus } from '../../src/domain/amphora/status.ts';
import type { AmphoraStep } from '../../src/domain/amphora/steps.ts';
import type { Entity, EntityKind } from '../../src/domain/entity.ts';
import type { AmphoraId, LoadBalancerId } from '../../src/domain/ids.ts';
import { claimOf } from '../../src/domain/load-balancer/decide.ts';
import type { LoadBalancerState } from '../../src/domain/load-balancer/state.ts';
import type { LoadBalancerStep } from '../../src/domain/load-balancer/steps.ts';
import type { Bug } from './bugs.ts';
import { type FakeJournal, keyOf } from './journal.ts';
import { overfull } from './planted.ts';
import type { Random } from './random.ts';
import { fleetOf, replay } from './replay.ts';
import type { World } from './world.ts';

export interface Surroundings {
  readonly journal: FakeJournal;
  readonly world: World;
  readonly random: Random;
  readonly planted: ReadonlySet<Bug>;
  readonly now: () => number;
  /** Faults of drivers come only while this is true. */
  readonly isFaulty: () => boolean;
  readonly newAmphoraId: () => AmphoraId;
  readonly others: Others;
  readonly inFlight: InFlight[];
}

export type Answer =
  | { readonly type: 'ok'; readonly stays?: AmphoraAnswer['stays'] }
  | { readonly type: 'refused'; readonly code: string };

/** The other actors, wherever they live. */
export interface Others {
  /** The answer comes once, or never when a node ends first. */
  command(kind: EntityKind, id: string, command: { readonly type: string }, answer: (answer: Answer) => void): void;
  loadBalancer(id: LoadBalancerId): LoadBalancerState | undefined;
}

/** Takes the step's result; undefined when it failed. */
export type Hear = (result: { readonly type: string } | undefined) => void;

/** Has the step go on once something is so. */
export type Waiting = (isReady: () => boolean, next: () => void) => void;

/** A call on its way to an agent, whoever has made it: nothing fences it, and nobody hears what became of it. */
export interface InFlight {
  /** It comes through until then, or never. */
  readonly deadlineAt: number;
  readonly arrive: () => void;
}

/** What may still come through of a step that was given up; undefined when nothing can. */
export function inFlight(of: Entity['step'], deadlineAt: number, world: World): InFlight | undefined {
  const step = of as LoadBalancerStep;
  if (step.type === 'deploy') {
    const { slot, loadBalancerId, tree, pairing } = step;
    return { deadlineAt, arrive: () => world.serve(slot.amphoraId, loadBalancerId, tree, pairing) };
  }
  if (step.type !== 'retireAmphora' || step.leave === null) return undefined;
  const { slot, loadBalancerId } = step;
  return { deadlineAt, arrive: () => world.withdraw(slot.amphoraId, loadBalancerId) };
}

export class SimulatedSteps {
  readonly #with: Surroundings;
  readonly #others: Others;

  constructor(surroundings: Surroundings) {
    this.#with = surroundings;
    this.#others = surroundings.others;
  }

  run(kind: EntityKind, step: Entity['step'], hear: Hear, waiting: Waiting): void {
    if (kind === 'amphora') this.#amphoraStep(step as AmphoraStep, hear);
    else this.#loadBalancerStep(step as LoadBalancerStep, hear, waiting);
  }

  #amphoraStep(step: AmphoraStep, hear: Hear): void {
    const { world, planted } = this.#with;
    const facts = { haproxyVersion: '2.6', certificateFingerprint: 'ab', certificateExpiresAt: 1 };
    const agent = { host: '127.0.0.1', port: 9443 };
    switch (step.type) {
      case 'boot':
        world.boot(step.amphoraId);
        return hear({ type: 'booted', computeId: step.amphoraId, agent, controllers: [], facts } as { type: string });
      case 'awaitAgent':
        return hear({ type: 'agentAnswered', facts } as { type: string });
      case 'checkAllocation': {
        const state = this.#others.loadBalancer(step.loadBalancerId);
        const claim = planted.has('lostReply') ? 'claimed' : claimOf(state, step.amphoraId);
        if (claim === 'undecided') return hear(undefined);
        const { loadBalancerId } = step;
        return hear({ type: 'allocationChecked', loadBalancerId, isClaimed: claim === 'claimed' } as { type: string });
      }
      case 'configureAgent':
        return hear({ type: 'agentConfigured', controllers: step.controllers } as { type: string });
      case 'rotateCertificate':
        return hear({ type: 'certificateRotated', facts } as { type: string });
      case 'destroy':
        world.destroy(step.amphoraId);
        return hear({ type: 'destroyed' });
      case 'tellFarewell': {
        const { amphoraId, loadBalancerId, why, reason, isUnconfirmed } = step;
        const command = { type: 'failoverAmphora', amphoraId, why, reason } as { type: string };
        const told = { type: 'farewellTold', loadBalancerId, why };
        return this.#others.command('loadBalancer', loadBalancerId, command, (answer) => {
          hear(answer.type === 'ok' || why === 'lost' || !isUnconfirmed ? told : undefined);
        });
      }
    }
  }

  #loadBalancerStep(step: LoadBalancerStep, hear: Hear, waiting: Waiting): void {
    const { world, journal } = this.#with;
    switch (step.type) {
      case 'allocateVip':
        world.vips.add(step.loadBalancerId);
        return hear({ type: 'vipOffered', portId: 'port', address: '10.0.0.1' } as { type: string });
      case 'claimAmphora':
        return this.#claim(step, hear);
      case 'plugAmphora': {
        const { amphoraId } = step.slot;
        const port = { portId: null, address: `own-${amphoraId}` };
        return hear({ type: 'amphoraPlugged', amphoraId, port } as { type: string });
      }
      case 'deploy': {
        const { amphoraId } = step.slot;
        const isServed = world.serve(amphoraId, step.loadBalancerId, step.tree, step.pairing);
        const isGone = journal.entities.get(keyOf('amphora', amphoraId))?.isOver !== false;
        if (!isServed && isGone) return hear({ type: 'amphoraGone', amphoraId } as { type: string });
        const served = { type: 'served', amphoraId, peerAddress: step.pairing?.peer?.address };
        return hear(isServed ? (served as { type: string }) : undefined);
      }
      case 'retireAmphora':
        return this.#retire(step, hear, waiting);
      case 'releaseVip':
        world.vips.delete(step.loadBalancerId);
        return hear({ type: 'vipReleased' });
    }
  }

  #claim(
    { loadBalancerId, role, wanted: { sharing } }: Extract<LoadBalancerStep, { type: 'claimAmphora' }>,
    hear: Hear,
  ): void {
    const amphoraId = this.#suggest(loadBalancerId, sharing);
    if (amphoraId === undefined) {
      const fresh = this.#with.newAmphoraId();
      this.#others.command(
        'amphora',
        fresh,
        { type: 'createAmphora', amphoraId: fresh } as { type: string },
        () => undefined,
      );
      return hear(undefined);
    }
    const command = { type: 'allocateAmphora', loadBalancerId, role, sharing } as { type: string };
    const granted = { type: 'amphoraGranted', role, amphoraId, computeId: amphoraId, agent: { host: 'h', port: 1 } };
    this.#others.command('amphora', amphoraId, command, (answer) => hear(answer.type === 'ok' ? granted : undefined));
  }

  /** The pool, reading rows. */
  #suggest(loadBalancerId: LoadBalancerId, sharing: Sharing | undefined): AmphoraId | undefined {
    const { journal, random, planted } = this.#with;
    const fleet = fleetOf(journal);
    const owner = this.#others.loadBalancer(loadBalancerId);
    const granted = fleet.filter((state) => isOf(state, loadBalancerId) && claimOf(owner, state.id) !== 'claimed');
    const isUsable = (state: AmphoraState) => amphoraStatus(state) === 'ALLOCATED';
    const mine = granted.find(isUsable);
    if (mine !== undefined && !planted.has('lostReply')) return mine.id;
    const ready = fleet.filter((state) => amphoraStatus(state) === 'READY');
    const open = fleet.filter((state) => isUsable(state) && !isOf(state, loadBalancerId) && isOpenTo(state, sharing));
    if (planted.has('overfills') && sharing !== undefined) {
      open.push(
        ...fleet.filter(
          (state) => isUsable(state) && !isOf(state, loadBalancerId) && openSharing(overfull(state)) !== undefined,
        ),
      );
    }
    if (open.length > 0 && random.chance(0.8)) return random.pick(open).id;
    if (planted.has('doubleAllocation')) ready.push(...fleet.filter(isUsable));
    return ready.length === 0 ? undefined : random.pick(ready).id;
  }

  #retire(
    { slot, loadBalancerId, reason, leave }: Extract<LoadBalancerStep, { type: 'retireAmphora' }>,
    hear: Hear,
    waiting: Waiting,
  ): void {
    const { amphoraId } = slot;
    const { world, journal, planted } = this.#with;
    const retired = { type: 'amphoraRetired', amphoraId };
    const unlessShared = leave !== null && !planted.has('takesAll');
    const command = { type: 'deleteAmphora', reason, onBehalfOf: loadBalancerId, unlessShared } as { type: string };
    const isGone = () => {
      const stored = journal.entities.get(keyOf('amphora', amphoraId));
      return stored === undefined || (replay('amphora', stored) as AmphoraState).deletion?.done === true;
    };
    const release = () => {
      const released = { type: 'releaseAmphora', loadBalancerId } as { type: string };
      this.#others.command('amphora', amphoraId, released, (answer) => {
        hear(answer.type === 'ok' || answer.code === 'notFound' ? retired : undefined);
      });
    };
    this.#others.command('amphora', amphoraId, command, (answer) => {
      if (answer.type === 'refused') return hear(answer.code === 'notFound' ? retired : undefined);
      if (answer.stays === 'left') return hear(retired);
      if (answer.stays === undefined) return waiting(isGone, () => hear(retired));
      if (world.withdraw(amphoraId, loadBalancerId)) release();
      else hear(undefined);
    });
  }
}

function isOf({ allocations }: AmphoraState, id: LoadBalancerId): boolean {
  return allocations.some(({ loadBalancerId }) => loadBalancerId === id);
}

function isOpenTo(state: AmphoraState, sharing: Sharing | undefined): boolean {
  return mayJoin(openSharing(state), state.allocations.length, sharing);
}
