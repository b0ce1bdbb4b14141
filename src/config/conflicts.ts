// Settings that are right by themselves and not together.
import { tlsVersions } from '../domain/load-balancer/attributes.ts';
import { isLoopback } from '../domain/loopback.ts';
import type { Config } from './schema.ts';

/** A sentence for each, which names the setting, what was expected and what was given. */
export function conflictsIn({
  api,
  control,
  heartbeat,
  steps,
  lease,
  retry,
  local,
  tls,
  certificate,
}: Config): string[] {
  const problems = [...controlConflicts(control), ...apiConflicts(api), ...tlsConflicts(tls, api)];
  const { rotateDays = 0, serverDays } = certificate;
  if (rotateDays >= serverDays) {
    problems.push(
      `certificate.rotateDays: expected less than certificate.serverDays ${serverDays}, got ${rotateDays}: certificates would be replaced for ever`,
    );
  }
  if (heartbeat.timeout <= heartbeat.interval) {
    problems.push(
      `heartbeat.timeout: expected more than heartbeat.interval (${heartbeat.interval}), got ${heartbeat.timeout}`,
    );
  }
  if (steps.timeout >= lease.duration) {
    problems.push(`steps.timeout: expected less than lease.duration (${lease.duration}), got ${steps.timeout}`);
  }
  if (retry.cap < retry.firstDelay) {
    problems.push(`retry.cap: expected at least retry.firstDelay (${retry.firstDelay}), got ${retry.cap}`);
  }
  if (overlap(local.subnet, local.managementSubnet)) {
    problems.push(
      `local.managementSubnet: expected no overlap with local.subnet (${local.subnet}), got ${local.managementSubnet}`,
    );
  }
  return problems;
}

function controlConflicts({ host, tls: { certificate, key, clientCa } }: Config['control']): string[] {
  const problems: string[] = [];
  if (certificate !== undefined && key === undefined) {
    problems.push(`control.tls.key: expected the key of control.tls.certificate (${certificate}), got nothing`);
  }
  if (key !== undefined && certificate === undefined) {
    problems.push(`control.tls.certificate: expected the certificate of control.tls.key (${key}), got nothing`);
  }
  if (clientCa !== undefined && certificate === undefined) {
    problems.push('control.tls.clientCa: expected control.tls.certificate and control.tls.key beside it, got neither');
  }
  if (certificate === undefined && key === undefined && !isLoopback(host)) {
    problems.push(
      `control.host: others can reach ${host}, and a token must not travel in clear text: expected control.tls.certificate and control.tls.key beside it, or 127.0.0.1`,
    );
  }
  return problems;
}

function apiConflicts({ host, auth, tls: { certificate, key }, tokens, keystone }: Config['api']): string[] {
  const problems: string[] = [];
  if ((certificate === undefined) !== (key === undefined)) {
    problems.push('api.tls: expected certificate and key, or neither; got one of them');
  }
  if (!isLoopback(host) && auth === 'none') {
    problems.push(`api.auth: others can reach api.host ${host}: expected token or keystone, got none`);
  } else if (!isLoopback(host) && certificate === undefined) {
    problems.push(
      `api.host: others can reach ${host}, and a token must not travel in clear text: expected api.tls.certificate and api.tls.key beside it, or 127.0.0.1`,
    );
  }
  if (auth === 'token' && tokens === undefined)
    problems.push('api.tokens: api.auth is token: expected tokens, got none');
  if (auth === 'keystone' && (keystone.url === undefined || keystone.password === undefined)) {
    problems.push('api.keystone: api.auth is keystone: expected url and password, got less');
  }
  return problems;
}

function tlsConflicts(tls: Config['tls'], { keystone }: Config['api']): string[] {
  const { barbican, minimumVersion, prohibitedCiphers = [] } = tls;
  const problems: string[] = [];
  if (barbican !== undefined && (keystone.url === undefined || keystone.password === undefined)) {
    problems.push('tls.barbican: it is asked as a user of Keystone: expected api.keystone.url and password, got less');
  }
  for (const side of ['listener', 'pool'] as const) {
    const prohibited = tls[`${side}Ciphers`].split(':').filter((name) => prohibitedCiphers.includes(name));
    if (prohibited.length > 0) {
      problems.push(`tls.${side}Ciphers: expected none of tls.prohibitedCiphers, got ${prohibited.join(', ')}`);
    }
    if (minimumVersion === undefined) continue;
    const least = tlsVersions.indexOf(minimumVersion);
    const old = tls[`${side}Versions`].filter((version) => tlsVersions.indexOf(version) < least);
    if (old.length === 0) continue;
    problems.push(
      `tls.${side}Versions: expected none below tls.minimumVersion ${minimumVersion}, got ${old.join(', ')}`,
    );
  }
  return problems;
}

function overlap(one: string, other: string): boolean {
  const [a, b] = [one, other].map((cidr) => {
    const [address = '', length = ''] = cidr.split('/');
    return { address: address.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0), length: Number(length) };
  });
  if (a === undefined || b === undefined) return false;
  const size = 2 ** (32 - Math.min(a.length, b.length));
  return Math.floor(a.address / size) === Math.floor(b.address / size);
}
