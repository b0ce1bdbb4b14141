// What the two of a pair say to each other here: a datagram of `<HMAC-SHA256 with the password, hex> <JSON>`. keepalived speaks
// IP protocol 112, which needs rights that this agent does without; nothing but another such agent is spoken to.
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { VrrpConfiguration } from './configuration.ts';

/** On amphorae's own addresses, which nobody else listens on. */
export const advertPort = 10_112;

type Keys = Pick<VrrpConfiguration, 'routerId' | 'password'>;

export function sealAdvert(priority: number, { routerId, password }: Keys): Buffer {
  const body = JSON.stringify({ routerId, priority });
  return Buffer.from(`${digestOf(body, password)} ${body}`, 'utf8');
}

/** The priority that was told; undefined for what is not from the other one of the pair. */
export function openAdvert(datagram: Buffer, { routerId, password }: Keys): number | undefined {
  const text = datagram.toString('utf8');
  const [digest, body] = [text.slice(0, 64), text.slice(65)];
  const expected = Buffer.from(digestOf(body, password));
  const given = Buffer.from(digest);
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
  const advert = JSON.parse(body) as { readonly routerId: unknown; readonly priority: unknown };
  return advert.routerId === routerId && typeof advert.priority === 'number' ? advert.priority : undefined;
}

function digestOf(body: string, password: string): string {
  return createHmac('sha256', password).update(body).digest('hex');
}
