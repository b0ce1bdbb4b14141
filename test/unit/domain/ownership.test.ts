import { describe, expect, test } from '@jest/globals';
import {
  type ClusterNode,
  type ClusterView,
  emptyView,
  familiesOf,
  type Family,
  families,
  familyNames,
  type OwnedShard,
  planClaims,
  planRelease,
} from '../../../src/domain/ownership.ts';

/** A cluster in memory, on which every node does what its plan says until nobody has anything to do. */
class Cluster {
  readonly nodes = new Map<string, ClusterNode>();
  readonly #owners = new Map<Family, (string | null)[]>(
    familyNames.map((family) => [family, Array<string | null>(families[family].shards).fill(null)]),
  );
  observing: string | null = null;
  /** Shards that changed hands. */
  moves = 0;

  join(id: string, roles: readonly string[] = ['worker', 'health', 'housekeeping']): void {
    const address = { address: null, heartbeatAddress: null, version: 'test', dataVersion: 1 };
    this.nodes.set(id, { id, ...address, families: familiesOf(roles), isDraining: false, isDead: false });
  }

  change(id: string, change: Partial<ClusterNode>): void {
    const node = this.nodes.get(id);
    if (node !== undefined) this.nodes.set(id, { ...node, ...change });
  }

  get view(): ClusterView {
    const owners = Object.fromEntries(this.#owners) as unknown as ClusterView['owners'];
    return { ...emptyView, nodes: [...this.nodes.values()], owners, observing: this.observing };
  }

  held(id: string): readonly OwnedShard[] {
    return familyNames.flatMap((family) =>
      (this.#owners.get(family) ?? []).flatMap((owner, shard) => (owner === id ? [{ family, shard, epoch: 1 }] : [])),
    );
  }

  count(id: string, family: Family = 'entities'): number {
    return this.held(id).filter((shard) => shard.family === family).length;
  }

  settle(): void {
    for (let round = 0; round < 1_000; round++) if (!this.#step()) return;
    throw new Error('the nodes do not come to rest');
  }

  #step(): boolean {
    let hasMoved = false;
    for (const { id, isDead } of this.nodes.values()) {
      if (isDead) continue;
      const claims = planClaims(this.view, id, this.held(id));
      for (const dead of claims.dead) this.nodes.delete(dead);
      for (const family of familyNames) {
        for (let count = 0; count < claims.most[family]; count++) hasMoved = this.#takeOne(id, family) || hasMoved;
      }
      for (const { family, shard } of planRelease(this.view, id, this.held(id), 16)) {
        (this.#owners.get(family) ?? [])[shard] = null;
        hasMoved = true;
      }
    }
    return hasMoved;
  }

  #takeOne(id: string, family: Family): boolean {
    const owners = this.#owners.get(family) ?? [];
    const shard = owners.findIndex((owner) => owner === null || !this.nodes.has(owner));
    if (shard === -1) return false;
    owners[shard] = id;
    this.moves++;
    return true;
  }
}

const total = (cluster: Cluster, family: Family) =>
  [...cluster.nodes.keys()].reduce((sum, id) => sum + cluster.count(id, family), 0);

describe('nodes', () => {
  test('share what there is equally, whoever comes first, and singletons run once', () => {
    const cluster = new Cluster();
    for (const id of ['a', 'b', 'c']) {
      cluster.join(id);
      cluster.settle();
    }
    expect(['a', 'b', 'c'].map((id) => cluster.count(id))).toEqual([86, 86, 84]);
    expect(['a', 'b', 'c'].map((id) => cluster.count(id, 'spares'))).toEqual([1, 0, 0]);
    expect(familyNames.map((family) => total(cluster, family))).toEqual(
      familyNames.map((name) => families[name].shards),
    );
  });

  test('move no more than the newcomer gets', () => {
    const cluster = new Cluster();
    for (const id of ['a', 'b', 'c']) cluster.join(id);
    cluster.settle();
    cluster.moves = 0;
    cluster.join('d');
    cluster.settle();
    expect(cluster.count('d')).toBe(64);
    expect(cluster.moves).toBe(64 + 64);
  });

  test('take over what the dead had, singletons too, among all that are left', () => {
    const cluster = new Cluster();
    for (const id of ['a', 'b', 'c']) cluster.join(id);
    cluster.settle();
    cluster.change('a', { isDead: true });
    cluster.settle();
    expect([cluster.count('b'), cluster.count('c')]).toEqual([128, 128]);
    expect(total(cluster, 'spares') + total(cluster, 'housekeeping')).toBe(2);
  });

  test('take more than their share of what nobody else takes in time', () => {
    const cluster = new Cluster();
    for (const id of ['a', 'b', 'c']) cluster.join(id);
    cluster.settle();
    const without = cluster.view.nodes.filter(({ id }) => id !== 'a');
    const view = { ...cluster.view, nodes: without };
    const inTime = planClaims(view, 'b', cluster.held('b'));
    expect([inTime.most.entities, inTime.isShort]).toEqual([128 - cluster.count('b'), true]);
    const late = planClaims(view, 'b', cluster.held('b'), true);
    expect([late.most.entities, late.isShort]).toEqual([cluster.count('a'), false]);
    cluster.change('b', { isDraining: true });
    const drained = planClaims({ ...view, nodes: cluster.view.nodes.slice(1) }, 'b', cluster.held('b'), true);
    expect(drained.most.entities).toBe(0);
  });

  test('own only what their roles name', () => {
    const cluster = new Cluster();
    cluster.join('worker', ['worker']);
    cluster.join('health', ['health']);
    cluster.join('api', ['api', 'proxy']);
    cluster.settle();
    expect(familyNames.map((family) => cluster.count('worker', family))).toEqual([256, 1, 0, 0]);
    expect(familyNames.map((family) => cluster.count('health', family))).toEqual([0, 0, 256, 0]);
    expect(cluster.held('api')).toEqual([]);
  });

  test('that drain give everything away, unless nobody else is there to take it', () => {
    const cluster = new Cluster();
    cluster.join('a');
    cluster.change('a', { isDraining: true });
    cluster.settle();
    expect(cluster.count('a')).toBe(256);
    cluster.join('b');
    cluster.settle();
    expect([cluster.held('a').length, cluster.count('b')]).toEqual([0, 256]);
    cluster.change('b', { isDraining: true });
    cluster.settle();
    expect([cluster.count('a'), cluster.count('b')]).toEqual([128, 128]);
  });

  test('of an earlier version keep their share and take nothing, while those of the newest take what is free', () => {
    const cluster = new Cluster();
    for (const id of ['a', 'b', 'c']) cluster.join(id);
    cluster.settle();
    cluster.join('new');
    cluster.change('new', { dataVersion: 2 });
    cluster.settle();
    expect(['a', 'b', 'c', 'new'].map((id) => cluster.count(id))).toEqual([64, 64, 64, 64]);
    cluster.change('a', { isDead: true });
    cluster.settle();
    expect(['b', 'c', 'new'].map((id) => cluster.count(id))).toEqual([64, 64, 128]);
    cluster.change('new', { isDead: true });
    cluster.settle();
    expect(['b', 'c'].map((id) => cluster.count(id))).toEqual([128, 128]);
  });

  test('own nothing while all shall only look', () => {
    const cluster = new Cluster();
    cluster.join('a');
    cluster.settle();
    cluster.observing = 'restored';
    cluster.settle();
    expect(cluster.held('a')).toEqual([]);
  });

  test('take up what is in their name and not known to them: the answer to a claim was lost', () => {
    const cluster = new Cluster();
    cluster.join('a');
    cluster.settle();
    expect(planClaims(cluster.view, 'a', cluster.held('a')).isNeeded).toBe(false);
    expect(planClaims(cluster.view, 'a', cluster.held('a').slice(1)).isNeeded).toBe(true);
  });
});
