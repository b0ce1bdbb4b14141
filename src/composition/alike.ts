// Settings that all nodes of a cluster must have alike, because an outcome depends on which node acts: a fingerprint of each.
import { createHash, createHmac, randomUUID } from 'node:crypto';
import type { Config } from '../config/schema.ts';

export interface SharedSecrets {
  readonly heartbeatKey: string;
  /** Of the authorities, PEM, by the name of their file. */
  readonly certificates: Readonly<Record<string, string>>;
  /** Private key of the cluster's authority, PEM: without it, nothing can be learnt from the fingerprint of a secret. */
  readonly clusterKey: string;
}

/** Name → fingerprint. Names are those of settings, or of files in `secretsDir`. */
export function fingerprints(config: Config, secrets: SharedSecrets): Readonly<Record<string, string>> {
  const settings: Readonly<Record<string, unknown>> = {
    driver: config.driver,
    'heartbeat.interval': config.heartbeat.interval,
    'heartbeat.timeout': config.heartbeat.timeout,
    'loadBalancers.topology': config.loadBalancers.topology,
    'loadBalancers.antiAffinity': config.loadBalancers.antiAffinity,
    'spares.size': config.spares.size,
    'sweep.grace': config.sweep.grace,
    'journal.retentionDays': config.journal.retentionDays,
    'commands.retentionHours': config.commands.retentionHours,
    ...Object.fromEntries(Object.entries(config.quota).map(([kind, most]) => [`quota.${kind}`, most])),
    ...(config.driver === 'local' && {
      'local.subnet': config.local.subnet,
      'local.additionalSubnet': config.local.additionalSubnet,
      'local.managementSubnet': config.local.managementSubnet,
      'local.vrrpSubnet': config.local.vrrpSubnet,
    }),
    // A world of its own is never another node's.
    ...(config.driver === 'noop' && { 'noop.world': config.noop.world ?? randomUUID() }),
  };
  const all = [...Object.entries(settings), ...Object.entries(secrets.certificates)];
  const plain = all.map(([name, value]) => [name, short(createHash('sha256').update(JSON.stringify(value)))] as const);
  const key = short(createHmac('sha256', secrets.clusterKey).update(secrets.heartbeatKey));
  // While the key is being replaced, nodes that sign with either of the two work together.
  const isReplaced = config.heartbeat.otherKey !== undefined;
  return Object.fromEntries([...plain, ...(isReplaced ? [] : [['heartbeat.key', key] as const])]);
}

function short(hash: { digest(encoding: 'hex'): string }): string {
  return hash.digest('hex').slice(0, 16);
}
