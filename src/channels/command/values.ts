// Kinds of values that only objects of a load balancer have.
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
