// Methods for what administrators offer: flavors, availability zones and their profiles.
import type { AvailabilityZone, AvailabilityZoneProfile, Flavor, FlavorProfile } from '../../domain/catalogue.ts';
import { providers } from '../../domain/catalogue.ts';
import { changes, reads, result } from '../rpc/method.ts';
import { maybe, needed } from '../rpc/parameters.ts';
import { flag, objectId, oneOf, text } from '../rpc/values.ts';
import { change, creation, fixed, optional, required, shape } from './attributes.ts';
import type { Deleted } from './object-methods.ts';

/** Characters of JSON that a profile may have. */
const mostData = 4_096;

const name = required(text({ min: 1, max: 255 }), 'Its name.');
const description = optional(text({ max: 255 }), '', 'A description for people.');
const enabled = optional(flag(), true, 'Whether load balancers may be created with it.');
const providerName = required(oneOf(providers), 'Provider that it is for.');

export const flavorProfileShape = shape<Omit<FlavorProfile, 'id'>>({
  name,
  providerName,
  flavorData: required(text({ min: 1, max: mostData }), 'JSON object with capabilities of the provider.'),
});
export const flavorShape = shape<Omit<Flavor, 'id'>>({
  name,
  description,
  enabled,
  flavorProfileId: fixed(required(objectId<string>(), 'Profile that says what it means.')),
});
export const availabilityZoneProfileShape = shape<Omit<AvailabilityZoneProfile, 'id'>>({
  name,
  providerName,
  availabilityZoneData: required(text({ min: 1, max: mostData }), 'JSON object with capabilities of the provider.'),
});
export const availabilityZoneShape = shape<AvailabilityZone>({
  name: fixed(name),
  description,
  enabled,
  availabilityZoneProfileId: fixed(required(objectId<string>(), 'Profile that says what it means.')),
});

const id = needed(objectId<string>(), 'Its id.');
const key = needed(text({ min: 1, max: 255 }), 'Its name.');
/** An update that names the object. */
const zoneChange = (({ name: _, ...rest }) => rest)(change<AvailabilityZone>(availabilityZoneShape));

