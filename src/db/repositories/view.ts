// From a row as PostgreSQL gives it as JSON to a view: names in camel case, times in ISO 8601 UTC, without what is for
// the database alone.

export type JsonRow = Readonly<Record<string, unknown>>;

const internal = new Set(['position', 'generation']);

export function viewOf(row: JsonRow): Readonly<Record<string, unknown>> {
  const view: Record<string, unknown> = {};
  for (const [column, value] of Object.entries(row)) {
    if (internal.has(column)) continue;
    view[camelCase(column)] = column.endsWith('_at') && typeof value === 'string' ? isoTime(value) : value;
  }
  return view;
}

/** `protocol_port` → `protocolPort`. */
function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

export function isoTime(time: string | number | Date): string {
  return new Date(time).toISOString();
}
