import { createHash } from 'node:crypto';

/**
 * The name under which an amphora's haproxy takes part in a `peers` section, as OpenStack's agent passes it to
 * haproxy with `-L`: base64 of the SHA-1 of the amphora's id, made fit for a command line. Must not change.
 */
export function peerName(amphoraId: string): string {
  const digest = createHash('sha1').update(amphoraId).digest('base64');
  return digest.replaceAll('+', '_').replaceAll('/', '-').replaceAll('=', '').replace(/^-/, 'x');
}

/** Where the haproxies of a pair share what their stick tables have. */
export const peerPort = 1025;
