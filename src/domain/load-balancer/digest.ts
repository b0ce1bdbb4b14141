// A short name for what an amphora serves, to compare what it holds with what it has accepted.
import { createHash } from 'node:crypto';

/** MD5, hex, as agents give it of haproxy's configuration; with those of LVS, of all of them. Undefined of nothing at all. */
export function servedDigest(haproxy: string | Buffer | null, lvs: readonly string[]): string | undefined {
  if (lvs.length === 0) return haproxy === null ? undefined : createHash('md5').update(haproxy).digest('hex');
  const hash = createHash('md5').update(haproxy ?? '');
  for (const configuration of lvs.toSorted()) hash.update('\0').update(configuration);
  return hash.digest('hex');
}
