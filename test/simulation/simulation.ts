// A whole service in one thread: two shards with an owner each, controllers that crash, freeze and go on as zombies, clients that repeat what was not
// answered, drivers that fail, amphorae that die. Every choice comes from the seed. Judges at the end from the journal,
// the world and the clients' own logs, never from a controller's memory.
//
// Of a frozen controller's calls only pushes are let through, until their deadline: they are what nothing can fence. A
// boot that comes through as late leaves an instance that no amphora knows, which is the sweep's.
import { amphoraStatus } from '../../src/domain/amphora/status.ts';
import type { EntityKind } from '../../src/domain/entity.ts';
import { type AmphoraId, deriveId, type LoadBalancerId } from '../../src/domain/ids.ts';
import type { LoadBalancerCommand } from '../../src/domain/load-balancer/commands.ts';
import type { LoadBalancerState } from '../../src/domain/load-balancer/state.ts';
import { isPair } from '../../src/domain/load-balancer/pair.ts';
import { provisioningStatuses } from '../../src/domain/load-balancer/statuses.ts';
import { desired } from '../../src/domain/load-balancer/tree.ts';
import { createLoadBalancer, listener } from '../support/load-balancer-commands.ts';
import type { Bug } from './bugs.ts';
import { FakeJournal, keyOf, type NewEntry, shardOf, shards } from './journal.ts';
import { SimulatedNode } from './node.ts';
import { fleetOf, replay } from './replay.ts';
import type { Answer, InFlight, Surroundings } from './steps.ts';
import { Random } from './random.ts';
import { World } from './world.ts';

export interface Verdict {
  readonly seed: number;
  /** Sentences; none when all promises were kept. */
  readonly broken: readonly string[];
  readonly actions: number;
  readonly crashes: number;
}

interface Client {
  readonly loadBalancerId: LoadBalancerId;
  readonly commands: readonly { readonly id: string; readonly command: LoadBalancerCommand }[];
  /** Of the command that is on its way, or comes next. */
  position: number;
  isWaiting: boolean;
  /** The node that was asked. */
  asked: SimulatedNode | undefined;
}

/**
 * How likely each fault is in a step, and that a step is a zombie's. Each schedule has a mix of its own: what needs much of the one and
 * nothing of the other is found by no average.
 */
const mixes = {
  crash: [0, 0.015, 0.04],
  freeze: [0, 0.01, 0.03],
  freezeUnfenced: [0, 0.04, 0.15],
  reset: [0, 0.03, 0.08],
  loss: [0, 0.005, 0.02],
  vacate: [0, 0.005, 0.02],
  zombie: [0.01, 0.05, 0.2],
} as const;

const loadBalancers = 3;
const faultySteps = 250;
/** A plan that never comes to rest is a broken promise, not a long run. */
const calmSteps = 4_000;

/** `onEntry` hears of every journal entry as it is written. */
export function simulate(
  seed: number,
  planted: ReadonlySet<Bug> = new Set(),
  onEntry?: (entry: NewEntry) => void,
): Verdict {
  return new Simulation(seed, planted, onEntry).run(seed);
}

class Simulation {
  readonly #random: Random;
  readonly #world = new World();
  readonly #journal: FakeJournal;
  readonly #surroundings: Surroundings;
  readonly #clients: readonly Client[];
  readonly #mix: Readonly<Record<keyof typeof mixes, number>>;
  readonly #hasSharers: boolean;
  /** Both shards are owned by one node, else by a node each. */
  readonly #isOneNode: boolean;
  /** The owner of each shard. */
  readonly #owners: SimulatedNode[];
  #zombies: SimulatedNode[] = [];
  readonly #inFlight: InFlight[] = [];
  #now = 0;
  #isFaulty = true;
  #actions = 0;
  #crashes = 0;
  #amphorae = 0;

  constructor(seed: number, planted: ReadonlySet<Bug>, onEntry: ((entry: NewEntry) => void) | undefined) {
    this.#random = new Random(seed);
    this.#mix = mapValues(mixes, (rates) => this.#random.pick(rates));
    this.#hasSharers = this.#random.chance(0.5);
    this.#isOneNode = this.#random.chance(0.5);
    this.#journal = new FakeJournal(planted);
    this.#journal.onEntry = onEntry;
    this.#surroundings = {
      journal: this.#journal,
      world: this.#world,
      random: this.#random,
      planted,
      now: () => this.#now,
      isFaulty: () => this.#isFaulty,
      newAmphoraId: () => simulatedId<AmphoraId>('amphora', ++this.#amphorae),
      inFlight: this.#inFlight,
      others: {
        command: (kind, id, command, answer) => this.#ownerOf(kind, id).command(kind, id, command, answer),
        loadBalancer: (id) =>
          this.#ownerOf('loadBalancer', id).stateOf('loadBalancer', id) as LoadBalancerState | undefined,
      },
    };
    this.#clients = Array.from({ length: loadBalancers }, (_, index) => this.#newClient(index));
    this.#owners = Array.from({ length: shards }, (_, shard) => this.#nextOwner(shard));
  }

