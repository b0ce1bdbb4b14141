// Whether anybody acted on what was not his any more: in the journal by its epochs, in the world by the deadlines of steps.
// The world is told who calls, and not under which epoch; so a call is judged by its node and by whom the journal shows as
// the shard's owner at that time. A step that was under way within its deadline when its owner was cut off may still
// come through: that is by design (decision 6), and the successor looks again afterwards.
import { grouped } from '../grouped.ts';
import type { CallRecord } from '../../../src/drivers/noop-world/protocol.ts';
import type { EntityRow, Evidence, JournalRow } from '../evidence.ts';

/** From the sending of a call within its deadline to its effect: the world's longest latency, and what a busy machine adds. */
const travelMs = 1_000;

export function twoOwners(evidence: Evidence): readonly string[] {
  const entities = new Map(evidence.entities.map((entity) => [keyOf(entity), entity]));
  const reigns = reignsOf(evidence.journal, entities);
  return [
    ...[...reigns].flatMap(([shard, list]) => overlaps(shard, list)),
    ...backwards(evidence.journal),
    ...late(evidence, entities, reigns),
  ];
}

/** What one epoch of one shard wrote. */
interface Reign {
  readonly epoch: number;
  readonly nodes: ReadonlySet<string>;
  readonly firstAt: number;
  readonly lastAt: number;
}

/** Shard → its epochs in order. */
function reignsOf(
  journal: readonly JournalRow[],
  entities: ReadonlyMap<string, EntityRow>,
): ReadonlyMap<number, readonly Reign[]> {
  const byShard = grouped(journal, (row) => entities.get(keyOf(row))?.shard ?? -1);
  return new Map(
    [...byShard].map(([shard, rows]) => [
      shard,
      [...grouped(rows, ({ epoch }) => epoch)]
        .map(([epoch, written]) => ({
          epoch,
          nodes: new Set(written.map(({ node }) => node)),
          firstAt: Math.min(...written.map(({ at }) => at)),
          lastAt: Math.max(...written.map(({ at }) => at)),
        }))
        .toSorted((a, b) => a.epoch - b.epoch),
    ]),
  );
}

function overlaps(shard: number, reigns: readonly Reign[]): readonly string[] {
  return reigns.flatMap(({ epoch, nodes, firstAt }, index) => {
    const before = reigns[index - 1];
    return [
      ...(nodes.size > 1 ? [`epoch ${epoch} of shard ${shard} was written by ${[...nodes].join(' and ')}`] : []),
      ...(before !== undefined && before.lastAt > firstAt
        ? [
            `epoch ${before.epoch} of shard ${shard} wrote at ${before.lastAt}, after epoch ${epoch} began at ${firstAt}`,
          ]
        : []),
    ];
  });
}

/** The journal comes by entity and sequence number. */
function backwards(journal: readonly JournalRow[]): readonly string[] {
  return journal.flatMap((row, index) => {
    const before = journal[index - 1];
    if (before === undefined || keyOf(before) !== keyOf(row) || before.epoch <= row.epoch) return [];
    return [`${keyOf(row)} entry ${row.seq} is of epoch ${row.epoch}, the one before of ${before.epoch}`];
  });
}

const mutating = new Set<CallRecord['call']>([
  'compute.create',
  'compute.delete',
  'network.allocateVip',
  'network.plugVip',
  'network.unplugVip',
  'network.releaseVip',
  'amphora.serve',
  'amphora.withdraw',
]);

function late(
  { calls, journal }: Evidence,
  entities: ReadonlyMap<string, EntityRow>,
  reigns: ReadonlyMap<number, readonly Reign[]>,
): readonly string[] {
  const histories = grouped(journal, keyOf);
  return calls.flatMap((call) => {
    if (!mutating.has(call.call) || call.result !== 'ok') return [];
    const key = call.call.startsWith('compute.')
      ? `amphora/${call.key}`
      : `loadBalancer/${call.loadBalancer ?? call.key}`;
    const shard = entities.get(key)?.shard;
    // What the sweep removes belongs to no entity.
    if (shard === undefined) return [];
    const owner = reigns.get(shard)?.findLast(({ firstAt }) => firstAt <= call.at);
    if (owner === undefined || owner.nodes.has(call.node)) return [];
    const history = histories.get(key) ?? [];
    if (isCovered(history, call) || isSwept(history, call)) return [];
    const { node, at, call: name } = call;
    return [`${name} of ${key} by node ${node} at ${at} came after its deadline: ${[...owner.nodes].join()} owns it`];
  });
}

function isCovered(history: readonly JournalRow[], { node, at }: CallRecord): boolean {
  const own = history.filter((row) => row.node === node).flatMap(({ events }) => events);
  return own.some(
    (event) =>
      event.type === 'stepStarted' && Number(event['at']) <= at && at <= Number(event['deadlineAt']) + travelMs,
  );
}

/** An instance that came to light after its amphora was deleted is removed by whoever sweeps. */
function isSwept(history: readonly JournalRow[], { call, at }: CallRecord): boolean {
  const deleted = history.find(({ events }) => events.some(({ type }) => type === 'amphoraDeleted'));
  return call === 'compute.delete' && deleted !== undefined && deleted.at <= at;
}

function keyOf({ kind, id }: { readonly kind: string; readonly id: string }): string {
  return `${kind}/${id}`;
}
