// Identifiers. Branded so that a listener's id cannot be passed where a pool's is wanted; derived by hashing so that
// the same command, sent twice, names the same objects.
import { createHash } from 'node:crypto';

declare const brand: unique symbol;
type Id<B extends string> = string & { readonly [brand]: B };

export type LoadBalancerId = Id<'LoadBalancerId'>;
export type ListenerId = Id<'ListenerId'>;
export type PoolId = Id<'PoolId'>;
export type MemberId = Id<'MemberId'>;
export type HealthMonitorId = Id<'HealthMonitorId'>;
export type L7PolicyId = Id<'L7PolicyId'>;
export type L7RuleId = Id<'L7RuleId'>;
export type AmphoraId = Id<'AmphoraId'>;
export type NodeId = Id<'NodeId'>;
export type DeploymentId = Id<'DeploymentId'>;
export type CommandId = Id<'CommandId'>;

/** An identifier of any kind of object that a load balancer holds, the load balancer itself included. */
export type ObjectId = LoadBalancerId | ListenerId | PoolId | MemberId | HealthMonitorId | L7PolicyId | L7RuleId;

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Whether `text` is a UUID in its canonical lower-case form. */
export function isUuid(text: string): boolean {
  return uuidPattern.test(text);
}

/** Must not change: every id derived from a command id depends on it. */
const namespace = Buffer.from('6f1c2a5e8d5b4a0f9c3e7b1d2f4a6c80', 'hex');

/**
 * A UUID version 5 (RFC 9562, section 5.5) of the parts given: equal parts, equal id. Parts are joined by `/`.
 * The caller names the kind of id it wants by the type parameter.
 */
export function deriveId<T extends string>(...parts: readonly (string | number)[]): T {
  const digest = createHash('sha1').update(namespace).update(parts.join('/')).digest();
  digest[6] = ((digest[6] ?? 0) & 0x0f) | 0x50;
  digest[8] = ((digest[8] ?? 0) & 0x3f) | 0x80;
  const hex = digest.toString('hex', 0, 16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}` as T;
}

/** Number of ownership shards. Must not change: a shard is for ever. */
export const shardCount = 256;

/** The shard of an entity: the first byte of the SHA-1 of its id. Must not change. */
export function shardOf(id: string): number {
  return createHash('sha1').update(id).digest()[0] ?? 0;
}
