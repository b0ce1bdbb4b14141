// What amphora-agent.conf says, checked. Sections and keys are those of OpenStack's agent, of which this one uses a few.
import { join, resolve } from 'node:path';
import { isUuid } from '../domain/ids.ts';
import { type Ini, parseIni } from './ini.ts';

/** Where a controller takes heartbeats. */
export interface Controller {
  readonly host: string;
  readonly port: number;
}

export interface AgentSettings {
  readonly amphoraId: string;
  readonly bindHost: string;
  readonly bindPort: number;
  /** Absolute. */
  readonly basePath: string;
  readonly haproxyCommand: string;
  /** PEM with certificate and key; absolute path. */
  readonly serverCertificate: string;
  /** PEM of the CA that clients are checked against; absolute path. */
  readonly clientCa: string;
  /** The one TLS version that is spoken; undefined for 1.2 and 1.3. */
  readonly tlsProtocol: 'TLSv1.2' | 'TLSv1.3' | undefined;
  readonly controllers: readonly Controller[];
  readonly heartbeatIntervalMs: number;
  readonly heartbeatKey: string;
}

/** `<root>/etc/octavia/amphora-agent.conf` */
export function settingsFile(root: string): string {
  return join(root, 'etc/octavia/amphora-agent.conf');
}

/**
 * The settings in the text of amphora-agent.conf. Relative paths count from `<root>/etc/octavia`; without `base_path`
 * the agent keeps its files in `<root>/lib/octavia`. Throws an Error that names section, key, expected and given.
 */
export function readSettings(text: string, root: string): AgentSettings {
  const ini = parseIni(text);
  const path = (value: string): string => resolve(root, 'etc/octavia', value);
  return {
    amphoraId: checked(ini, 'amphora_agent', 'amphora_id', 'a UUID in lower case', isUuid),
    bindHost: value(ini, 'haproxy_amphora', 'bind_host') ?? '127.0.0.1',
    bindPort: port(ini, 'haproxy_amphora', 'bind_port', 9443),
    basePath: path(value(ini, 'haproxy_amphora', 'base_path') ?? '../../lib/octavia'),
    haproxyCommand: value(ini, 'haproxy_amphora', 'haproxy_cmd') ?? '/usr/sbin/haproxy',
    serverCertificate: path(value(ini, 'amphora_agent', 'agent_server_cert') ?? 'certs/server.pem'),
    clientCa: path(value(ini, 'amphora_agent', 'agent_server_ca') ?? 'certs/client_ca.pem'),
    tlsProtocol: tlsProtocol(value(ini, 'amphora_agent', 'agent_tls_protocol')),
    controllers: controllers(value(ini, 'health_manager', 'controller_ip_port_list') ?? ''),
    heartbeatIntervalMs: interval(value(ini, 'health_manager', 'heartbeat_interval') ?? '10'),
    heartbeatKey: checkedSecret(ini, 'health_manager', 'heartbeat_key'),
  };
}

/**
 * A new amphora-agent.conf with what only this place knows put at its end, where it beats what was said before: a
 * controller writes the file for a machine of its own.
 */
export function keepPlace(text: string, settings: AgentSettings): string {
  return `${text}
[haproxy_amphora]
bind_host = ${settings.bindHost}
bind_port = ${settings.bindPort}
base_path = ${settings.basePath}
haproxy_cmd = ${settings.haproxyCommand}

[amphora_agent]
agent_server_ca = ${settings.clientCa}
agent_server_cert = ${settings.serverCertificate}
amphora_id = ${settings.amphoraId}
`;
}

function value(ini: Ini, section: string, key: string): string | undefined {
  const found = ini.get(section)?.get(key);
  return found === '' ? undefined : found;
}

function checked(ini: Ini, section: string, key: string, expected: string, holds: (text: string) => boolean): string {
  const found = value(ini, section, key);
  if (found === undefined || !holds(found)) throw invalid(section, key, expected, found);
  return found;
}

function checkedSecret(ini: Ini, section: string, key: string): string {
  const found = value(ini, section, key);
  if (found === undefined) throw invalid(section, key, 'a text that is not empty', found);
  return found;
}

function port(ini: Ini, section: string, key: string, fallback: number): number {
  const found = value(ini, section, key) ?? String(fallback);
  if (!isPort(found)) throw invalid(section, key, 'a port from 0 to 65535', found);
  return Number(found);
}

function isPort(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) <= 65_535;
}

function interval(text: string): number {
  const seconds = Number(text);
  if (!(seconds > 0 && seconds <= 86_400)) {
    throw invalid('health_manager', 'heartbeat_interval', 'seconds above 0, up to 86400', text);
  }
  return seconds * 1000;
}

/** `10.0.0.1:5555, [2001:db8::1]:5555` */
function controllers(text: string): Controller[] {
  const entries = text.split(',').map((entry) => entry.trim());
  return entries
    .filter((entry) => entry !== '')
    .map((entry) => {
      const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(entry);
      const host = match?.[1] ?? match?.[2];
      if (host === undefined || !isPort(match?.[3] ?? '')) {
        throw invalid('health_manager', 'controller_ip_port_list', 'address:port, IPv6 addresses in brackets', entry);
      }
      return { host, port: Number(match?.[3]) };
    });
}

function tlsProtocol(text: string | undefined): AgentSettings['tlsProtocol'] {
  if (text === undefined || text === 'TLSv1.2' || text === 'TLSv1.3') return text;
  throw invalid('amphora_agent', 'agent_tls_protocol', 'TLSv1.2 or TLSv1.3', text);
}

function invalid(section: string, key: string, expected: string, given: string | undefined): Error {
  return new Error(
    `[${section}] ${key}: expected ${expected}, given ${given === undefined ? 'nothing' : `"${given}"`}`,
  );
}
