// Renders what keepalived of one amphora of a pair reads: VRRP by unicast between the two, version 2 with a password, in the
// shape that OpenStack's amphora agent and its images expect. The VIP is on whichever of the two is MASTER.
import { createHmac } from 'node:crypto';
import type { LoadBalancerId } from '../ids.ts';
import type { AmphoraRole } from '../statuses.ts';

/** Octavia's, for every pair: the two hear only each other. */
export const vrrpId = 1;

/** The one with more takes the VIP first; who has it keeps it. Null for an amphora that stands alone. */
export function vrrpPriority(role: AmphoraRole | null): number | null {
  if (role === 'MASTER') return 100;
  return role === 'BACKUP' ? 90 : null;
}

export interface VrrpInstance {
  readonly loadBalancerId: LoadBalancerId;
  readonly vipAddress: string;
  readonly subnetCidr: string;
  readonly gateway: string | null;
  /** Further VIPs; absent for none. */
  readonly additional?: readonly {
    readonly address: string;
    readonly subnetCidr: string;
    readonly gateway: string | null;
  }[];
  readonly beginsAs: 'MASTER' | 'BACKUP';
  readonly priority: number;
  /** The amphora's own on the VIP's subnet, and that of the other one; null while there is none. */
  readonly address: string;
  readonly peerAddress: string | null;
  /** A secret of the two; keepalived takes 8 characters. */
  readonly password: string;
}

/**
 * The password of a pair: 8 characters that follow from the cluster's secret, so that nobody has to keep it. It guards
 * against mistakes only: VRRP sends it in clear text. Must not change.
 */
export function vrrpPassword(secret: string, loadBalancerId: LoadBalancerId): string {
  return createHmac('sha256', secret).update(`vrrp/${loadBalancerId}`).digest('base64url').slice(0, 8);
}

/** The text of octavia-keepalived.conf. `device` is the interface that the amphora's own address is on. */
export function renderKeepalived(instance: VrrpInstance, device: string): string {
  const { vipAddress, subnetCidr, gateway, additional = [], peerAddress } = instance;
  const vips = [{ address: vipAddress, subnetCidr, gateway }, ...additional];
  // VRRP tells addresses of one family; keepalived moves the others with them.
  const isIpv6 = vipAddress.includes(':');
  const told = vips.filter(({ address }) => address.includes(':') === isIpv6);
  const excluded = vips.filter(({ address }) => address.includes(':') !== isIpv6);
  const peers = peerAddress === null ? [] : ['    unicast_peer {', `        ${peerAddress}`, '    }'];
  return [
    'vrrp_script check_script {',
    '    script /var/lib/octavia/vrrp/check_script.sh',
    '    interval 5',
    '    fall 2',
    '    rise 2',
    '}',
    '',
    `vrrp_instance ${instance.loadBalancerId.replaceAll('-', '')} {`,
    `    state ${instance.beginsAs}`,
    `    interface ${device}`,
    `    virtual_router_id ${vrrpId}`,
    `    priority ${instance.priority}`,
    '    nopreempt',
    '    accept',
    '    garp_master_refresh 5',
    '    garp_master_refresh_repeat 2',
    '    advert_int 1',
    '    authentication {',
    '        auth_type PASS',
    `        auth_pass ${instance.password}`,
    '    }',
    '',
    `    unicast_src_ip ${instance.address}`,
    ...peers,
    '',
    '    virtual_ipaddress {',
    ...told.map(({ address }) => `        ${address}`),
    '    }',
    '',
    ...(excluded.length === 0
      ? []
      : ['    virtual_ipaddress_excluded {', ...excluded.map(({ address }) => `        ${address}`), '    }', '']),
    '    virtual_routes {',
    ...vips.flatMap((vip) => routes(vip, device)),
    '    }',
    '',
    '    virtual_rules {',
    ...vips.map(({ address }) => `        from ${address}/${bitsOf(address)} table ${routingTable} priority 100`),
    '    }',
    '',
    '    track_script {',
    '        check_script',
    '    }',
    '}',
    '',
  ].join('\n');
}

/** Of what is sent from the VIP. */
const routingTable = 1;

type RoutedVip = NonNullable<VrrpInstance['additional']>[number];

function routes({ address, subnetCidr, gateway }: RoutedVip, device: string): readonly string[] {
  const own = `        ${subnetCidr} dev ${device} src ${address} scope link table ${routingTable}`;
  if (gateway === null) return [own];
  return [own, `        default via ${gateway} dev ${device} onlink table ${routingTable}`];
}

function bitsOf(address: string): number {
  return address.includes(':') ? 128 : 32;
}
