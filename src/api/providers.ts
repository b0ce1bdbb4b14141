// Providers: there is one, under Octavia's names for it.
import { capabilities, type Offers, providers as names } from '../domain/catalogue.ts';
import { printable } from './bodies.ts';
import { ApiError } from './errors.ts';
import { fieldsIn, onlyFields } from './query.ts';
import type { Route } from './request.ts';

const [usual, ...aliases] = names;
const providers = [
  { name: usual, description: 'Amphitheatre: haproxy in amphorae that supervised actors keep.' },
  ...aliases.map((name) => ({ name, description: `Another name of the provider ${usual}.` })),
];

export function providerRoutes(offers: Offers): readonly Route[] {
  const capabilitiesOf = (kind: string, profile: Parameters<typeof capabilities>[0]): Route => ({
    method: 'GET',
    path: `/v2/lbaas/providers/:provider/${kind}`,
    access: 'admin',
    summary: 'What profiles of flavors or availability zones can say.',
    handle: async ({ params: { provider = '' }, query }) => {
      if (!providers.some(({ name }) => name === provider)) {
        throw new ApiError(400, `Provider '${printable(provider)}' is not enabled.`);
      }
      const known = capabilities(profile, offers).map(({ name, description }) => ({ name, description }));
      return { status: 200, body: { [kind]: known.map((one) => onlyFields(one, fieldsIn(query))) } };
    },
  });
  return [
    {
      method: 'GET',
      path: '/v2/lbaas/providers',
      access: 'read',
      summary: 'Lists providers.',
      handle: async ({ query }) => {
        return { status: 200, body: { providers: providers.map((one) => onlyFields(one, fieldsIn(query))) } };
      },
    },
    capabilitiesOf('flavor_capabilities', 'flavorProfile'),
    capabilitiesOf('availability_zone_capabilities', 'availabilityZoneProfile'),
  ];
}
