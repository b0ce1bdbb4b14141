// What the query of a list asks for: filters, tags, order, page, fields.
import type { ObjectQuery } from '../domain/object-query.ts';
import { printable } from './bodies.ts';
import { ApiError } from './errors.ts';
import { columnName } from './names.ts';

export interface ListRequest {
  readonly query: ObjectQuery;
  /** Attributes to show; undefined for all. */
  readonly fields: readonly string[] | undefined;
  /** A filter rules everything out: it is for a project that the caller may not see. */
  readonly isEmpty: boolean;
  readonly marker: string | null;
}

interface Asked {
  readonly columns: ReadonlySet<string>;
  /** Attributes whose columns have other names than follow from theirs. */
  readonly columnNames?: Readonly<Record<string, string>>;
  readonly params: URLSearchParams;
  /** The only project that the caller may see; null for all. */
  readonly scope: string | null;
  /** Beside those of the query: the pool of members. */
  readonly within?: { readonly column: string; readonly value: string } | undefined;
  readonly mostPerPage: number;
}

const pageParams = new Set(['limit', 'marker', 'page_reverse', 'sort', 'sort_key', 'sort_dir', 'fields']);
const tagParams = { tags: 'all', 'tags-any': 'any', 'not-tags': 'notAll', 'not-tags-any': 'notAny' } as const;

const invalidArguments = 'One or more arguments are either duplicate or invalid';

/** The column that an attribute is in; undefined when there is none. */
function columnOf({ columns, columnNames = {} }: Asked, attribute: string): string | undefined {
  const own = Object.hasOwn(columnNames, attribute) ? columnNames[attribute] : undefined;
  const column = own ?? columnName(attribute);
  return columns.has(column) ? column : undefined;
}

/** @throws ApiError */
export function listRequest(asked: Asked): ListRequest {
  const { params, scope, within } = asked;
  // PostgreSQL has no NUL in texts.
  if ([...params.values()].some((value) => value.includes('\0'))) throw new ApiError(400, invalidArguments);
  const filters: { column: string; value: string }[] = within === undefined ? [] : [within];
  let projectId = scope;
  let isEmpty = false;
  for (const name of new Set(params.keys())) {
    if (pageParams.has(name) || Object.hasOwn(tagParams, name)) continue;
    const [value = '', ...more] = params.getAll(name);
    if (more.length > 0) throw new ApiError(400, invalidArguments);
    const column = columnOf(asked, name);
    if (column === undefined) throw new ApiError(400, invalidArguments);
    if (column !== 'project_id') filters.push({ column, value });
    else if (projectId !== null && projectId !== value) isEmpty = true;
    else projectId = value;
  }
  const marker = params.get('marker');
  return {
    fields: fieldsIn(params),
    isEmpty,
    marker,
    query: {
      projectId,
      filters,
      tags: tagsIn(params),
      sort: sortIn(asked),
      limit: limitIn(params, asked.mostPerPage),
      marker,
      isReverse: /^true$/i.test(params.get('page_reverse') ?? ''),
    },
  };
}

/** Attributes to show; undefined for all. */
export function fieldsIn(params: URLSearchParams): readonly string[] | undefined {
  const fields = params.getAll('fields').flatMap((given) => given.split(','));
  return fields.length === 0 ? undefined : fields;
}

function tagsIn(params: URLSearchParams): ObjectQuery['tags'] {
  const words = (name: string) => wordsIn(params, name);
  return { all: words('tags'), any: words('tags-any'), notAll: words('not-tags'), notAny: words('not-tags-any') };
}

/** A parameter may be repeated, and hold several words with commas between them. */
function wordsIn(params: URLSearchParams, name: string): readonly string[] {
  return params
    .getAll(name)
    .flatMap((given) => given.split(','))
    .filter((word) => word !== '');
}

/** Of `sort`, then of `sort_key` and `sort_dir`. */
function sortIn(asked: Asked): ObjectQuery['sort'] {
  const { params } = asked;
  const pairs = wordsIn(params, 'sort').map((pair) => pair.split(':'));
  const directions = wordsIn(params, 'sort_dir');
  const keys = wordsIn(params, 'sort_key').map((key, index) => [key, ...directions.slice(index, index + 1)]);
  return [...pairs, ...keys].map(([key = '', direction = 'asc', ...more]) => {
    const column = columnOf(asked, key);
    if (more.length > 0) throw invalidPage('sort key', [key, direction, ...more].join(':'));
    if (column === undefined) throw invalidPage('sort key', key);
    const isDescending = direction.toLowerCase() === 'desc';
    if (!isDescending && direction.toLowerCase() !== 'asc') throw invalidPage('sort direction', direction);
    return { column, isDescending };
  });
}

function limitIn(params: URLSearchParams, most: number): number {
  const given = params.get('limit');
  if (given === null || given.toLowerCase() === 'infinite') return most;
  if (!/^-?\d{1,15}$/.test(given)) throw invalidPage('pagination limit', given);
  const limit = Number(given);
  return limit < 1 ? most : Math.min(limit, most);
}

/** In Octavia's words. */
export function invalidPage(
  what: 'sort key' | 'sort direction' | 'pagination limit' | 'pagination marker',
  given: string,
) {
  return new ApiError(400, `Supplied ${what} '${printable(given)}' is not valid.`);
}

export interface PageLink {
  readonly rel: 'next' | 'previous';
  readonly href: string;
}

/**
 * Links to the pages around. A full page may be followed by an empty one.
 *
 * @param url of the request, without its query
 */
export function pageLinks(
  url: string,
  params: URLSearchParams,
  { query: { limit, isReverse }, marker }: ListRequest,
  ids: readonly string[],
): readonly PageLink[] {
  const isFull = ids.length === limit;
  const to = (id: string | undefined, reverse: boolean, rel: PageLink['rel']): readonly PageLink[] => {
    if (id === undefined) return [];
    const own = new URLSearchParams(
      [...params].filter(([name]) => !['marker', 'page_reverse', 'limit'].includes(name)),
    );
    own.set('limit', String(limit));
    own.set('marker', id);
    if (reverse) own.set('page_reverse', 'True');
    return [{ rel, href: `${url}?${own.toString()}` }];
  };
  const hasNext = isReverse ? marker !== null : isFull;
  const hasPrevious = isReverse ? isFull : marker !== null;
  return [...(hasNext ? to(ids.at(-1), false, 'next') : []), ...(hasPrevious ? to(ids[0], true, 'previous') : [])];
}

/** Those attributes only. Names that an object does not have show nothing. */
export function onlyFields(answer: Readonly<Record<string, unknown>>, fields: readonly string[] | undefined): object {
  if (fields === undefined) return answer;
  return Object.fromEntries(
    fields.filter((field) => Object.hasOwn(answer, field)).map((field) => [field, answer[field]]),
  );
}
