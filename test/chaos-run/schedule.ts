// What will happen in a run: who is disturbed when and how, and what clients send when. A pure function of its options, so
// a seed reproduces it.
import { Random } from '../simulation/random.ts';
import type { Change, Member, Model, Operation, Script } from './model.ts';

export interface ScheduleOptions {
  readonly seed: number;
  readonly nodes: number;
  readonly loadBalancers: number;
  /** Disturbances of every kind, not SIGKILLs alone. */
  readonly kills: number;
  readonly clients: number;
  readonly leaseMs: number;
}

/**
 * `kill`: SIGKILL, and a new process after a while. `freeze`: SIGSTOP beyond the lease, then SIGCONT. `cut`: its database
 * connections break once. `partition`: nothing travels between it and the database, beyond the lease.
 */
export type NodeDisturbance = 'kill' | 'freeze' | 'cut' | 'partition';

export type Disturbance =
  | { readonly atMs: number; readonly kind: NodeDisturbance; readonly node: number; readonly lastsMs: number }
  /** `crash`: PostgreSQL is killed and recovers; otherwise it ends in an orderly way. */
  | { readonly atMs: number; readonly kind: 'restartDatabase'; readonly crash: boolean; readonly lastsMs: number };

export interface Schedule {
  readonly disturbances: readonly Disturbance[];
  readonly scripts: readonly Script[];
  /** When all is over, but for what is then still unsettled. */
  readonly endsAtMs: number;
}

const firstDisturbanceMs = 3_000;
/** What a process needs to serve after its start, with room. */
const startMs = 4_000;

export function scheduleOf(options: ScheduleOptions): Schedule {
  const random = new Random(options.seed);
  const disturbances = disturbancesOf(options, random);
  const endsAtMs = Math.max(...disturbances.map(({ atMs, lastsMs }) => atMs + lastsMs), firstDisturbanceMs) + 1_000;
  const scripts = Array.from({ length: options.loadBalancers }, (_, index) =>
    scriptOf(index, options, endsAtMs, random),
  );
  return { disturbances, scripts, endsAtMs };
}

/** All kinds come about equally often, kills twice as often. At least one node is left in peace at any time. */
function disturbancesOf({ nodes, kills, leaseMs }: ScheduleOptions, random: Random): readonly Disturbance[] {
  const freeAt = Array.from({ length: nodes }, () => 0);
  const made: Disturbance[] = [];
  let deck: Disturbance['kind'][] = [];
  let atMs = firstDisturbanceMs;
  while (made.length < kills) {
    if (deck.length === 0) deck = shuffled(['kill', 'kill', 'freeze', 'cut', 'partition', 'restartDatabase'], random);
    const kind = deck.pop() ?? 'kill';
    if (kind === 'restartDatabase') {
      made.push({ atMs, kind, crash: random.chance(0.5), lastsMs: between(random, 200, 2_000) });
    } else {
      // As many as all but one may be disturbed at the same time; the next one waits for its turn.
      atMs = Math.max(atMs, freeAt.toSorted((a, b) => a - b)[1] ?? freeAt[0] ?? 0);
      const at = atMs;
      const node = random.pick([...freeAt.keys()].filter((index) => (freeAt[index] ?? 0) <= at));
      const lastsMs = lengthOf(kind, leaseMs, random);
      made.push({ atMs, kind, node, lastsMs });
      freeAt[node] = atMs + lastsMs + startMs;
    }
    atMs += between(random, 500, 5_000);
  }
  return made;
}

function lengthOf(kind: NodeDisturbance, leaseMs: number, random: Random): number {
  switch (kind) {
    case 'kill':
      return between(random, 500, 4_000);
    case 'cut':
      return 0;
    case 'freeze':
    case 'partition':
      return leaseMs + between(random, 1_500, 5_000);
  }
}

function scriptOf(index: number, options: ScheduleOptions, endsAtMs: number, random: Random): Script {
  const changes: Change[] = [{ type: 'create', model: modelOf(index, random) }];
  const wanted = random.below(5);
  for (let number = 1; number <= wanted; number++) changes.push(changeOf(index, number, random));
  if (random.chance(0.3)) changes.push({ type: 'delete' });
  let atMs = random.below(Math.floor(endsAtMs * 0.7));
  const name = `lb-${index}`;
  const operations = changes.map((change, number): Operation => {
    const operation = { atMs, commandId: `chaos-${options.seed}-${index}-${number}`, change };
    // Some come on top of what is still under way, others find all quiet.
    atMs += random.chance(0.3) ? random.below(100) : random.below(Math.max(1, Math.floor((endsAtMs - atMs) / 2)));
    return operation;
  });
  const flavor = ([{ flavor: 'pair' }, { flavor: 'shared' }, {}] as const)[index % 3];
  return { name, client: index % options.clients, listenerPort: 8_000 + (index % 1_000), ...flavor, operations };
}

function changeOf(index: number, number: number, random: Random): Change {
  switch (random.below(6)) {
    case 0:
      return { type: 'describe', description: `${index}.${number}` };
    case 1:
      return { type: 'limit', connectionLimit: between(random, 100, 10_000) };
    case 2:
      return { type: 'balance', lbAlgorithm: random.pick(algorithms) };
    case 3:
      return { type: random.chance(0.5) ? 'failover' : 'replaceAmphora' };
    default:
      return { type: 'replaceMembers', members: membersOf(index, random) };
  }
}

const algorithms = ['ROUND_ROBIN', 'LEAST_CONNECTIONS', 'SOURCE_IP'] as const;

function modelOf(index: number, random: Random): Model {
  const connectionLimit = between(random, 100, 10_000);
  const lbAlgorithm = random.pick(algorithms);
  return { description: `${index}.0`, connectionLimit, lbAlgorithm, members: membersOf(index, random) };
}

function membersOf(index: number, random: Random): readonly Member[] {
  const address = `127.100.${Math.floor(index / 200)}.${1 + (index % 200)}`;
  return Array.from({ length: 1 + random.below(5) }, (_, number) => ({
    address,
    protocolPort: 10_000 + number * 100 + random.below(100),
    weight: between(random, 1, 200),
  }));
}

/** A whole number from `from` up to, but not including, `to`. */
function between(random: Random, from: number, to: number): number {
  return from + random.below(to - from);
}

function shuffled<T>(values: readonly T[], random: Random): T[] {
  return values
    .map((value) => ({ value, rank: random.next() }))
    .toSorted((a, b) => a.rank - b.rank)
    .map(({ value }) => value);
}
