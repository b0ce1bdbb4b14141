// What administrators offer: flavors and availability zones, and the profiles behind them. Pure: kinds, their attributes, and
// what a profile may say.

import type { InstanceKind } from './amphora/kind.ts';
import type { Topology } from './statuses.ts';

/** The only provider, and its other name. */
export const providers = ['amphora', 'octavia'] as const;
export type Provider = (typeof providers)[number];

export interface FlavorProfile {
  readonly id: string;
  readonly name: string;
  readonly providerName: Provider;
  /** JSON. */
  readonly flavorData: string;
}

export interface Flavor {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly enabled: boolean;
  readonly flavorProfileId: string;
}

export interface AvailabilityZoneProfile {
  readonly id: string;
  readonly name: string;
  readonly providerName: Provider;
  /** JSON. */
  readonly availabilityZoneData: string;
}

/** Known by its name. */
export interface AvailabilityZone {
  readonly name: string;
  readonly description: string;
  readonly enabled: boolean;
  readonly availabilityZoneProfileId: string;
}

export interface Catalogue {
  readonly flavorProfile: FlavorProfile;
  readonly flavor: Flavor;
  readonly availabilityZoneProfile: AvailabilityZoneProfile;
  readonly availabilityZone: AvailabilityZone;
}
export type CatalogueKind = keyof Catalogue;

/** How Octavia calls them in its messages. */
export const catalogueNames: Readonly<Record<CatalogueKind, string>> = {
  flavorProfile: 'Flavor profile',
  flavor: 'Flavor',
  availabilityZoneProfile: 'Availability zone profile',
  availabilityZone: 'Availability zone',
};

export interface Capability {
  readonly name: string;
  readonly description: string;
  /** Values that are taken: these, any text, a list of texts, or true and false. */
  readonly takes: readonly string[] | 'text' | 'texts' | 'flag';
  /** What a driver must offer; absent for what this service does itself. */
  readonly needs?: Offer;
}

/** What a profile may say, by kind: keys of Octavia's amphora provider that this one carries out. */
export const allCapabilities: Readonly<Record<'flavorProfile' | 'availabilityZoneProfile', readonly Capability[]>> = {
  flavorProfile: [
    {
      name: 'loadbalancer_topology',
      description:
        'The load balancer topology. SINGLE: one amphora, replaced when it is lost. ACTIVE_STANDBY: a pair of amphorae, of which the other takes over within seconds.',
      takes: ['SINGLE', 'ACTIVE_STANDBY'],
    },
    {
      name: 'compute_flavor',
      description: 'The flavor of the compute service that amphorae have.',
      takes: 'text',
      needs: 'computeFlavor',
    },
    {
      name: 'amp_image_tag',
      description: 'The tag of the image that amphorae are made of.',
      takes: 'text',
      needs: 'imageTag',
    },
    {
      name: 'sriov_vip',
      description: 'Whether amphorae have the VIP on a port of SR-IOV.',
      takes: 'flag',
      needs: 'sriovPorts',
    },
    {
      name: 'allow_member_sriov',
      description: 'Whether members may ask to be reached by a port of SR-IOV (request_sriov).',
      takes: 'flag',
      needs: 'sriovPorts',
    },
  ],
  availabilityZoneProfile: [
    {
      name: 'compute_zone',
      description: 'The zone of the compute service that amphorae are in.',
      takes: 'text',
      needs: 'computeZone',
    },
    {
      name: 'volume_zone',
      description: 'The zone of the volumes that amphorae boot from.',
      takes: 'text',
      needs: 'volumeZone',
    },
    {
      name: 'management_network',
      description: 'The id of the network on which amphorae are managed.',
      takes: 'text',
      needs: 'managementNetwork',
    },
    {
      name: 'valid_vip_networks',
      description: 'Ids of the networks that VIPs may be on.',
      takes: 'texts',
    },
  ],
};

/** What the compute driver offers of instances, and the network driver of ports. */
type Offer = keyof InstanceKind | 'sriovPorts';
export type Offers = readonly Offer[];

/** What profiles may say where drivers offer this. */
export function capabilities(kind: keyof typeof allCapabilities, offers: Offers): readonly Capability[] {
  return allCapabilities[kind].filter(({ needs }) => needs === undefined || offers.includes(needs));
}

/** What a flavor and an availability zone ask of a load balancer. */
export interface Wish {
  /** Undefined where it is left open. */
  readonly topology: Topology | undefined;
  readonly instances: InstanceKind;
  /** The VIP on ports of SR-IOV. */
  readonly hasSriovVip: boolean;
  /** Members may ask for such ports. */
  readonly allowsMemberSriov: boolean;
  /** Ids; undefined where VIPs may be anywhere. */
  readonly validVipNetworks: readonly string[] | undefined;
}

/** From the data of profiles, which were checked when they were made. */
export function wishOf(flavorData = '{}', availabilityZoneData = '{}'): Wish {
  const flavor = JSON.parse(flavorData) as Readonly<Record<string, unknown>>;
  const zone = JSON.parse(availabilityZoneData) as Readonly<Record<string, unknown>>;
  const text = (data: typeof zone, key: string) => (typeof data[key] === 'string' ? data[key] : null);
  return {
    topology: flavor['loadbalancer_topology'] as Topology | undefined,
    instances: {
      computeFlavor: text(flavor, 'compute_flavor'),
      imageTag: text(flavor, 'amp_image_tag'),
      computeZone: text(zone, 'compute_zone'),
      volumeZone: text(zone, 'volume_zone'),
      managementNetwork: text(zone, 'management_network'),
    },
    hasSriovVip: flavor['sriov_vip'] === true,
    allowsMemberSriov: flavor['allow_member_sriov'] === true,
    validVipNetworks: zone['valid_vip_networks'] as readonly string[] | undefined,
  };
}

/** What is wrong with a profile's data, as a sentence; undefined when it can be carried out. */
export function problemWithData(kind: keyof typeof allCapabilities, given: string, offers: Offers): string | undefined {
  let data: unknown;
  try {
    data = JSON.parse(given);
  } catch {
    return 'expected a JSON object, given something else';
  }
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return 'expected a JSON object';
  for (const [key, value] of Object.entries(data)) {
    const capability = allCapabilities[kind].find(({ name }) => name === key);
    if (capability === undefined) return `the provider does not know ${JSON.stringify(key)}`;
    const { needs, takes } = capability;
    if (needs !== undefined && !offers.includes(needs)) {
      return `the ${needs === 'sriovPorts' ? 'network' : 'compute'} driver does not know ${key}`;
    }
    if (!isTaken(value, takes)) return `${key}: expected ${expected(takes)}, given ${JSON.stringify(value)}`;
  }
  return undefined;
}

function isTaken(value: unknown, takes: Capability['takes']): boolean {
  if (takes === 'flag') return typeof value === 'boolean';
  if (takes === 'texts') return Array.isArray(value) && value.length > 0 && value.every((one) => isTaken(one, 'text'));
  if (takes === 'text') return typeof value === 'string' && value !== '' && value.length <= 255;
  return takes.includes(value as string);
}

function expected(takes: Capability['takes']): string {
  if (takes === 'flag') return 'true or false';
  if (takes === 'texts') return 'a list of texts of 1 to 255 characters';
  return takes === 'text' ? 'a text of 1 to 255 characters' : takes.join(' or ');
}
