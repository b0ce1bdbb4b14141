import { describe, expect, test } from '@jest/globals';
import type { Whereabouts } from '../../../../src/domain/cluster/orders.ts';
import type { Group, Tally } from '../../../../src/domain/health/groups.ts';
import { allowance, type Urgency } from '../../../../src/domain/health/pace.ts';
import {
  expectFrom,
  judge,
  type Judgement,
  startWatching,
  type WatchdogLimits,
  type WatchdogState,
} from '../../../../src/domain/health/watchdog.ts';
import type { AmphoraId } from '../../../../src/domain/ids.ts';

const limits: WatchdogLimits = {
  timeoutMs: 3_000,
  intervalMs: 1_000,
  tickMs: 250,
  failoversPerMinute: 5,
  breakers: {
    fleet: { share: 0.5, minimum: 8 },
    zone: { share: 0.5, minimum: 8 },
    host: { share: 0.5, minimum: 4 },
  },
};

interface Passing {
  readonly silent?: readonly string[];
  readonly blind?: boolean;
  /** Whether a heartbeat comes of those that are not silent. */
  readonly isHeard?: (id: string, beat: number) => boolean;
}

/** A watchdog over amphorae a0…, with heartbeats as the test says; beats are spread over the interval. */
class Watch {
  readonly state: WatchdogState = startWatching(0);
  readonly seen = new Map<AmphoraId, number>();
  where: (id: string) => Whereabouts = () => ({ zone: null, host: null });
  maintenance: (where: Whereabouts) => string | undefined = () => undefined;
  isReleased: (where: Whereabouts) => boolean = () => false;
  tallies: readonly Pick<Tally, 'groups'>[] = [];
  othersSize = 0;
  urgency: Readonly<Record<string, Urgency>> = {};
  last: Judgement | undefined;
  now = 0;

  readonly limits: WatchdogLimits;

  constructor(count: number, breakers: Partial<WatchdogLimits['breakers']> = {}) {
    this.limits = { ...limits, breakers: { ...limits.breakers, ...breakers } };
    for (let index = 0; index < count; index++) expectFrom(this.state, `a${index}` as AmphoraId, 0);
  }

  /** Lets time pass in ticks; all but the silent send heartbeats. Gives the amphorae that were failed over. */
  pass(ms: number, { silent = [], blind = false, isHeard = () => true }: Passing = {}): string[] {
    const failedOver: string[] = [];
    for (const until = this.now + ms; this.now < until; ) {
      this.now += limits.tickMs;
      for (const [index, id] of [...this.state.expected.keys()].entries()) {
        const phase = (index % 4) * limits.tickMs;
        const isTime = (this.now - phase) % limits.intervalMs === 0;
        const beat = (this.now - phase) / limits.intervalMs;
        if (isTime && !silent.includes(id) && isHeard(id, beat)) this.seen.set(id, this.now);
      }
      failedOver.push(...this.tick(blind));
    }
    return failedOver;
  }

  tick(blind = false): string[] {
    const around = {
      lastSeen: (id: AmphoraId) => this.seen.get(id),
      now: this.now,
      blind,
      whereabouts: (id: AmphoraId) => this.where(id),
      tallies: this.tallies,
      sizes: () => this.sizes(),
      maintenance: this.maintenance,
      isReleased: this.isReleased,
      allowance: (recent: number) => Math.max(0, limits.failoversPerMinute - recent),
      urgencies: (lost: ReadonlySet<AmphoraId>) => new Map([...lost].map((id) => [id, this.urgency[id] ?? 0] as const)),
    };
    this.last = judge(this.state, around, this.limits);
    return this.last.failover.map(({ id }) => id);
  }

  sizes(): ReadonlyMap<Group, number> {
    const sizes = new Map<Group, number>([['fleet', this.state.expected.size + this.othersSize]]);
    for (const id of this.state.expected.keys()) {
      const { zone, host } = this.where(id);
      if (zone !== null) sizes.set(`zone/${zone}`, (sizes.get(`zone/${zone}`) ?? 0) + 1);
      if (host !== null) sizes.set(`host/${host}`, (sizes.get(`host/${host}`) ?? 0) + 1);
    }
    return sizes;
  }

  get holds(): readonly string[] {
    return [...new Set([...(this.last?.held.values() ?? [])].map(({ kind, why }) => `${kind}: ${why}`))];
  }
}

