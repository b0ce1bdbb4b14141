// Certificates of amphorae, as the tables for reading show them: which end soon, and how many are being replaced.
import type { Pool } from 'pg';
import type { AmphoraId } from '../../domain/ids.ts';

export interface DueCertificate {
  readonly amphoraId: AmphoraId;
  readonly fingerprint: string;
  /** Null where compute does not tell. */
  readonly zone: string | null;
}

export interface CertificateState {
  /** Being replaced, but for those whose replacement keeps failing. */
  readonly underWay: number;
  /** When the first of all ends, milliseconds; null when there is none. */
  readonly earliestEnd: number | null;
}

export async function certificateState(pool: Pool): Promise<CertificateState> {
  const { rows } = await pool.query<{ readonly under_way: number; readonly earliest: Date | null }>(
    `select count(*) filter (where certificate_busy and error_reason is null)::int as under_way,
            min(certificate_expires_at) as earliest
     from amphorae`,
  );
  return { underWay: rows[0]?.under_way ?? 0, earliestEnd: rows[0]?.earliest?.getTime() ?? null };
}

/** Those that end within `days` and are not being replaced, the first to end first. */
export async function dueCertificates(pool: Pool, days: number, limit: number): Promise<readonly DueCertificate[]> {
  const { rows } = await pool.query<DueCertificate>(
    `select id as "amphoraId", certificate_fingerprint as fingerprint, 
            coalesce(cached_zone, kind ->> 'computeZone') as zone from amphorae
     where not certificate_busy and status in ('READY', 'ALLOCATED') and certificate_fingerprint is not null
       and certificate_expires_at < now() + $1 * interval '1 day'
     order by certificate_expires_at, id limit $2`,
    [days, limit],
  );
  return rows;
}
