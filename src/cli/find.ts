// Finding objects for people: by id or by name, and all pages of a list.
import type { CommandClient } from '../channels/command/client.ts';
import type { Page } from '../channels/command/lists.ts';
import { isUuid } from '../domain/ids.ts';
import type { LoadBalancerView } from '../domain/views.ts';
import { CliFailure } from './failure.ts';

/** Every object of a list. */
export async function allPages<T>(
  page: (marker: { readonly marker?: string }) => Promise<Page<T>>,
): Promise<readonly T[]> {
  const all: T[] = [];
  let marker: { readonly marker?: string } = {};
  for (;;) {
    const { items, next } = await page(marker);
    all.push(...items);
    if (next === null) return all;
    marker = { marker: next };
  }
}

/** The id of the flavor of that id or name. Names are unique. @throws CliFailure naming those that there are */
export async function flavorIdOf(client: CommandClient, idOrName: string): Promise<string> {
  if (isUuid(idOrName)) return idOrName;
  const { items } = await client.call('flavor.list');
  const found = items.find(({ name }) => name === idOrName);
  if (found !== undefined) return found.id;
  const known = items.length === 0 ? 'there are none yet' : `known: ${items.map(({ name }) => name).join(', ')}`;
  throw new CliFailure(`there is no flavor with the id or name ${idOrName}; ${known}`);
}

/** The id, or the id of the one that has that name. @throws CliFailure when there is none or more than one */
export async function loadBalancerIdOf(client: CommandClient, idOrName: string): Promise<string> {
  if (isUuid(idOrName)) return idOrName;
  const all = await allPages<LoadBalancerView>((marker) => client.call('loadBalancer.list', marker));
  const named = all.filter((view) => view.name === idOrName);
  const [found] = named;
  if (found === undefined) throw new CliFailure(`there is no load balancer with the id or name ${idOrName}`);
  if (named.length === 1) return found.id;
  throw new CliFailure(
    `${named.length} load balancers have the name ${idOrName}, so give the id: ${named.map(({ id }) => id).join(', ')}`,
  );
}