const first = (count: number) => Array.from({ length: count }, (_, index) => `a${index}`);
const numberOf = (id: string) => Number(id.slice(1));

/** Takes the same way every time. */
function random(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}

describe('the watchdog', () => {
  test('fails over an amphora that is silent for the time-out, and not before', () => {
    const watch = new Watch(3);
    watch.pass(1_000);
    expect(watch.pass(2_000, { silent: ['a0'] })).toEqual([]);
    expect(watch.pass(1_000, { silent: ['a0'] })).toEqual(['a0']);
  });

  test('asks once, and again only after another time-out', () => {
    const watch = new Watch(3);
    expect(watch.pass(5_750, { silent: ['a1'] })).toEqual(['a1']);
    expect(watch.pass(500, { silent: ['a1'] })).toEqual(['a1']);
  });

  test('counts silence of one that was never heard from when it was first expected', () => {
    const watch = new Watch(0);
    watch.now = 10_000;
    watch.state.lastTickAt = 10_000;
    expectFrom(watch.state, 'a7' as AmphoraId, 10_000);
    expect(watch.pass(2_750, { silent: ['a7'] })).toEqual([]);
    expect(watch.pass(250, { silent: ['a7'] })).toEqual(['a7']);
  });

  test('gives everybody the whole time-out again when this process was stopped', () => {
    const watch = new Watch(3);
    watch.pass(1_000);
    watch.now += 60_000;
    expect(watch.tick()).toEqual([]);
    expect(watch.pass(2_750, { silent: first(3) })).toEqual([]);
    expect(watch.pass(250, { silent: first(3) })).toEqual(first(3));
  });

  test('fails nobody over while it is blind, nor before a time-out has passed since', () => {
    const watch = new Watch(3);
    watch.pass(1_000);
    expect(watch.pass(60_000, { silent: ['a0'], blind: true })).toEqual([]);
    expect(watch.pass(2_750, { silent: ['a0'] })).toEqual([]);
    expect(watch.pass(250, { silent: ['a0'] })).toEqual(['a0']);
  });

  test('leaves alone what is under maintenance, and goes on with the rest', () => {
    const watch = new Watch(4);
    watch.where = (id) => ({ zone: numberOf(id) < 2 ? 'az1' : 'az2', host: null });
    watch.maintenance = ({ zone }) => (zone === 'az1' ? 'switches' : undefined);
    expect(watch.pass(10_000, { silent: ['a1', 'a2'] })).toContain('a2');
    expect(watch.holds).toEqual(['maintenance: switches']);
    expect([...(watch.last?.held.keys() ?? [])]).toEqual(['a1']);
    watch.maintenance = () => undefined;
    expect(watch.pass(250, { silent: ['a1', 'a2'] })).toEqual(['a1']);
  });
});

