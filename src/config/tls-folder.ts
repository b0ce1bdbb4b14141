import { join } from 'node:path';
import type { Config } from './schema.ts';

/** Where `file:` references lead: a folder for each project. */
export function tlsFolderOf({ tls, secretsDir, dataDir }: Pick<Config, 'tls' | 'secretsDir' | 'dataDir'>): string {
  return tls.folder ?? join(secretsDir ?? dataDir, 'tls');
}
