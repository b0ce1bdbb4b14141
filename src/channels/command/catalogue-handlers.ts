// Carries out the methods for flavors, availability zones and their profiles.
import {
  type Catalogue,
  type CatalogueKind,
  catalogueNames,
  type Offers,
  problemWithData,
} from '../../domain/catalogue.ts';
import { deriveId } from '../../domain/ids.ts';
import { RpcError } from '../rpc/errors.ts';
import type { CommandKey } from '../rpc/method.ts';
import { attributesIn, patchIn } from './attributes.ts';
import {
  availabilityZoneProfileShape,
  availabilityZoneShape,
  flavorProfileShape,
  flavorShape,
} from './catalogue-methods.ts';
import type { CommandHandlers } from './methods.ts';

export type CatalogueChange<K extends CatalogueKind> =
  | { readonly type: 'create'; readonly object: Catalogue[K] }
  | { readonly type: 'update'; readonly key: string; readonly patch: Partial<Catalogue[K]> }
  | { readonly type: 'delete'; readonly key: string };

/** Rows of administrators. */
export interface CataloguePort {
  find<K extends CatalogueKind>(kind: K, key: string): Promise<Catalogue[K] | undefined>;
  list<K extends CatalogueKind>(kind: K): Promise<readonly Catalogue[K][]>;
  /** Once for each command id. Gives why the rows do not allow it; undefined when it is done. */
  change<K extends CatalogueKind>(
    kind: K,
    change: CatalogueChange<K>,
    command: CommandKey,
    newId: string,
  ): Promise<'taken' | 'inUse' | 'noProfile' | 'notFound' | 'commandIdReused' | undefined>;
}

type CatalogueHandlers = Pick<CommandHandlers, Extract<keyof CommandHandlers, `${CatalogueKind}.${string}`>>;

export function catalogueHandlers(catalogue: CataloguePort, offers: Offers): CatalogueHandlers {
  const make = maker(catalogue);
  return {
    'flavorProfile.create': async (params, { command }) => {
      const id = deriveId<string>(command.id, 'flavorProfile');
      checkData('flavorProfile', params.flavorData, 'flavorData', offers);
      const object = { id, ...attributesIn(flavorProfileShape, params) };
      return { flavorProfile: await make('flavorProfile', id, { type: 'create', object }, command) };
    },
    'flavorProfile.update': async ({ id, ...params }, { command }) => {
      const patch = patchIn(flavorProfileShape, params) as Partial<Catalogue['flavorProfile']>;
      if (patch.flavorData !== undefined) checkData('flavorProfile', patch.flavorData, 'flavorData', offers);
      if (patch.flavorData !== undefined || patch.providerName !== undefined) {
        const users = (await catalogue.list('flavor')).filter((flavor) => flavor.flavorProfileId === id);
        if (users.length > 0) throw inUse('flavorProfile', id);
      }
      return { flavorProfile: await make('flavorProfile', id, { type: 'update', key: id, patch }, command) };
    },
    'flavorProfile.delete': ({ id }, { command }) => remove('flavorProfile', id, command),
    'flavorProfile.show': ({ id }) => found('flavorProfile', id),
    'flavorProfile.list': async () => ({ items: await catalogue.list('flavorProfile') }),
    'flavor.create': async (params, { command }) => {
      const id = deriveId<string>(command.id, 'flavor');
      const object = { id, ...attributesIn(flavorShape, params) };
      return { flavor: await make('flavor', id, { type: 'create', object }, command) };
    },
    'flavor.update': async ({ id, ...params }, { command }) => {
      const patch = patchIn(flavorShape, params) as Partial<Catalogue['flavor']>;
      return { flavor: await make('flavor', id, { type: 'update', key: id, patch }, command) };
    },
    'flavor.delete': ({ id }, { command }) => remove('flavor', id, command),
    'flavor.show': ({ id }) => found('flavor', id),
    'flavor.list': async ({ enabled }) => ({ items: byEnabled(await catalogue.list('flavor'), enabled) }),
    'availabilityZoneProfile.create': async (params, { command }) => {
      const id = deriveId<string>(command.id, 'availabilityZoneProfile');
      checkData('availabilityZoneProfile', params.availabilityZoneData, 'availabilityZoneData', offers);
      const object = { id, ...attributesIn(availabilityZoneProfileShape, params) };
      const made = await make('availabilityZoneProfile', id, { type: 'create', object }, command);
      return { availabilityZoneProfile: made };
    },
    'availabilityZoneProfile.update': async ({ id, ...params }, { command }) => {
      const patch = patchIn(availabilityZoneProfileShape, params) as Partial<Catalogue['availabilityZoneProfile']>;
      const { availabilityZoneData: data, providerName } = patch;
      if (data !== undefined) checkData('availabilityZoneProfile', data, 'availabilityZoneData', offers);
      if (data !== undefined || providerName !== undefined) {
        const zones = await catalogue.list('availabilityZone');
        if (zones.some((zone) => zone.availabilityZoneProfileId === id)) throw inUse('availabilityZoneProfile', id);
      }
      const change = { type: 'update', key: id, patch } as const;
      return { availabilityZoneProfile: await make('availabilityZoneProfile', id, change, command) };
    },
    'availabilityZoneProfile.delete': ({ id }, { command }) => remove('availabilityZoneProfile', id, command),
    'availabilityZoneProfile.show': ({ id }) => found('availabilityZoneProfile', id),
    'availabilityZoneProfile.list': async () => ({ items: await catalogue.list('availabilityZoneProfile') }),
    'availabilityZone.create': async (params, { command }) => {
      const object = attributesIn(availabilityZoneShape, params);
      return { availabilityZone: await make('availabilityZone', object.name, { type: 'create', object }, command) };
    },
    'availabilityZone.update': async ({ name, ...params }, { command }) => {
      const patch = patchIn(availabilityZoneShape, params) as Partial<Catalogue['availabilityZone']>;
      return { availabilityZone: await make('availabilityZone', name, { type: 'update', key: name, patch }, command) };
    },
    'availabilityZone.delete': ({ name }, { command }) => remove('availabilityZone', name, command),
    'availabilityZone.show': ({ name }) => found('availabilityZone', name),
    'availabilityZone.list': async ({ enabled }) => ({
      items: byEnabled(await catalogue.list('availabilityZone'), enabled),
    }),
  };

  async function remove(kind: CatalogueKind, key: string, command: CommandKey): Promise<{ readonly id: string }> {
    await make(kind, key, { type: 'delete', key }, command);
    return { id: key };
  }

  async function found<K extends CatalogueKind>(kind: K, key: string): Promise<Catalogue[K]> {
    const object = await catalogue.find(kind, key);
    if (object === undefined) throw notFound(kind, key);
    return object;
  }
}

