// From the names that the domain uses for tables and columns to those in the database.
import { getTableColumns, getTableName } from 'drizzle-orm';
import { type ProjectionName, projections } from './schema/projections.ts';

interface NamedTable {
  readonly name: string;
  readonly columns: ReadonlyMap<string, string>;
}

const tables: ReadonlyMap<string, NamedTable> = new Map(
  Object.entries(projections).map(([key, table]) => {
    const columns = Object.entries(getTableColumns(table)).map(([field, column]) => [field, column.name] as const);
    return [key as ProjectionName, { name: getTableName(table), columns: new Map(columns) }];
  }),
);

/**
 * Renames tables, and columns where rows are given. A name that the schema does not have is a mistake of ours.
 *
 * @throws Error naming it
 */
export function columnNamed(changes: Readonly<Record<string, readonly unknown[]>>): Record<string, readonly unknown[]> {
  const named: Record<string, readonly unknown[]> = {};
  for (const [key, rows] of Object.entries(changes)) {
    const table = tables.get(key);
    if (table === undefined) throw new Error(`there is no projection ${key}`);
    named[table.name] = rows.map((row) => (typeof row === 'object' && row !== null ? renamed(table, row) : row));
  }
  return named;
}

function renamed(table: NamedTable, row: object): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(row)) {
    const column = table.columns.get(field);
    if (column === undefined) throw new Error(`projection ${table.name} has no column for ${field}`);
    result[column] = value;
  }
  return result;
}
