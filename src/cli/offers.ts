// What administrators offer, as `amphi` handles it: flavors and availability zones alike, each with a profile of its own.
import type { CommandClient } from '../channels/command/client.ts';
import { allCapabilities, type Capability } from '../domain/catalogue.ts';
import type { LoadBalancerView } from '../domain/views.ts';

type Options = Readonly<Record<string, unknown>>;

/** A flavor or an availability zone with what its profile says. */
export interface Offer {
  /** What methods know it by: a flavor's id, a zone's name. */
  readonly key: { readonly id: string } | { readonly name: string };
  readonly name: string;
  readonly description: string;
  readonly enabled: boolean;
  readonly profileId: string;
  readonly data: Options;
}

/** What differs between the two. */
export interface OfferKind {
  readonly word: 'flavor' | 'availability zone';
  readonly capabilities: readonly Capability[];
  readonly list: (client: CommandClient) => Promise<readonly Offer[]>;
  readonly createProfile: (client: CommandClient, name: string, data: string) => Promise<string>;
  readonly deleteProfile: (client: CommandClient, id: string) => Promise<unknown>;
  readonly create: (client: CommandClient, own: Options, profileId: string) => Promise<unknown>;
  readonly change: (client: CommandClient, key: Offer['key'], enabled: boolean) => Promise<unknown>;
  readonly remove: (client: CommandClient, key: Offer['key']) => Promise<unknown>;
  readonly isOf: (view: LoadBalancerView, offer: Offer) => boolean;
}

/** The service's own provider. */
const providerName = 'amphora';

export const flavors: OfferKind = {
  word: 'flavor',
  capabilities: allCapabilities.flavorProfile,
  list: async (client) => {
    const profiles = (await client.call('flavorProfile.list')).items;
    return (await client.call('flavor.list')).items.map(({ id, name, description, enabled, flavorProfileId }) => {
      const said = profiles.find((profile) => profile.id === flavorProfileId)?.flavorData;
      return { key: { id }, name, description, enabled, profileId: flavorProfileId, data: dataIn(said) };
    });
  },
  createProfile: async (client, name, flavorData) => {
    const { flavorProfile } = await client.call('flavorProfile.create', { name, providerName, flavorData });
    return flavorProfile?.id ?? '';
  },
  deleteProfile: (client, id) => client.call('flavorProfile.delete', { id }),
  create: (client, own, flavorProfileId) => client.call('flavor.create', { ...own, flavorProfileId }),
  change: (client, key, enabled) => client.call('flavor.update', { ...key, enabled }),
  remove: (client, key) => client.call('flavor.delete', { ...key }),
  isOf: ({ flavorId }, { key }) => 'id' in key && flavorId === key.id,
};

export const availabilityZones: OfferKind = {
  word: 'availability zone',
  capabilities: allCapabilities.availabilityZoneProfile,
  list: async (client) => {
    const profiles = (await client.call('availabilityZoneProfile.list')).items;
    const zones = (await client.call('availabilityZone.list')).items;
    return zones.map(({ name, description, enabled, availabilityZoneProfileId: profileId }) => {
      const said = profiles.find((profile) => profile.id === profileId)?.availabilityZoneData;
      return { key: { name }, name, description, enabled, profileId, data: dataIn(said) };
    });
  },
  createProfile: async (client, name, availabilityZoneData) => {
    const params = { name, providerName, availabilityZoneData };
    const { availabilityZoneProfile } = await client.call('availabilityZoneProfile.create', params);
    return availabilityZoneProfile?.id ?? '';
  },
  deleteProfile: (client, id) => client.call('availabilityZoneProfile.delete', { id }),
  create: (client, own, availabilityZoneProfileId) =>
    client.call('availabilityZone.create', { ...own, availabilityZoneProfileId }),
  change: (client, key, enabled) => client.call('availabilityZone.update', { ...key, enabled }),
  remove: (client, key) => client.call('availabilityZone.delete', { ...key }),
  isOf: ({ availabilityZone }, { name }) => availabilityZone === name,
};

/** What a profile says was checked when it was made. */
function dataIn(json = '{}'): Options {
  return JSON.parse(json) as Options;
}
