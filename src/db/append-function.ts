// The one server-side statement that writes a batch of entries: fence, command, claims, sequence, events and rows for
// reading, decided per entry, in one round trip and one transaction. Its text is made from the schema, so that a
// column added to a projection is written without anybody remembering it here.
import { createHash } from 'node:crypto';
import { getTableColumns, getTableName } from 'drizzle-orm';
import type { ObjectKind } from '../domain/load-balancer/state.ts';
import { quotaKinds } from '../domain/quota.ts';
import { lockClasses } from './lock-classes.ts';
import { type ProjectionName, projections } from './schema/projections.ts';
import { quotas } from './schema/runtime.ts';

/**
 * Another name when arguments or results change, which is to be counted here, and when columns of projections do, which follows
 * from them: nodes of two versions run side by side during an upgrade, and each writes the columns that it knows.
 */
export const appendFunction = `append_entries_v6_${columnsDigest()}`;

function columnsDigest(): string {
  const columns = Object.values(projections).map((table) => [
    getTableName(table),
    Object.values(getTableColumns(table)).map((column) => column.name),
  ]);
  return createHash('sha256').update(JSON.stringify(columns)).digest('hex').slice(0, 8);
}

/**
 * Takes a JSON array of entries, gives a row per entry: its index, an outcome, and details.
 *
 * - `written`
 * - `stale`: the shard has another owner or a later epoch.
 * - `duplicate`: the command was answered before; details hold that `answer`, its `digest` and the entity's id.
 * - `claimed`: another entity holds a claim; details name it.
 * - `quotaMet`: the project may not have what the entry adds; details name the kind of object.
 * - `conflict`: the entity's journal is not where the entry expects it; details hold its `seq`.
 *
 * Anything but `written` leaves no trace of the entry.
 */
export function appendFunctionSql(): string {
  return `
create or replace function ${appendFunction}(entries jsonb)
returns table (idx int, outcome text, detail jsonb)
language plpgsql set search_path from current as $body$
declare
  e jsonb;
  claim jsonb;
  rows_hit int;
  found_command record;
  claimed_now jsonb;
  project text;
  most int;
begin
  -- Held until this statement's transaction ends: a takeover waits for it, and what comes after sees the new epoch.
  perform 1 from shards s
    join (select distinct x ->> 'family' as family, (x ->> 'shard')::smallint as shard
          from jsonb_array_elements(entries) x) wanted using (family, shard)
    order by s.family, s.shard for share of s;

  -- Whoever adds to a project that has limits waits for others who do, in any node: what is counted below is all there is.
  if exists (select 1 from jsonb_array_elements(entries) x where x ? 'addition') then
    perform pg_advisory_xact_lock(${lockClasses.quota}, w.project) from (
      select distinct hashtext(x -> 'addition' ->> 'projectId') as project from jsonb_array_elements(entries) x
      where x ? 'addition' and (
        exists (select 1 from quotas q where q.project_id = x -> 'addition' ->> 'projectId')
        or exists (select 1 from jsonb_each_text(x -> 'addition' -> 'quotas') d where d.value::int >= 0))
      order by 1) w;
  end if;

  idx := -1;
  for e in select jsonb_array_elements(entries) loop
    idx := idx + 1;
    outcome := 'written';
    detail := null;

    perform 1 from shards s
      where s.family = e ->> 'family' and s.shard = (e ->> 'shard')::smallint
        and s.owner = (e ->> 'node')::uuid and s.epoch = (e ->> 'epoch')::bigint;
    if not found then
      outcome := 'stale';
      return next;
      continue;
    end if;

    if e ? 'command' then
      insert into commands (id, entity_id, digest, answer)
        values (e -> 'command' ->> 'id', (e ->> 'id')::uuid, e -> 'command' ->> 'digest', e -> 'command' -> 'answer')
        on conflict do nothing;
      if not found then
        select c.entity_id, c.digest, c.answer into found_command from commands c where c.id = e -> 'command' ->> 'id';
        outcome := 'duplicate';
        detail := jsonb_build_object(
          'entityId', found_command.entity_id, 'digest', found_command.digest, 'answer', found_command.answer);
        return next;
        continue;
      end if;
    end if;

    claimed_now := '[]';
    for claim in select jsonb_array_elements(coalesce(e -> 'claims', '[]')) loop
      insert into claims (kind, value, entity_id)
        values (claim ->> 'kind', claim ->> 'value', (e ->> 'id')::uuid) on conflict do nothing;
      if found then
        claimed_now := claimed_now || claim;
      elsif not exists (select 1 from claims c where c.kind = claim ->> 'kind' and c.value = claim ->> 'value'
                        and c.entity_id = (e ->> 'id')::uuid) then
        outcome := 'claimed';
        detail := claim;
        exit;
      end if;
    end loop;

    if outcome = 'written' and e ? 'addition' then
      project := e -> 'addition' ->> 'projectId';
${quotaKinds.map(quotaSql).join('')}    end if;

    if outcome = 'written' and e ? 'seq' then
      if (e ->> 'seq')::bigint = 1 then
        insert into entities (kind, id, shard, seq, is_over, has_work, wake_at, work, updated_at)
          values (e ->> 'kind', (e ->> 'id')::uuid, (e ->> 'shard')::smallint, 1, (e ->> 'isOver')::boolean,
                  (e ->> 'hasWork')::boolean, (e ->> 'wakeAt')::timestamptz, e -> 'work', clock_timestamp())
          on conflict do nothing;
      else
        update entities t set seq = (e ->> 'seq')::bigint, is_over = (e ->> 'isOver')::boolean,
            has_work = (e ->> 'hasWork')::boolean, wake_at = (e ->> 'wakeAt')::timestamptz, work = e -> 'work',
            updated_at = clock_timestamp()
          where t.kind = e ->> 'kind' and t.id = (e ->> 'id')::uuid and t.seq = (e ->> 'seq')::bigint - 1;
      end if;
      if not found then
        outcome := 'conflict';
        detail := (select jsonb_build_object('seq', t.seq) from entities t
                   where t.kind = e ->> 'kind' and t.id = (e ->> 'id')::uuid);
      end if;
    end if;

    if outcome <> 'written' then
      delete from commands c where c.id = e -> 'command' ->> 'id';
      delete from claims c using jsonb_array_elements(claimed_now) n
        where c.kind = n ->> 'kind' and c.value = n ->> 'value';
      return next;
      continue;
    end if;

    if e ? 'seq' then
      insert into journal (kind, entity_id, seq, schema_version, events, node, epoch, command_id)
        values (e ->> 'kind', (e ->> 'id')::uuid, (e ->> 'seq')::bigint, (e ->> 'schemaVersion')::smallint,
                e -> 'events', (e ->> 'node')::uuid, (e ->> 'epoch')::bigint, e -> 'command' ->> 'id');
    end if;
    if (e ->> 'isOver')::boolean then
      delete from claims c where c.entity_id = (e ->> 'id')::uuid;
      delete from operating_statuses o where o.load_balancer_id = (e ->> 'id')::uuid;
      delete from snapshots s where s.kind = e ->> 'kind' and s.entity_id = (e ->> 'id')::uuid;
    end if;
${Object.keys(projections).map(projectionSql).join('')}
    return next;
  end loop;
end
$body$`;
}

