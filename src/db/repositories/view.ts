// From a row as PostgreSQL gives it as JSON to a view: names in camel case, times in ISO 8601 UTC, without what is for
// the database alone.

export type JsonRow = Readonly<Record<string, unknown>>;

const internal = new Set(['position', 'generation', 'vrrp_ports', 'served', 'kind', 'sharing']);

/**
 * `shown` are columns that the view has although others keep them to themselves. That a table's columns are what its view has
 * is the caller's word: the compiler cannot see it.
 */
export function viewOf<View>(row: JsonRow, shown: readonly string[] = []): View {
  const columns = Object.keys(row).filter((column) => !internal.has(column) || shown.includes(column));
  const named = columns
    .toSorted((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))
    .map((column) => {
      const value = row[column];
      return [camelCase(column), column.endsWith('_at') && typeof value === 'string' ? isoTime(value) : value];
    });
  return Object.fromEntries(named) as View;
}

/** jsonb has an order of its own; people look for these first, and for times last. */
const first = ['id', 'name', 'description', 'provisioning_status', 'operating_status', 'error_reason', 'status'];
const last = ['created_at', 'updated_at'];

function rank(column: string): number {
  const place = first.indexOf(column);
  if (place !== -1) return place;
  return last.includes(column) ? first.length + 1 : first.length;
}

/** `protocol_port` → `protocolPort`. */
function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

export function isoTime(time: string | number | Date): string {
  return new Date(time).toISOString();
}
