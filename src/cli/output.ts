// How answers look: tables for people, JSON for programs.
import Table from 'cli-table3';

export interface Output {
  /** A list: a table with these columns, or the list as it came. `whenEmpty` is what people read of one with nothing in it. */
  list<T extends object>(rows: readonly T[], columns: readonly Column<T>[], whenEmpty?: string): void;
  /** One thing: a table of its fields, or the thing as it came. */
  show(thing: object, fields?: readonly string[]): void;
  /** One thing of a stream, as JSON on a line of its own. */
  line(thing: object): void;
  /** Words for people; nothing with `-o json`. */
  say(line: string): void;
  readonly isJson: boolean;
}

export interface Column<T> {
  readonly title: string;
  readonly of: (row: T) => unknown;
}

export function outputTo(write: (text: string) => void, isJson: boolean): Output {
  const json = (value: unknown) => write(`${JSON.stringify(value, null, 2)}\n`);
  return {
    isJson,
    list(rows, columns, whenEmpty = 'none') {
      if (isJson) return json(rows);
      if (rows.length === 0) return write(`${whenEmpty}\n`);
      const table = plainTable(columns.map(({ title }) => title));
      for (const row of rows) table.push(columns.map(({ of }) => cell(of(row))));
      write(`${table.toString()}\n`);
    },
    show(thing, fields = Object.keys(thing)) {
      if (isJson) return json(thing);
      const table = plainTable();
      for (const field of fields) table.push([field, cell((thing as Record<string, unknown>)[field])]);
      write(`${table.toString()}\n`);
    },
    line(thing) {
      write(`${JSON.stringify(thing)}\n`);
    },
    say(line) {
      if (!isJson) write(`${line.replace(/[^\P{Cc}\n]/gu, '\uFFFD')}\n`);
    },
  };
}

const bare = ['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right', 'left']
  .concat(['left-mid', 'mid', 'mid-mid', 'right', 'right-mid'])
  .map((name) => [name, ''] as const);

/** Columns and nothing else: fits `grep` and `awk`. */
function plainTable(head: string[] = []) {
  return new Table({
    head,
    chars: { ...Object.fromEntries(bare), middle: '  ' },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return '-';
  if (Array.isArray(value) && value.every((item) => typeof item !== 'object')) return value.join(', ') || '-';
  const words = typeof value === 'string' ? value : JSON.stringify(value);
  // Names are anything users like: no control characters on a terminal.
  return words.replace(/\p{Cc}/gu, '\uFFFD');
}
