// What reading methods have in common: an object that is not there, and pages of lists.
import type { ObjectKind } from '../../domain/load-balancer/state.ts';
import type { Views } from '../../domain/views.ts';
import { RpcError } from '../rpc/errors.ts';
import { maybe, withDefault } from '../rpc/parameters.ts';
import { objectId, wholeNumber } from '../rpc/values.ts';
import { notFound } from './dispatch.ts';
import type { ListQuery, Reads } from './ports.ts';

/** Objects on one page of a list. */
const mostListed = 1_000;

/** How long a page may be. */
export function limitOf(what: string) {
  return withDefault(wholeNumber({ min: 1, max: mostListed }), mostListed, `Most ${what} in the answer.`);
}

/** Parameters of a list. */
export const page = {
  limit: limitOf('objects'),
  marker: maybe(objectId<string>(), 'Id of the last object of the page before.'),
};

/** What `items` and `next` of a list are, for its description. */
export const listed =
  'Oldest first. `next` is the marker of the next page, null when there is none. A marker that was deleted is notFound.';

export interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}

/** @throws RpcError when it is not there */
export async function found<T>(reading: Promise<T | undefined>, kind: ObjectKind | 'amphora', id: string): Promise<T> {
  const view = await reading;
  if (view === undefined) throw notFound(kind, id);
  return view;
}

/** A page of the objects whose column has that value; of all when it is null. */
export async function listedWithin<K extends ObjectKind>(
  reads: Reads,
  kind: K,
  { limit, marker }: { readonly limit: number; readonly marker: string | null },
  column: NonNullable<ListQuery['within']>['column'],
  value: string | null,
): Promise<Page<Views[K]>> {
  const items = await reads.listObjects(kind, { within: value === null ? null : { column, value }, limit, marker });
  if (items.length === 0) await refuseLostMarker(marker, (id) => reads.findObject(kind, id));
  return pageOf(items, limit);
}

/** The list did not end: the object that it was to go on after has been deleted. */
export async function refuseLostMarker(marker: string | null, find: (id: string) => Promise<unknown>): Promise<void> {
  if (marker === null || (await find(marker)) !== undefined) return;
  throw new RpcError('notFound', `Marker ${marker} not found: list again from the start`, { field: 'marker' });
}

/** A full page may have a next one, which may be empty. */
export function pageOf<T extends { readonly id: string }>(items: readonly T[], limit: number): Page<T> {
  return { items, next: items.length === limit ? (items.at(-1)?.id ?? null) : null };
}
