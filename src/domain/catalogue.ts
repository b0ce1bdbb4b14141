// What administrators offer: flavors and availability zones, and the profiles behind them. Pure: kinds, their attributes, and
// what a profile may say.

import { type AntiAffinity, antiAffinities, type InstanceKind } from './amphora/kind.ts';
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
  flavorProfile: 'Flavor Profile',
  flavor: 'Flavor',
  availabilityZoneProfile: 'Availability Zone Profile',
  availabilityZone: 'Availability Zone',
};

export interface Capability {
  readonly name: string;
  readonly description: string;
  /** Values that are taken: these, any text, a list of texts, true and false, or a whole number from 1. */
  readonly takes: readonly string[] | 'text' | 'texts' | 'flag' | 'count';
  /** What a driver must offer; absent for what this service does itself. */
  readonly needs?: Offer;
}

/** What the compute driver offers, of instances and of amphorae that several load balancers may share, and the network driver of ports. */
export type Offer = keyof InstanceKind | 'sharedAmphorae' | 'antiAffinity' | 'sriovPorts';

/** More than that are no saving any more, and too many that fail over at once. */
const mostPerAmphora = 100;

/** What a profile may say, by kind: keys of Octavia's amphora provider that this one carries out, described in its words, and some of our own. */
export const allCapabilities: Readonly<Record<'flavorProfile' | 'availabilityZoneProfile', readonly Capability[]>> = {
  flavorProfile: [
    {
      name: 'loadbalancer_topology',
      description:
        'The load balancer topology. One of: SINGLE - One amphora per load balancer. ACTIVE_STANDBY - Two amphora per load balancer.',
      takes: ['SINGLE', 'ACTIVE_STANDBY'],
    },
    {
      name: 'compute_flavor',
      description: 'The compute driver flavor ID.',
      takes: 'text',
      needs: 'computeFlavor',
    },
    {
      name: 'amp_image_tag',
      description: 'The amphora image tag.',
      takes: 'text',
      needs: 'imageTag',
    },
    {
      name: 'anti_affinity',
      description:
        'Whether the two amphorae of a pair are on different machines. off: as it comes. soft: where there are enough. hard: always.',
      takes: antiAffinities,
      needs: 'antiAffinity',
    },
    {
      name: 'sriov_vip',
      description: 'When true, the VIP port will be created using an SR-IOV VF port.',
      takes: 'flag',
      needs: 'sriovPorts',
    },
    {
      name: 'allow_member_sriov',
      description: 'When true, users can request a member port be SR-IOV enabled at member creation time.',
      takes: 'flag',
      needs: 'sriovPorts',
    },
    {
      name: 'loadbalancers_per_amphora',
      description: `How many load balancers of a project may share an amphora, 1 to ${mostPerAmphora}; 1 unless given. With the topology SINGLE only.`,
      takes: 'count',
      needs: 'sharedAmphorae',
    },
  ],
  availabilityZoneProfile: [
    {
      name: 'compute_zone',
      description: 'The compute availability zone.',
      takes: 'text',
      needs: 'computeZone',
    },
    {
      name: 'volume_zone',
      description: 'The volume availability zone.',
      takes: 'text',
      needs: 'volumeZone',
    },
    {
      name: 'management_network',
      description: 'The management network ID for the amphora.',
      takes: 'text',
      needs: 'managementNetwork',
    },
    {
      name: 'valid_vip_networks',
      description: 'List of network IDs that are allowed for VIP use.',
      takes: 'texts',
    },
  ],
};

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
  /** How many load balancers may be on one amphora. */
  readonly perAmphora: number;
  /** Undefined where it is left open. */
  readonly antiAffinity: AntiAffinity | undefined;
  /** Ids; undefined where VIPs may be anywhere. */
  readonly validVipNetworks: readonly string[] | undefined;
}

/** From the data of profiles, which were checked when they were made. */
export function wishOf(flavorData = '{}', availabilityZoneData = '{}'): Wish {
  const flavor = JSON.parse(flavorData) as Readonly<Record<string, unknown>>;
  const zone = JSON.parse(availabilityZoneData) as Readonly<Record<string, unknown>>;
  const text = (data: typeof zone, key: string) => (typeof data[key] === 'string' ? data[key] : null);
  const perAmphora = perAmphoraIn(flavor);
  return {
    topology: perAmphora > 1 ? 'SINGLE' : (flavor['loadbalancer_topology'] as Topology | undefined),
    perAmphora,
    antiAffinity: flavor['anti_affinity'] as AntiAffinity | undefined,
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

function perAmphoraIn(flavorData: Readonly<Record<string, unknown>>): number {
  const { loadbalancers_per_amphora: given } = flavorData;
  return typeof given === 'number' ? given : 1;
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
  const said = data as Readonly<Record<string, unknown>>;
  if (perAmphoraIn(said) > 1 && said['loadbalancer_topology'] === 'ACTIVE_STANDBY') {
    return 'loadbalancers_per_amphora: expected 1 with the loadbalancer_topology ACTIVE_STANDBY, which shares no amphorae';
  }
  return undefined;
}

function isTaken(value: unknown, takes: Capability['takes']): boolean {
  if (takes === 'flag') return typeof value === 'boolean';
  if (takes === 'count') return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= mostPerAmphora;
  if (takes === 'texts') return Array.isArray(value) && value.length > 0 && value.every((one) => isTaken(one, 'text'));
  if (takes === 'text') return typeof value === 'string' && value !== '' && value.length <= 255;
  return takes.includes(value as string);
}

function expected(takes: Capability['takes']): string {
  if (takes === 'flag') return 'true or false';
  if (takes === 'count') return `a whole number from 1 to ${mostPerAmphora}`;
  if (takes === 'texts') return 'a list of texts of 1 to 255 characters';
  return takes === 'text' ? 'a text of 1 to 255 characters' : takes.join(' or ');
}