export const catalogueMethods = {
  'flavorProfile.create': changes({
    summary: 'Makes a profile that flavors refer to.',
    params: creation<Omit<FlavorProfile, 'id'>>(flavorProfileShape),
    result: result<{ readonly flavorProfile: FlavorProfile | null }>('`flavorProfile`: FlavorProfile.'),
    errors: ['conflict'],
  }),
  'flavorProfile.update': changes({
    summary: 'Changes a profile; its provider and its data only while no flavor refers to it.',
    params: { id, ...change<Omit<FlavorProfile, 'id'>>(flavorProfileShape) },
    result: result<{ readonly flavorProfile: FlavorProfile | null }>('`flavorProfile`: FlavorProfile.'),
    errors: ['notFound', 'conflict'],
  }),
  'flavorProfile.delete': changes({
    summary: 'Deletes a profile that no flavor refers to.',
    params: { id },
    result: result<Deleted>('`id` of the profile.'),
    errors: ['notFound', 'conflict'],
  }),
  'flavorProfile.show': reads({
    summary: 'A profile of flavors.',
    params: { id },
    result: result<FlavorProfile>('FlavorProfile.'),
    errors: ['notFound'],
  }),
  'flavorProfile.list': reads({
    summary: 'Profiles of flavors.',
    params: {},
    result: result<{ readonly items: readonly FlavorProfile[] }>('`items`: list of FlavorProfile, oldest first.'),
  }),
  'flavor.create': changes({
    summary: 'Makes a flavor. Names are unique.',
    params: creation<Omit<Flavor, 'id'>>(flavorShape),
    result: result<{ readonly flavor: Flavor | null }>('`flavor`: Flavor.'),
    errors: ['notFound', 'conflict'],
  }),
  'flavor.update': changes({
    summary: 'Changes a flavor. Load balancers that have it keep it.',
    params: { id, ...change<Omit<Flavor, 'id'>>(flavorShape) },
    result: result<{ readonly flavor: Flavor | null }>('`flavor`: Flavor.'),
    errors: ['notFound', 'conflict'],
  }),
  'flavor.delete': changes({
    summary: 'Deletes a flavor that no load balancer has.',
    params: { id },
    result: result<Deleted>('`id` of the flavor.'),
    errors: ['notFound', 'conflict'],
  }),
  'flavor.show': reads({
    summary: 'A flavor.',
    params: { id },
    result: result<Flavor>('Flavor.'),
    errors: ['notFound'],
  }),
  'flavor.list': reads({
    summary: 'Flavors.',
    params: { enabled: maybe(flag(), 'Only those that are enabled, or are not.') },
    result: result<{ readonly items: readonly Flavor[] }>('`items`: list of Flavor, oldest first.'),
  }),
  'availabilityZoneProfile.create': changes({
    summary: 'Makes a profile that availability zones refer to.',
    params: creation<Omit<AvailabilityZoneProfile, 'id'>>(availabilityZoneProfileShape),
    result: result<{ readonly availabilityZoneProfile: AvailabilityZoneProfile | null }>(
      '`availabilityZoneProfile`: AvailabilityZoneProfile.',
    ),
    errors: ['conflict'],
  }),
  'availabilityZoneProfile.update': changes({
    summary: 'Changes a profile; its provider and its data only while no zone refers to it.',
    params: { id, ...change<Omit<AvailabilityZoneProfile, 'id'>>(availabilityZoneProfileShape) },
    result: result<{ readonly availabilityZoneProfile: AvailabilityZoneProfile | null }>(
      '`availabilityZoneProfile`: AvailabilityZoneProfile.',
    ),
    errors: ['notFound', 'conflict'],
  }),
  'availabilityZoneProfile.delete': changes({
    summary: 'Deletes a profile that no zone refers to.',
    params: { id },
    result: result<Deleted>('`id` of the profile.'),
    errors: ['notFound', 'conflict'],
  }),
  'availabilityZoneProfile.show': reads({
    summary: 'A profile of availability zones.',
    params: { id },
    result: result<AvailabilityZoneProfile>('AvailabilityZoneProfile.'),
    errors: ['notFound'],
  }),
  'availabilityZoneProfile.list': reads({
    summary: 'Profiles of availability zones.',
    params: {},
    result: result<{ readonly items: readonly AvailabilityZoneProfile[] }>(
      '`items`: list of AvailabilityZoneProfile, oldest first.',
    ),
  }),
  'availabilityZone.create': changes({
    summary: 'Makes an availability zone, which is known by its name.',
    params: creation<AvailabilityZone>(availabilityZoneShape),
    result: result<{ readonly availabilityZone: AvailabilityZone | null }>('`availabilityZone`: AvailabilityZone.'),
    errors: ['notFound', 'conflict'],
  }),
  'availabilityZone.update': changes({
    summary: 'Changes an availability zone. Load balancers that are in it stay.',
    params: { name: key, ...zoneChange },
    result: result<{ readonly availabilityZone: AvailabilityZone | null }>('`availabilityZone`: AvailabilityZone.'),
    errors: ['notFound'],
  }),
  'availabilityZone.delete': changes({
    summary: 'Deletes an availability zone that no load balancer is in.',
    params: { name: key },
    result: result<Deleted>('`id`: its name.'),
    errors: ['notFound', 'conflict'],
  }),
  'availabilityZone.show': reads({
    summary: 'An availability zone.',
    params: { name: key },
    result: result<AvailabilityZone>('AvailabilityZone.'),
    errors: ['notFound'],
  }),
  'availabilityZone.list': reads({
    summary: 'Availability zones.',
    params: { enabled: maybe(flag(), 'Only those that are enabled, or are not.') },
    result: result<{ readonly items: readonly AvailabilityZone[] }>('`items`: list of AvailabilityZone, oldest first.'),
  }),
} as const;