/** Counts what there is, and what entries before this one in the same statement have added. */
function quotaSql(kind: ObjectKind): string {
  const limit = quotas[kind].name;
  const counted =
    kind === 'loadBalancer'
      ? 'from load_balancers b where b.project_id = project'
      : `from load_balancers b join ${getTableName(projections[countedIn[kind]])} c on c.load_balancer_id = b.id where b.project_id = project`;
  return `      if outcome = 'written' and e -> 'addition' -> 'added' ? '${kind}' then
        most := coalesce((select q.${limit} from quotas q where q.project_id = project),
                         (e -> 'addition' -> 'quotas' ->> '${kind}')::int);
        if most >= 0 and (e -> 'addition' -> 'added' ->> '${kind}')::int + (select count(*) ${counted}) > most then
          outcome := 'quotaMet';
          detail := to_jsonb('${kind}'::text);
        end if;
      end if;
`;
}

const countedIn = {
  listener: 'listeners',
  pool: 'pools',
  member: 'members',
  healthMonitor: 'healthMonitors',
  l7Policy: 'l7Policies',
  l7Rule: 'l7Rules',
} as const satisfies Record<Exclude<ObjectKind, 'loadBalancer'>, ProjectionName>;

function projectionSql(key: string): string {
  const table = projections[key as keyof typeof projections];
  const name = getTableName(table);
  const columns = Object.values(getTableColumns(table)).map((column) => column.name);
  const updates = columns.filter((column) => column !== 'id').map((column) => `${column} = excluded.${column}`);
  return `
    if e -> 'upserts' ? '${name}' then
      insert into ${name} (${columns.join(', ')})
        select ${columns.map((column) => `r.${column}`).join(', ')}
        from jsonb_populate_recordset(null::${name}, e -> 'upserts' -> '${name}') r
        on conflict (id) do update set ${updates.join(', ')};
    end if;
    if e -> 'deletes' ? '${name}' then
      delete from ${name} t using jsonb_array_elements_text(e -> 'deletes' -> '${name}') d where t.id = d::uuid;
    end if;
`;
}
