// What an amphora's own packet filter lets through to a port of SR-IOV, where no security group of the network holds: the
// listeners, and of a pair the other one. What is not named here is dropped (agent API 1.0, PUT /interface/{ip}/rules).
import type { ServedTree } from './load-balancer/attributes.ts';
import { peerPort } from './haproxy/peer-name.ts';
import { transportOf } from './load-balancer/datagram-rules.ts';

export interface InterfaceRule {
  /** VRRP in lower case: so the agent wants it. */
  readonly protocol: 'TCP' | 'UDP' | 'SCTP' | 'vrrp';
  /** Who may come; null for everybody. */
  readonly cidr: string | null;
  readonly port: number;
}

/** Of VRRP it must be given, and means nothing. */
const vrrpPort = 112;

/** @param peerAddress of the other one of a pair; null for none */
export function interfaceRules(tree: ServedTree, peerAddress: string | null): readonly InterfaceRule[] {
  const listeners = tree.listeners.filter(({ adminStateUp }) => tree.adminStateUp && adminStateUp);
  const forClients = listeners.flatMap(({ protocol, protocolPort: port, allowedCidrs }) => {
    const cidrs = allowedCidrs.length === 0 ? [null] : allowedCidrs;
    return cidrs.map((cidr): InterfaceRule => ({ protocol: transportOf(protocol), cidr, port }));
  });
  return peerAddress === null ? forClients : [...forClients, ...forPeer(peerAddress)];
}

/** The VIP is agreed on by VRRP, and haproxy shares its stick tables. */
function forPeer(address: string): readonly InterfaceRule[] {
  const cidr = `${address}/${address.includes(':') ? 128 : 32}`;
  return [
    { protocol: 'vrrp', cidr, port: vrrpPort },
    { protocol: 'TCP', cidr, port: peerPort },
  ];
}
