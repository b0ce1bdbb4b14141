// The files an amphora gets before its first start, as OpenStack's amphora agent reads them.
import type { AmphoraId } from '../ids.ts';
import type { Topology } from '../statuses.ts';

export interface ConfigDrive {
  readonly amphoraId: AmphoraId;
  /** `host:port` of every node that takes heartbeats. */
  readonly controllers: readonly string[];
  readonly heartbeatKey: string;
  /** Seconds. */
  readonly heartbeatInterval: number;
  /** PEM of the certificate followed by its private key. */
  readonly serverPem: string;
  /** PEM of the CA that signs controllers' certificates. */
  readonly clientCaPem: string;
  readonly topology: Topology;
}

/** What amphora-agent.conf says that is not the same for all. */
export type AgentConfiguration = Omit<ConfigDrive, 'serverPem' | 'clientCaPem'>;

/** Path below `/etc/octavia` → content. Holds secrets. */
export function configDriveFiles(drive: ConfigDrive): Readonly<Record<string, string>> {
  return {
    'amphora-agent.conf': agentConfiguration(drive),
    'certs/server.pem': drive.serverPem,
    'certs/client_ca.pem': drive.clientCaPem,
  };
}

/** amphora-agent.conf. Holds the heartbeat secret. */
export function agentConfiguration(settings: AgentConfiguration): string {
  const { amphoraId, controllers, heartbeatKey, heartbeatInterval, topology } = settings;
  return `[DEFAULT]
debug = False

[haproxy_amphora]
base_cert_dir = /var/lib/octavia/certs
base_path = /var/lib/octavia
bind_host = ::
bind_port = 9443
haproxy_cmd = /usr/sbin/haproxy
user_log_facility = 0
administrative_log_facility = 1

[health_manager]
controller_ip_port_list = ${controllers.join(', ')}
heartbeat_interval = ${heartbeatInterval}
heartbeat_key = ${heartbeatKey}

[amphora_agent]
agent_server_ca = /etc/octavia/certs/client_ca.pem
agent_server_cert = /etc/octavia/certs/server.pem
agent_server_network_dir = /etc/netns/amphora-haproxy/etc/network/interfaces.d
agent_request_read_timeout = 180
amphora_id = ${amphoraId}
amphora_udp_driver = keepalived_lvs
agent_tls_protocol = TLSv1.2

[controller_worker]
loadbalancer_topology = ${topology}
`;
}
