// What administrators offer: flavors and availability zones, and the profiles behind them. Pure: kinds, their attributes, and
// what a profile may say.

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
  /** Values that are taken. */
  readonly values: readonly string[];
}

/** What a profile may say, by kind: keys of Octavia's amphora provider that this one carries out. */
export const capabilities: Readonly<Record<'flavorProfile' | 'availabilityZoneProfile', readonly Capability[]>> = {
  flavorProfile: [
    {
      name: 'loadbalancer_topology',
      description:
        'The load balancer topology. SINGLE: one amphora, replaced when it is lost. ACTIVE_STANDBY: a pair of amphorae, of which the other takes over within seconds.',
      values: ['SINGLE', 'ACTIVE_STANDBY'],
    },
  ],
  availabilityZoneProfile: [],
};

/** What a flavor asks of a load balancer. */
export interface FlavorWish {
  /** Undefined where the flavor leaves it open. */
  readonly topology: Topology | undefined;
}

/** Of a profile's data that was checked when it was made. */
export function flavorOf(flavorData: string): FlavorWish {
  const data = JSON.parse(flavorData) as { readonly loadbalancer_topology?: Topology };
  return { topology: data.loadbalancer_topology };
}

/** What is wrong with a profile's data, as a sentence; undefined when it can be carried out. */
export function problemWithData(kind: keyof typeof capabilities, text: string): string | undefined {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    return 'expected a JSON object, given something else';
  }
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return 'expected a JSON object';
  for (const [key, value] of Object.entries(data)) {
    const capability = capabilities[kind].find(({ name }) => name === key);
    if (capability === undefined) return `the provider does not know ${JSON.stringify(key)}`;
    if (!capability.values.includes(value as string)) {
      return `${key}: expected ${capability.values.join(' or ')}, given ${JSON.stringify(value)}`;
    }
  }
  return undefined;
}
