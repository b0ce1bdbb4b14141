// Kinds of values that only objects of a load balancer have.
import type { AdditionalVipParams } from './vip.ts';
import { isIP } from 'node:net';
import { z } from 'zod';
import { storable, value } from '../rpc/values.ts';

export function tags(): z.ZodType<readonly string[]> {
  return value(
    'A list of at most 100 strings of at most 255 characters each.',
    z.array(z.string().max(255).regex(storable)).max(100).readonly(),
  );
}

/** An address that traffic may be sent to: the metadata service of clouds is nobody's member. */
export function memberAddress(): z.ZodType<string> {
  const denied = ['169.254.169.254', '::ffff:169.254.169.254'];
  return value(
    `An IPv4 or IPv6 address other than ${denied[0]}.`,
    z.string().refine((given) => isIP(given) !== 0 && !given.includes('%') && !denied.includes(given.toLowerCase())),
  );
}

export function ipAddress(): z.ZodType<string> {
  return value(
    'An IPv4 or IPv6 address.',
    z.string().refine((given) => isIP(given) !== 0 && !given.includes('%')),
  );
}

function isCidr(text: string): boolean {
  const [address = '', length, ...more] = text.split('/');
  const family = address.includes('%') ? 0 : isIP(address);
  if (family === 0 || more.length > 0) return false;
  return length === undefined || (/^\d{1,3}$/.test(length) && Number(length) <= (family === 4 ? 32 : 128));
}

/** `255.255.240.0`: ones, then zeros, and not nothing but zeros. */
export function isNetmask(text: string): boolean {
  if (isIP(text) !== 4) return false;
  const bits = text.split('.').map((octet) => Number(octet).toString(2).padStart(8, '0'));
  return /^1+0*$/.test(bits.join(''));
}

/** Ranges of addresses. */
export function cidrs(): z.ZodType<readonly string[]> {
  return value(
    'A list of at most 1000 addresses or CIDRs such as 10.0.0.0/8.',
    z.array(z.string().refine(isCidr)).max(1_000).readonly(),
  );
}

/** Further VIPs. */
export function additionalVips(): z.ZodType<readonly AdditionalVipParams[]> {
  return value(
    'A list of objects with subnetId (1 to 36 characters) and, if wished, ipAddress.',
    z
      .array(
        z.strictObject({
          subnetId: z.string().min(1).max(36),
          ipAddress: z
            .string()
            .refine((text) => isIP(text) !== 0)
            .nullish(),
          portId: z.string().min(1).max(36).nullish(),
        }),
      )
      .max(16)
      .transform((vips) =>
        vips.map(({ subnetId, ipAddress = null, portId = null }) => ({ subnetId, ipAddress, portId })),
      ),
  );
}

/** Ids of security groups. */
export function securityGroups(): z.ZodType<readonly string[]> {
  return value('A list of UUIDs, none of them twice.', z.array(z.uuid()).max(64).refine(isUnique));
}

function isUnique(list: readonly string[]): boolean {
  return new Set(list).size === list.length;
}