/** Makes a change and gives the object as it is then; null when it is gone. */
function maker(catalogue: CataloguePort) {
  return async <K extends CatalogueKind>(
    kind: K,
    key: string,
    change: CatalogueChange<K>,
    command: CommandKey,
  ): Promise<Catalogue[K] | null> => {
    const newId = deriveId<string>(command.id, kind);
    const objection = await catalogue.change(kind, change, command, newId);
    switch (objection) {
      case undefined:
        return (await catalogue.find(kind, key)) ?? null;
      case 'notFound':
        throw notFound(kind, key);
      case 'inUse':
        throw inUse(kind, key);
      case 'taken':
        throw new RpcError('conflict', `A ${catalogueNames[kind].toLowerCase()} of this name already exists.`, {
          field: 'name',
        });
      case 'noProfile':
        throw new RpcError('notFound', 'The profile is not found.', { field: 'profile' });
      case 'commandIdReused': {
        const message = `commandId ${command.id} was used before with other parameters`;
        throw new RpcError('commandIdReused', message, { field: 'commandId' });
      }
    }
  };
}

function checkData(
  kind: 'flavorProfile' | 'availabilityZoneProfile',
  data: string,
  field: string,
  offers: Offers,
): void {
  const problem = problemWithData(kind, data, offers);
  if (problem !== undefined)
    throw new RpcError('invalid', `Invalid input for field/attribute ${field}: ${problem}`, { field });
}

function byEnabled<T extends { readonly enabled: boolean }>(
  items: readonly T[],
  enabled: boolean | null,
): readonly T[] {
  return enabled === null ? items : items.filter((item) => item.enabled === enabled);
}

function notFound(kind: CatalogueKind, key: string): RpcError {
  return new RpcError('notFound', `${catalogueNames[kind]} ${key} not found.`, { field: 'id' });
}

function inUse(kind: CatalogueKind, key: string): RpcError {
  return new RpcError('conflict', `${catalogueNames[kind]} ${key} is in use and cannot be modified.`, { field: 'id' });
}