describe('a breaker', () => {
  test('takes the loss of most of a fleet for one cause and leaves all of it alone, from the first one on', () => {
    const watch = new Watch(100);
    watch.pass(2_000);
    expect(watch.pass(20_000, { silent: first(60) })).toEqual([]);
    expect(watch.last?.held.size).toBe(60);
    expect(watch.holds).toEqual(['breaker: 60 of 100 amphorae are silent at once: that looks like one cause']);
  });

  test('of a zone or a host holds what is there, and nothing else', () => {
    const watch = new Watch(100);
    watch.where = (id) => ({ zone: numberOf(id) < 20 ? 'az1' : 'az2', host: `h${Math.floor(numberOf(id) / 5)}` });
    watch.pass(2_000);
    const zone = first(15);
    const host = ['a50', 'a51', 'a52', 'a53'];
    expect(watch.pass(2_750, { silent: [...zone, ...host, 'a99'] })).toEqual([]);
    expect(watch.pass(1_000, { silent: [...zone, ...host, 'a99'] })).toEqual(['a99']);
    expect(watch.holds).toEqual([
      'breaker: 15 of 20 amphorae of zone az1 are silent at once: that looks like one cause',
      'breaker: 4 of 5 amphorae of host h10 are silent at once: that looks like one cause',
    ]);
  });

  test('counts what the other nodes have counted', () => {
    const watch = new Watch(10);
    watch.othersSize = 10;
    watch.tallies = [{ groups: new Map([['fleet', { late: 9, suspect: 9, silent: 9 }]]) }];
    watch.pass(2_000);
    expect(watch.pass(10_000, { silent: ['a0', 'a1'] })).toEqual([]);
    expect(watch.holds).toEqual(['breaker: 11 of 20 amphorae are silent at once: that looks like one cause']);
  });

  test('stays open while a partition heals, and closes when most are back', () => {
    const watch = new Watch(20);
    watch.pass(5_000, { silent: first(12) });
    expect(watch.pass(3_000, { silent: first(8) })).toEqual([]);
    expect(watch.last?.held.size).toBe(8);
    expect(watch.pass(2_000, { silent: first(3) })).toEqual([]);
    expect(watch.pass(2_000, { silent: first(3) })).toEqual(first(3));
  });

  test('does not open for few, nor at share 1', () => {
    const few = new Watch(7);
    expect(few.pass(5_000, { silent: first(7) })).toHaveLength(5);
    const never = new Watch(20, { fleet: { share: 1, minimum: 8 } });
    expect(never.pass(5_000, { silent: first(20) })).toHaveLength(5);
  });

  test('does not hold what an operator has released; the pace does', () => {
    const watch = new Watch(20);
    watch.where = (id) => ({ zone: null, host: numberOf(id) < 3 ? 'h0' : 'h1' });
    expect(watch.pass(5_000, { silent: first(20) })).toEqual([]);
    watch.isReleased = ({ host }) => host === 'h0';
    expect(watch.pass(250, { silent: first(20) })).toEqual(first(3));
    watch.isReleased = () => true;
    expect(watch.pass(250, { silent: first(20) })).toHaveLength(2);
    expect(watch.holds).toEqual(['pace: 5 failovers a minute are the limit']);
  });
});

describe('the pace', () => {
  test('is kept in any minute', () => {
    const watch = new Watch(100);
    expect(new Set(watch.pass(30_000, { silent: first(20) })).size).toBe(5);
    expect(new Set(watch.pass(60_000, { silent: first(20) })).size).toBeGreaterThan(5);
  });

  test('takes load balancers that nobody serves first, then those that are silent longest', () => {
    const watch = new Watch(100);
    watch.urgency = { a0: 1, a1: 2, a2: 0, a3: 1, a4: 0, a5: 0, a6: 1 };
    watch.pass(1_000, { silent: ['a6'] });
    watch.maintenance = () => 'for now';
    watch.pass(6_000, { silent: first(7) });
    watch.maintenance = () => undefined;
    const begun = watch.pass(250, { silent: first(7) });
    expect(begun.slice(0, 3).toSorted()).toEqual(['a2', 'a4', 'a5']);
    expect(begun[3]).toBe('a6');
    expect(begun).toHaveLength(5);
    expect(watch.last?.held.has('a1' as AmphoraId)).toBe(true);
  });

  test.each([1, 2, 3, 5, 60, 61])(
    'of %i a minute is shared by judges: what they begin together never exceeds it',
    (left) => {
      for (let judges = 1; judges <= 5; judges++) {
        for (let turn = 0; turn < 5; turn++) {
          const shares = Array.from({ length: judges }, (_, place) => allowance(left, judges, place, turn));
          expect(shares.reduce((sum, share) => sum + share, 0)).toBe(left);
        }
      }
    },
  );
});

describe('a network that loses heartbeats', () => {
  test.each([0.1, 0.3, 0.5, 0.7])('with a loss of %d, fails nobody over that lives', (loss) => {
    const watch = new Watch(1_000);
    const next = random(7);
    watch.pass(2_000);
    expect(watch.pass(60_000, { isHeard: () => next() >= loss })).toEqual([]);
  });

  test('does not keep the dead: with a loss of a tenth it takes some intervals more', () => {
    const watch = new Watch(1_000);
    const next = random(11);
    watch.pass(10_000, { isHeard: () => next() >= 0.1 });
    expect(watch.pass(30_000, { silent: ['a3'], isHeard: () => next() >= 0.1 })).toContain('a3');
  });

  test('is not what a loss of many looks like: two intervals later they are failed over', () => {
    const watch = new Watch(1_000);
    watch.pass(2_000);
    watch.pass(4_500, { silent: first(300) });
    expect(watch.state.asked.size).toBe(5);
  });
});
