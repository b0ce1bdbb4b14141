// What operators may switch off for users: Octavia's settings `allow_…`, each a row here, refused in its words. They are for
// those who come by the REST API; the command channel is the operators' own.
import type { HealthMonitorAttributes, ListenerAttributes } from '../../domain/load-balancer/attributes.ts';
import { terminatesTls } from '../../domain/load-balancer/tls.ts';
import { RpcError } from '../rpc/errors.ts';
import { inside, type NewTree } from './tree-of.ts';

/** How a request says where the VIP shall be. */
export type VipIds = Readonly<Record<'vipPortId' | 'vipNetworkId' | 'vipSubnetId', string | null>>;

/** What is about to be made. */
interface Asked {
  readonly vip?: VipIds;
  readonly listener?: ListenerAttributes;
  readonly healthMonitor?: HealthMonitorAttributes;
}

interface Switch {
  readonly field: string;
  /** Why it cannot be made when this is off; undefined when it can. */
  readonly refusal: (asked: Asked) => string | undefined;
}

const switches = {
  allowVipPortId: { field: 'vipPortId', refusal: ({ vip }) => disallowed('vip_port_id', vip?.vipPortId) },
  allowVipNetworkId: { field: 'vipNetworkId', refusal: ({ vip }) => disallowed('vip_network_id', vip?.vipNetworkId) },
  allowVipSubnetId: { field: 'vipSubnetId', refusal: ({ vip }) => disallowed('vip_subnet_id', vip?.vipSubnetId) },
  allowTlsTerminatedListeners: {
    field: 'protocol',
    refusal: ({ listener }) => {
      if (listener === undefined || !terminatesTls(listener)) return undefined;
      const { protocol } = listener;
      return notAllowed('protocol', protocol === 'PROMETHEUS' ? `${protocol} with TLS` : protocol);
    },
  },
  allowPrometheusListeners: {
    field: 'protocol',
    refusal: ({ listener }) => {
      return listener?.protocol === 'PROMETHEUS' ? notAllowed('protocol', listener.protocol) : undefined;
    },
  },
  allowPingHealthMonitors: {
    field: 'type',
    refusal: ({ healthMonitor }) => {
      return healthMonitor?.type === 'PING' ? notAllowed('type', healthMonitor.type) : undefined;
    },
  },
} as const satisfies Readonly<Record<string, Switch>>;

/** By the name of the setting. */
export type Allowances = Readonly<Record<keyof typeof switches, boolean>>;

function disallowed(attribute: string, given: string | null | undefined): string | undefined {
  if (given === null || given === undefined) return undefined;
  return `Validation failure: use of ${attribute} is disallowed by this deployment's configuration.`;
}

function notAllowed(attribute: string, value: string): string {
  return `The selected ${attribute} is not allowed in this deployment: ${value}`;
}

/**
 * @param allowed undefined: everything
 * @param place of what is about to be made in the request; empty for the request itself
 * @throws RpcError `invalid` for what is switched off
 */
export function refuseSwitchedOff(allowed: Allowances | undefined, asked: Asked, place = ''): void {
  for (const [setting, { field, refusal }] of Object.entries(switches) as [keyof Allowances, Switch][]) {
    const message = allowed?.[setting] === false ? refusal(asked) : undefined;
    if (message !== undefined) throw new RpcError('invalid', message, { field: inside(place, field) });
  }
}

/** @throws RpcError when a request does not say where the VIP shall be; it names what is allowed */
export function refuseUnplaced(allowed: Allowances | undefined, vip: VipIds): void {
  if ([vip.vipPortId, vip.vipNetworkId, vip.vipSubnetId].some((id) => id !== null)) return;
  const names = [
    allowed?.allowVipPortId !== false && 'vip_port_id',
    allowed?.allowVipNetworkId !== false && 'vip_network_id',
    allowed?.allowVipSubnetId !== false && 'vip_subnet_id',
  ].filter((name) => name !== false);
  const message = `Validation failure: VIP must contain one of: ${names.join(', ')}.`;
  throw new RpcError('invalid', message, { field: 'vipSubnetId' });
}

/** `refuseSwitchedOff` for all that a request makes. */
export function refuseSwitchedOffIn(allowed: Allowances | undefined, { listeners, pools, fields }: NewTree): void {
  for (const { id, attributes } of listeners) refuseSwitchedOff(allowed, { listener: attributes }, fields.get(id));
  for (const { id, healthMonitor } of pools) {
    if (healthMonitor === null) continue;
    refuseSwitchedOff(
      allowed,
      { healthMonitor: healthMonitor.attributes },
      inside(fields.get(id) ?? '', 'healthMonitor'),
    );
  }
}