  run(seed: number): Verdict {
    for (let count = 0; count < faultySteps; count++) this.#step();
    this.#isFaulty = false;
    this.#zombies = [];
    for (const owner of this.#owners) this.#replace(owner);
    const broken = this.#settle() ? this.#judge() : ['it does not come to rest'];
    return {
      seed,
      broken: [...new Set([...this.#world.violations, ...broken])],
      actions: this.#actions,
      crashes: this.#crashes,
    };
  }

  #newClient(index: number): Client {
    const loadBalancerId = simulatedId<LoadBalancerId>('lb', index);
    const perAmphora = this.#hasSharers && this.#random.chance(0.75) ? 2 + this.#random.below(2) : 1;
    if (perAmphora > 1) this.#world.sharers.set(loadBalancerId, perAmphora);
    const topology = perAmphora === 1 && this.#random.chance(0.5) ? 'ACTIVE_STANDBY' : 'SINGLE';
    const commands: LoadBalancerCommand[] = [
      createLoadBalancer(loadBalancerId, { topology, perAmphora, listeners: [listener(80)] }),
    ];
    const changes = 1 + this.#random.below(5);
    for (let change = 1; change <= changes; change++) {
      commands.push(
        this.#random.chance(0.5)
          ? { type: 'createListener', listener: { ...listener(100 + change), id: simulatedId(index, change) } }
          : this.#random.chance(perAmphora > 1 ? 0.2 : 0.8)
            ? { type: 'updateLoadBalancer', patch: { name: `name-${change}` } }
            : { type: 'failoverLoadBalancer' },
      );
    }
    if (this.#random.chance(0.2)) commands.push({ type: 'deleteLoadBalancer', cascade: true });
    const named = commands.map((command, position) => ({ id: `${index}-${position}`, command }));
    return { loadBalancerId, commands: named, position: 0, isWaiting: false, asked: undefined };
  }

  #nextOwner(shard: number): SimulatedNode {
    const epoch = (this.#journal.epochs[shard] ?? 0) + 1;
    this.#journal.epochs[shard] = epoch;
    const owner = new SimulatedNode(shard, epoch, this.#surroundings);
    owner.takeOver();
    return owner;
  }

  #replace({ shard }: SimulatedNode): void {
    this.#owners[shard] = this.#nextOwner(shard);
  }

  #ownerOf(kind: EntityKind, id: string): SimulatedNode {
    const owner = this.#owners[shardOf(keyOf(kind, id))];
    if (owner === undefined) throw new Error(`${kind} ${id} has no owner`);
    return owner;
  }

  #step(): void {
    this.#actions++;
    if (this.#isFaulty && this.#fault()) return;
    if (this.#inFlight.length > 0 && this.#random.chance(this.#mix.zombie))
      return this.#arrive(this.#random.pick(this.#inFlight));
    const dice = this.#random.next();
    if (dice < 0.1) return this.#ask();
    if (dice < 0.15) return this.#reportLost();
    const zombie =
      this.#zombies.length > 0 && this.#random.chance(this.#mix.zombie) ? this.#random.pick(this.#zombies) : undefined;
    const actions = zombie?.actions() ?? this.#owners.flatMap((owner) => owner.actions());
    if (actions.length > 0) this.#random.pick(actions)();
    else if (zombie === undefined) this.#passTime();
  }

  /** Whether something went wrong in this step. */
  #fault(): boolean {
    const random = this.#random;
    if (random.chance(this.#mix.crash)) this.#crash();
    else if (random.chance(this.#mix.freeze)) this.#freeze(random.pick(this.#owners));
    else if (random.chance(this.#mix.freezeUnfenced)) {
      // What nothing fences is where most can go wrong.
      const unfenced = this.#owners.filter((owner) => owner.hasUnfenced());
      if (unfenced.length === 0) return false;
      this.#freeze(random.pick(unfenced));
    } else if (random.chance(this.#mix.reset)) random.pick(this.#owners).resetSomeActor();
    else if (random.chance(this.#mix.loss)) this.#loseSomeAmphora();
    else if (random.chance(this.#mix.vacate)) this.#vacateSomeAmphora();
    else return false;
    return true;
  }

  #crash(): void {
    this.#crashes++;
    for (const owner of this.#withThoseOnItsNode(this.#random.pick(this.#owners))) {
      owner.die();
      this.#replace(owner);
    }
  }

  /** Owners that share a node die together. */
  #withThoseOnItsNode(owner: SimulatedNode): readonly SimulatedNode[] {
    return this.#isOneNode ? [...this.#owners] : [owner];
  }

  /** It is taken for dead, and goes on later: without a lease, but with what it had on its way to the journal. */
  #freeze(one: SimulatedNode): void {
    this.#crashes++;
    for (const owner of this.#withThoseOnItsNode(one)) {
      owner.loseLease();
      this.#zombies.push(owner);
      this.#replace(owner);
    }
  }

  #loseSomeAmphora(): void {
    const [...instances] = this.#world.instances;
    if (instances.length === 0) return;
    const id = this.#random.pick(instances);
    this.#world.lose(id);
  }

  /** An operator has a shared amphora replaced. */
  #vacateSomeAmphora(): void {
    const shared = fleetOf(this.#journal).filter(({ allocations }) => allocations.length > 1);
    if (shared.length === 0) return;
    const command = { type: 'vacateAmphora', reason: 'asked for' } as { type: string };
    this.#send('amphora', this.#random.pick(shared).id, command);
  }

  /** The watchdog: tells of lost amphorae until somebody has taken them out of service. */
  #reportLost(): void {
    for (const amphoraId of this.#world.lost) {
      const state = fleetOf(this.#journal).find((one) => one.id === amphoraId);
      if (state === undefined) continue;
      const status = amphoraStatus(state);
      if (status === 'READY') {
        const command = { type: 'deleteAmphora', reason: 'silent', onBehalfOf: null } as { type: string };
        this.#send('amphora', amphoraId, command);
      } else if (status === 'ALLOCATED') {
        // One is enough: it has the amphora destroyed, and the others hear of it from there.
        const { loadBalancerId } = this.#random.pick(state.allocations);
        const command = { type: 'failoverAmphora', amphoraId, why: 'lost', reason: 'silent' } as { type: string };
        this.#send('loadBalancer', loadBalancerId, command);
      }
    }
  }

  #send(kind: EntityKind, id: string, command: { readonly type: string }): void {
    this.#ownerOf(kind, id).command(kind, id, command, () => undefined);
  }

  /** A client sends its next command, or repeats one whose node is gone. */
  #ask(): void {
    const client = this.#random.pick(this.#clients);
    const next = client.commands[client.position];
    const owner = this.#ownerOf('loadBalancer', client.loadBalancerId);
    if (next === undefined || (client.isWaiting && client.asked === owner && !this.#random.chance(0.1))) return;
    client.isWaiting = true;
    client.asked = owner;
    const { position } = client;
    const onAnswer = (answer: Answer) => {
      // Of an object that is gone the channel finds the answer by the command's id, as the real one does.
      const isKnown = answer.type === 'refused' && answer.code === 'notFound' && this.#journal.effects.has(next.id);
      if (client.position !== position || (answer.type !== 'ok' && !isKnown)) return;
      client.position++;
      client.isWaiting = false;
    };
    owner.command('loadBalancer', client.loadBalancerId, next.command as { type: string }, onAnswer, next.id);
  }

  #passTime(): void {
    const wakeAt = this.#nextWake();
    if (wakeAt === undefined) return;
    // What is late comes at the last moment, when it comes at all.
    const last = this.#inFlight.find(({ deadlineAt }) => deadlineAt <= wakeAt);
    if (last !== undefined) return this.#arrive(last, this.#random.chance(0.5));
    this.#now = Math.max(this.#now, wakeAt);
    for (const owner of this.#owners) owner.wakeDue();
  }

  #arrive(call: InFlight, isThere = true): void {
    this.#inFlight.splice(this.#inFlight.indexOf(call), 1);
    if (isThere) call.arrive();
  }

  #nextWake(): number | undefined {
    const times = this.#owners.map((owner) => owner.nextWake() ?? Number.POSITIVE_INFINITY);
    const next = Math.min(...times);
    return Number.isFinite(next) ? next : undefined;
  }

  /** Goes on without faults until nothing is left to do. */
  #settle(): boolean {
    for (let count = 0; count < calmSteps; count++) {
      const isDone = this.#clients.every((client) => client.position === client.commands.length);
      const isQuiet = this.#owners.every((owner) => owner.actions().length === 0) && this.#nextWake() === undefined;
      if (isDone && isQuiet && !this.#hasLostInService()) return true;
      this.#step();
    }
    return false;
  }

  #hasLostInService(): boolean {
    return fleetOf(this.#journal).some(({ id, deletion }) => this.#world.lost.has(id) && deletion === null);
  }

  #judge(): readonly string[] {
    const broken: string[] = [];
    for (const [commandId, times] of this.#journal.effects) {
      if (times > 1) broken.push(`command ${commandId} took effect ${times} times`);
    }
    for (const client of this.#clients) broken.push(...this.#judgeLoadBalancer(client));
    for (const state of fleetOf(this.#journal)) {
      if (!this.#world.instances.has(state.id) && state.deletion === null) broken.push(`${state.id} has no instance`);
      for (const { loadBalancerId } of state.allocations) {
        if (!this.#slotsOf(loadBalancerId).includes(state.id))
          broken.push(`${state.id} is not ${loadBalancerId}'s, and is not free`);
      }
      if (state.vacating !== undefined) broken.push(`${state.id} was to be left, and is there`);
    }
    const known = new Set(fleetOf(this.#journal).map(({ id }) => id));
    for (const id of this.#world.instances) if (!known.has(id)) broken.push(`instance ${id} is an orphan`);
    return broken;
  }

  #stateOf(id: LoadBalancerId): LoadBalancerState | undefined {
    const stored = this.#journal.entities.get(keyOf('loadBalancer', id));
    return stored === undefined ? undefined : (replay('loadBalancer', stored) as LoadBalancerState | undefined);
  }

  #slotsOf(id: LoadBalancerId): readonly AmphoraId[] {
    return this.#stateOf(id)?.slots.map((slot) => slot.amphoraId) ?? [];
  }

  #judgeLoadBalancer({ loadBalancerId: id, commands }: Client): readonly string[] {
    const state = this.#stateOf(id);
    if (state === undefined) return [`${id} was acknowledged and is lost`];
    if (commands.at(-1)?.command.type === 'deleteLoadBalancer') {
      if (this.#world.serversOf(id).length > 0) return [`${id} was deleted and is still served`];
      return state.deletion === 'done' && !this.#world.vips.has(id) ? [] : [`${id} was deleted and is still there`];
    }
    const broken: string[] = [];
    const status = provisioningStatuses(state).get(id);
    if (status !== 'ACTIVE') broken.push(`${id} is ${status}`);
    const slots = this.#slotsOf(id);
    if (slots.length !== (isPair(state) ? 2 : 1)) broken.push(`${id} has ${slots.length} amphorae`);
    const servers = slots.map((amphoraId) => this.#world.serving.get(amphoraId)?.get(id));
    if (servers.includes(undefined)) broken.push(`${id} is not served`);
    if (this.#world.serversOf(id).length > slots.length) broken.push(`${id} is served by others as well`);
    if (isPair(state)) {
      const others = servers.map((served) => served?.pairing?.peer?.amphoraId);
      if (!slots.toReversed().every((other, index) => others[index] === other))
        broken.push(`${id}: the two do not know each other`);
    }
    let name = 'one';
    for (const { id: commandId, command } of commands) {
      if (command.type === 'updateLoadBalancer') name = command.patch.name ?? name;
      if (command.type !== 'createListener') continue;
      if (state.objects[command.listener.id] === undefined)
        broken.push(`command ${commandId} was acknowledged and is lost`);
      const port = `:${command.listener.attributes.protocolPort}\n`;
      if (servers.some((served) => served?.text?.includes(port) !== true))
        broken.push(`what command ${commandId} asked for is not served`);
    }
    const self = desired(state, 'loadBalancer')[0]?.form.name;
    if (self !== name) broken.push(`${id} is called ${self}, not ${name}`);
    return broken;
  }
}

function mapValues<K extends string, From, To>(of: Readonly<Record<K, From>>, to: (value: From) => To) {
  return Object.fromEntries(Object.entries<From>(of).map(([key, value]) => [key, to(value)])) as Record<K, To>;
}

/** Ids of a simulation's objects. */
export function simulatedId<T extends string>(...parts: readonly (string | number)[]): T {
  return deriveId<T>('simulation', ...parts);
}
