// The few networking calls that OpenStack's clients make on the same endpoint when they look up names of subnets and
// networks. Only for `auth: none`: in a cloud there is a networking service for them. Read-only.
import { ApiError } from './errors.ts';
import type { ApiPorts } from './ports.ts';
import type { ApiRequest, Route } from './request.ts';

type Item = Readonly<Record<string, unknown>> & { readonly id: string };

export function networkingRoutes({ network }: ApiPorts): readonly Route[] {
  const subnets = async ({ signal }: ApiRequest): Promise<readonly Item[]> =>
    (await network.subnets(signal)).map(({ id, name, networkId, cidr, gateway }) => ({
      id,
      name,
      network_id: networkId,
      cidr,
      gateway_ip: gateway,
      ip_version: cidr.includes(':') ? 6 : 4,
      enable_dhcp: false,
    }));
  const networks = async (request: ApiRequest): Promise<readonly Item[]> => {
    const all = await subnets(request);
    const ids = [...new Set(all.map((subnet) => String(subnet['network_id'])))];
    return ids.map((id) => {
      const own = all.filter((subnet) => subnet['network_id'] === id);
      return { id, name: own[0]?.['name'] ?? '', status: 'ACTIVE', subnets: own.map((subnet) => subnet.id) };
    });
  };
  const none = async (): Promise<readonly Item[]> => [];
  return [
    ...collection('subnets', 'subnet', subnets),
    ...collection('networks', 'network', networks),
    ...collection('ports', 'port', none),
    ...collection('qos/policies', 'policy', none),
    ...collection('security-groups', 'security_group', none),
  ];
}

function collection(
  path: string,
  singular: string,
  read: (request: ApiRequest) => Promise<readonly Item[]>,
): readonly Route[] {
  const plural = singular === 'policy' ? 'policies' : `${singular}s`;
  const summary = 'For name look-ups of clients; read-only.';
  return [
    {
      method: 'GET',
      path: `/v2/${path}`,
      access: 'read',
      summary,
      handle: async (request) => {
        const wanted = [...request.query].filter(([name]) => name === 'id' || name === 'name');
        const items = await read(request);
        const isWanted = (item: Item) => wanted.every(([name, value]) => item[name] === value);
        return { status: 200, body: { [plural]: items.filter(isWanted) } };
      },
    },
    {
      method: 'GET',
      path: `/v2/${path}/:id`,
      access: 'read',
      summary,
      handle: async (request) => {
        const { id } = request.params;
        const item = (await read(request)).find((candidate) => candidate.id === id);
        if (item === undefined) throw new ApiError(404, `${singular} ${id} not found.`);
        return { status: 200, body: { [singular]: item } };
      },
    },
  ];
}
