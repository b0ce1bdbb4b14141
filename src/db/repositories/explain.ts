// Why a load balancer is as it is: what its entity does and waits for, who owns it, and what happened last.
import type { Pool } from 'pg';
import { whyNotActive } from '../../domain/load-balancer/why.ts';
import type { StepsState } from '../../domain/step.ts';
import type { ExplainedStep, ExplanationView, HistoryEntry, UnsettledObject } from '../../domain/operator-views.ts';
import { atOneMoment, type Queryable } from '../one-moment.ts';
import { listAmphorae } from './amphorae.ts';
import { loadBalancerTree } from './objects.ts';
import { isoTime } from './view.ts';

/** Entries of the journal that an explanation shows. */
const shownHistory = 10;
/** More than any load balancer has. */
const mostAmphorae = 100;

/** As of one moment; undefined when there is no such load balancer. */
export async function explainLoadBalancer(pool: Pool, id: string): Promise<ExplanationView | undefined> {
  const { tree, entity, amphorae, history } = await atOneMoment(pool, async (connection) => ({
    tree: await loadBalancerTree(connection, id),
    entity: await findEntity(connection, id),
    amphorae: await listAmphorae(connection, { loadBalancerId: id, limit: mostAmphorae, marker: null }),
    history: await listHistory(connection, 'loadBalancer', id, shownHistory),
  }));
  if (tree === undefined) return undefined;
  const { name, provisioningStatus, operatingStatus, errorReason } = tree;
  const children = [
    ...tree.listeners.map((view) => unsettled('listener', view)),
    ...tree.listeners.flatMap((view) => view.l7Policies.map((policy) => unsettled('l7Policy', policy))),
    ...tree.listeners.flatMap(({ l7Policies }) =>
      l7Policies.flatMap(({ rules }) => rules.map((rule) => unsettled('l7Rule', { ...rule, name: '' }))),
    ),
    ...tree.pools.map((view) => unsettled('pool', view)),
    ...tree.pools.flatMap((view) => view.members.map((member) => unsettled('member', member))),
    ...tree.pools.flatMap((view) =>
      view.healthMonitor === null ? [] : [unsettled('healthMonitor', view.healthMonitor)],
    ),
  ];
  const explanation = {
    id,
    name,
    provisioningStatus,
    operatingStatus,
    errorReason,
    fault: entity?.fault ?? null,
    owner: entity === undefined || entity.owner === null ? null : { nodeId: entity.owner, epoch: Number(entity.epoch) },
    steps: explainedSteps(entity?.work ?? null),
    commands: entity?.work?.causes ?? [],
    wakeAt: entity === undefined || entity.wake_at === null ? null : isoTime(entity.wake_at),
    unsettled: children.filter((object) => object.provisioningStatus !== 'ACTIVE'),
    amphorae,
    history,
  };
  return { why: whyNotActive(explanation), ...explanation };
}

interface EntityRow {
  readonly wake_at: Date | null;
  readonly work: StepsState | null;
  readonly fault: string | null;
  readonly owner: string | null;
  readonly epoch: string | null;
}

async function findEntity(pool: Queryable, id: string): Promise<EntityRow | undefined> {
  const { rows } = await pool.query<EntityRow>(
    `select e.wake_at, e.work, e.fault, s.owner, s.epoch
     from entities e left join shards s on s.family = 'entities' and s.shard = e.shard
     where e.kind = 'loadBalancer' and e.id = $1`,
    [id],
  );
  return rows[0];
}

/** Newest first. */
export async function listHistory(
  pool: Queryable,
  kind: 'loadBalancer' | 'amphora',
  id: string,
  limit: number,
): Promise<readonly HistoryEntry[]> {
  const { rows } = await pool.query<HistoryRow>(
    `select seq, at, node, epoch, command_id, events from journal
     where kind = $1 and entity_id = $2 order by seq desc limit $3`,
    [kind, id, limit],
  );
  return rows.map(({ seq, at, node, epoch, command_id: commandId, events }) => ({
    seq: Number(seq),
    at: isoTime(at),
    node,
    epoch: Number(epoch),
    commandId,
    events,
  }));
}

interface HistoryRow extends Pick<HistoryEntry, 'node' | 'events'> {
  readonly seq: string;
  readonly at: Date;
  readonly epoch: string;
  readonly command_id: string | null;
}

function explainedSteps(work: StepsState | null): readonly ExplainedStep[] {
  if (work === null) return [];
  const keys = [...new Set([...Object.keys(work.running), ...Object.keys(work.retries)])];
  return keys.map((key): ExplainedStep => {
    const running = work.running[key];
    const retry = work.retries[key];
    const waiting = retry?.spent === true ? 'givenUp' : 'waiting';
    return {
      key,
      state: running === undefined ? waiting : 'running',
      startedAt: running === undefined ? null : isoTime(running.startedAt),
      deadlineAt: running === undefined ? null : isoTime(running.deadlineAt),
      failures: retry?.failures ?? 0,
      retryAt: running !== undefined || retry === undefined ? null : isoTime(retry.retryAt),
      lastError: retry?.lastFailure.message ?? null,
      call: retry?.lastFailure.call ?? null,
      requestId: retry?.lastFailure.requestId ?? null,
    };
  });
}

function unsettled(kind: UnsettledObject['kind'], view: Omit<UnsettledObject, 'kind'>): UnsettledObject {
  const { id, name, provisioningStatus, errorReason } = view;
  return { kind, id, name, provisioningStatus, errorReason };
}
