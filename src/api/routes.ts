// Everything that is served, on one page.
import { amphoraRoutes } from './amphorae.ts';
import { catalogueRoutes } from './catalogue.ts';
import { loadBalancerRoutes } from './load-balancers.ts';
import { networkingRoutes } from './networking.ts';
import { openApiOf } from './openapi.ts';
import { type ObjectOptions, objectRoutes } from './objects.ts';
import type { ApiPorts } from './ports.ts';
import { providerRoutes } from './providers.ts';
import { quotaRoutes } from './quotas.ts';
import type { ApiRequest, Route } from './request.ts';
import { resources } from './resources.ts';
import { versionsOf } from './versions.ts';

export interface RouteOptions extends ObjectOptions {
  /** With the networking calls that clients make on the same endpoint. */
  readonly withNetworking: boolean;
  /** Of the program. */
  readonly version: string;
}

export function allRoutes(ports: ApiPorts, options: RouteOptions): readonly Route[] {
  const routes = [
    ...discoveryRoutes(),
    ...resources.flatMap((resource) => objectRoutes(resource, ports, options)),
    ...loadBalancerRoutes(ports, options),
    ...amphoraRoutes(ports, options),
    ...catalogueRoutes(ports, options),
    ...providerRoutes(ports.offers),
    ...quotaRoutes(ports, options),
    ...(options.withNetworking ? networkingRoutes(ports) : []),
  ];
  return [...routes, openApiRoute(routes, ports, options)];
}

function openApiRoute(routes: readonly Route[], { reads }: ApiPorts, { version }: RouteOptions): Route {
  const document = openApiOf(routes, (kind) => reads.queryableColumns(kind), version);
  return {
    method: 'GET',
    path: '/openapi.json',
    access: undefined,
    summary: 'This description.',
    handle: async () => ({ status: 200, body: document }),
  };
}

function discoveryRoutes(): readonly Route[] {
  const open = { method: 'GET', access: undefined } as const;
  const versions = async ({ base, path }: ApiRequest) => {
    const prefix = path.startsWith('/load-balancer') ? '/load-balancer' : '';
    return { status: 200, body: versionsOf(base + prefix) };
  };
  return [
    { ...open, path: '/', summary: 'Versions of the API.', handle: versions },
    { ...open, path: '/v2', summary: 'The version of the API.', handle: async () => ({ status: 200, body: 'v2' }) },
    {
      ...open,
      path: '/healthcheck',
      summary: 'Whether this process answers.',
      handle: async () => ({ status: 200, body: { status: 'ok' } }),
    },
  ];
}
