// What load balancers have besides: statuses, statistics, failover; and members of a pool in one request.
import { kindNames } from '../domain/load-balancer/rules.ts';
import { membersFrom } from './bodies.ts';
import { notFound } from './errors.ts';
import { apiName, renamed } from './names.ts';
import { isTrue, Objects, type ObjectOptions } from './objects.ts';
import type { ApiPorts } from './ports.ts';
import { type ApiRequest, change, type Route } from './request.ts';
import { resources } from './resources.ts';

const base = '/v2/lbaas/loadbalancers/:id';

export function loadBalancerRoutes(ports: ApiPorts, options: ObjectOptions): readonly Route[] {
  const objects = new Objects(ports, options);
  const statuses = async (request: ApiRequest) => {
    const { id = '' } = request.params;
    await objects.visible('loadBalancer', id, request, 'read');
    const tree = await ports.reads.statusTree(id);
    if (tree === undefined) throw notFound(kindNames.loadBalancer, id);
    // As in Octavia, pools that no listener leads to are not told of here.
    const { pools: _, ...told } = tree;
    return { status: 200, body: { statuses: { loadbalancer: statusAnswer(told) } } };
  };
  const stats = (kind: 'loadBalancer' | 'listener') => async (request: ApiRequest) => {
    const { id = '' } = request.params;
    await objects.visible(kind, id, request, 'read');
    return { status: 200, body: { stats: renamed(await ports.reads.statisticsOf(kind, id), apiName) } };
  };
  const summary = 'Statuses of a load balancer and of all that its listeners lead to.';
  return [
    { method: 'GET', path: `${base}/status`, access: 'read', summary, handle: statuses },
    { method: 'GET', path: `${base}/statuses`, access: 'read', summary, handle: statuses },
    {
      method: 'GET',
      path: `${base}/stats`,
      access: 'read',
      summary: 'Statistics, as of some seconds ago.',
      handle: stats('loadBalancer'),
    },
    {
      method: 'GET',
      path: '/v2/lbaas/listeners/:id/stats',
      access: 'read',
      summary: 'Statistics, as of some seconds ago.',
      handle: stats('listener'),
    },
    {
      method: 'PUT',
      path: `${base}/failover`,
      access: 'admin',
      summary: 'Replaces all amphorae of a load balancer.',
      handle: async (request) => {
        const { id = '' } = request.params;
        const resource = resources.find(({ kind }) => kind === 'loadBalancer');
        if (resource !== undefined) await objects.changeable(resource, id, request, 'failover');
        await change(ports, 'loadBalancer.failover', { id }, request);
        return { status: 202 };
      },
    },
    {
      method: 'PUT',
      path: '/v2/lbaas/pools/:parent/members',
      access: 'write',
      summary: 'Makes the members of a pool those given, known by address and port.',
      handle: async (request) => {
        const { parent: poolId = '' } = request.params;
        const members = membersFrom(request.body);
        const additiveOnly = isTrue(request.query, 'additive_only');
        const place = await objects.visible('pool', poolId, request, 'write');
        objects.refuseWhenBusy('member', place);
        await change(ports, 'member.replace', { poolId, members, additiveOnly }, request);
        return { status: 202 };
      },
    },
  ];
}

type Tree = Readonly<Record<string, unknown>>;

/** Names of the API throughout. `healthmonitor` is what clients from Neutron's time look for. */
function statusAnswer(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(statusAnswer);
  if (typeof value !== 'object' || value === null) return value;
  const answer: Record<string, unknown> = {};
  for (const [name, inner] of Object.entries(value as Tree)) {
    answer[apiName(name)] = statusAnswer(inner);
    if (name === 'healthMonitor') answer['health_monitor'] = answer['healthmonitor'];
  }
  return answer;
}
