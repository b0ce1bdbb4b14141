// Rows of the tables for reading, as an entity's state gives them, and what changes between two states.

export interface Row {
  readonly id: string;
  readonly [column: string]: unknown;
}

/** Table → rows. Table and column names are those of `src/db/schema/projections.ts`; times are ISO 8601. */
export type Rows = Readonly<Record<string, readonly Row[]>>;

export interface RowChanges {
  readonly upserts: Readonly<Record<string, readonly Row[]>>;
  readonly deletes: Readonly<Record<string, readonly string[]>>;
}

/** The smallest change that makes the tables show `after` where they showed `before`. */
export function rowChanges(before: Rows, after: Rows): RowChanges {
  const upserts: Record<string, readonly Row[]> = {};
  const deletes: Record<string, readonly string[]> = {};
  for (const table of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const old = new Map((before[table] ?? []).map((row) => [row.id, row]));
    const rows = after[table] ?? [];
    const changed = rows.filter((row) => !isSameRow(old.get(row.id), row));
    for (const row of rows) old.delete(row.id);
    if (changed.length > 0) upserts[table] = changed;
    if (old.size > 0) deletes[table] = [...old.keys()];
  }
  return { upserts, deletes };
}

function isSameRow(a: Row | undefined, b: Row): boolean {
  if (a === undefined) return false;
  for (const key in b) if (!isSameValue(a[key], b[key])) return false;
  return true;
}

function isSameValue(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  return typeof a === 'object' && typeof b === 'object' && JSON.stringify(a) === JSON.stringify(b);
}

/** Milliseconds since the epoch as the tables take it. */
export function moment(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
