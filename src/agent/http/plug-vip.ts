import { isIP } from 'node:net';
import type { Amphora } from '../amphora.ts';
import { type Reply, frameworkError, ok, refusal } from './reply.ts';

/** POST /1.0/plug/vip/{vip}: checks the request as OpenStack's agent does, then remembers the VIP. */
export async function plugVip(amphora: Amphora, vip: string, body: Buffer): Promise<Reply> {
  if (isIP(vip) === 0) return refusal(400, 'Invalid VIP', `'${vip}' is not an IP address`);
  const request = objectIn(body);
  if (request === undefined || !['subnet_cidr', 'gateway', 'mac_address'].every((key) => key in request)) {
    return frameworkError(400, 'Invalid subnet information');
  }
  const own = request['vrrp_ip'];
  if (own !== undefined && own !== null && (typeof own !== 'string' || isIP(own) === 0)) {
    return refusal(400, 'Invalid VRRP Address', `${JSON.stringify(own)} is not an IP address`);
  }
  const additional = additionalIn(request['additional_vips']);
  if (additional === undefined) return frameworkError(400, 'Invalid additional VIPs information');
  if (amphora.hasVip(vip)) return refusal(409, 'Interface already exists');
  const vips = [vip, ...additional];
  await amphora.plugVip(...vips, ...(typeof own === 'string' ? [own] : []));
  return ok(202, `VIPs plugged on interface lo: ${vips.join(', ')}`);
}

/** Their addresses; undefined when it is no list of them. */
function additionalIn(value: unknown): readonly string[] | undefined {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) return undefined;
  const addresses = value.map((one: unknown) => (one as { readonly ip_address?: unknown } | null)?.ip_address);
  const isAddress = (address: unknown): address is string => typeof address === 'string' && isIP(address) !== 0;
  return addresses.every(isAddress) ? addresses : undefined;
}

/** POST /1.0/plug/network: every address that this host reaches can be reached already. */
export function plugNetwork(body: Buffer): Reply {
  const request = objectIn(body);
  if (typeof request?.['mac_address'] !== 'string') return frameworkError(400, 'Invalid port information');
  return ok(202, 'Plugged on interface lo');
}

function objectIn(body: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
