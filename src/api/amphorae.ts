// Amphorae, for administrators.
import { isUuid } from '../domain/ids.ts';
import type { Listed } from '../domain/object-query.ts';
import { vrrpId, vrrpPriority } from '../domain/vrrp/keepalived.ts';
import { withoutZone } from './answers.ts';
import { apiName, renamed } from './names.ts';
import { ApiError, notFound } from './errors.ts';
import { byId, type ObjectOptions, Objects } from './objects.ts';
import type { ApiPorts } from './ports.ts';
import { fieldsIn, invalidPage, listRequest, onlyFields, pageLinks } from './query.ts';
import { type ApiRequest, change, type Route } from './request.ts';

const base = '/v2/octavia/amphorae';

/** Octavia's names of what tables call otherwise. */
const columnNames: Readonly<Record<string, string>> = {
  lb_network_ip: 'agent_host',
  ha_ip: 'vip_address',
  ha_port_id: 'vip_port_id',
  vrrp_ip: 'vrrp_address',
  cert_expiration: 'certificate_expires_at',
  cert_busy: 'certificate_busy',
};

export function amphoraRoutes(ports: ApiPorts, options: ObjectOptions): readonly Route[] {
  const { mostPerPage } = options;
  const objects = new Objects(ports, options);
  const amphoraOf = async (id: string) => {
    const [view] = isUuid(id) ? await ports.reads.queryObjects('amphora', byId(id)) : [];
    return view;
  };
  const found = async ({ params: { id = '' } }: ApiRequest) => {
    const view = await amphoraOf(id);
    if (view === undefined) throw notFound('Amphora', id);
    return view;
  };
  return [
    {
      method: 'GET',
      path: base,
      access: 'admin',
      summary: 'Lists amphorae, spares included.',
      handle: async ({ query: params, base: origin, path }) => {
        const columns = new Set(ports.reads.queryableColumns('amphora'));
        const asked = listRequest({ columns, columnNames, params, scope: null, mostPerPage });
        const { marker } = asked;
        if (marker !== null && (await amphoraOf(marker)) === undefined) throw invalidPage('pagination marker', marker);
        const views = await ports.reads.queryObjects('amphora', asked.query);
        const links = pageLinks(
          origin + path,
          params,
          asked,
          views.map(({ id }) => id),
        );
        const amphorae = views.map((view) => onlyFields(answerOfAmphora(view), asked.fields));
        return { status: 200, body: { amphorae, amphorae_links: links } };
      },
    },
    {
      method: 'GET',
      path: `${base}/:id`,
      access: 'admin',
      summary: 'Shows an amphora.',
      handle: async (request) => {
        const answer = answerOfAmphora(await found(request));
        return { status: 200, body: { amphora: onlyFields(answer, fieldsIn(request.query)) } };
      },
    },
    {
      method: 'GET',
      path: `${base}/:id/stats`,
      access: 'admin',
      summary: 'Statistics of an amphora, one entry for each listener, as of some seconds ago.',
      handle: async (request) => {
        const { id } = await found(request);
        const entries = await ports.reads.amphoraStatistics(id);
        const stats = entries.map((entry) => ({ ...(renamed(entry, apiName) as object), id }));
        return { status: 200, body: { amphora_stats: stats } };
      },
    },
    {
      method: 'PUT',
      path: `${base}/:id/failover`,
      access: 'admin',
      summary: 'Replaces an amphora of a load balancer.',
      handle: async (request) => {
        const { id, loadBalancerId, otherLoadBalancerIds } = await found(request);
        // All that share it move.
        for (const one of loadBalancerId === null ? [] : [loadBalancerId, ...otherLoadBalancerIds]) {
          const place = await ports.reads.placeOf('loadBalancer', one);
          if (place !== undefined) objects.refuseWhenBusy('amphora', place);
        }
        await change(ports, 'amphora.failover', { id }, request);
        return { status: 202 };
      },
    },
    {
      method: 'PUT',
      path: `${base}/:id/config`,
      access: 'admin',
      summary: 'Gives the agent of an amphora its configuration again.',
      handle: async (request) => {
        const { id } = await found(request);
        await change(ports, 'amphora.configure', { id }, request);
        return { status: 202 };
      },
    },
    {
      method: 'DELETE',
      path: `${base}/:id`,
      access: 'admin',
      summary: 'Takes note that an amphora in ERROR is to go: it is being removed already.',
      handle: async (request) => {
        const { id, status } = await found(request);
        // ERROR means that its removal fails. It is tried again and again, so there is nothing to begin.
        if (status === 'ERROR') return { status: 204 };
        throw new ApiError(409, `Invalid state ${status} of amphora resource ${id}`);
      },
    },
  ];
}

/** In Octavia's fields. What amphorae of this service do not have is null. */
function answerOfAmphora(view: Listed<'amphora'>): Readonly<Record<string, unknown>> {
  const isServing = view.loadBalancerId !== null;
  return {
    id: view.id,
    loadbalancer_id: view.loadBalancerId,
    compute_id: view.computeId,
    lb_network_ip: view.agentHost,
    vrrp_ip: view.vrrpAddress,
    ha_ip: isServing ? view.vipAddress : null,
    vrrp_port_id: view.vrrpPortId,
    ha_port_id: isServing ? view.vipPortId : null,
    cert_expiration: view.certificateExpiresAt === null ? null : withoutZone(view.certificateExpiresAt),
    cert_busy: view.certificateBusy,
    role: view.role,
    status: view.status,
    vrrp_interface: null,
    vrrp_id: vrrpPriority(view.role) === null ? null : vrrpId,
    vrrp_priority: vrrpPriority(view.role),
    cached_zone: view.cachedZone,
    created_at: withoutZone(view.createdAt),
    updated_at: withoutZone(view.updatedAt),
    image_id: view.imageId,
    compute_flavor: view.computeFlavor,
  };
}
