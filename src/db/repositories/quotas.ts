// Quotas of projects: one row for each project that has limits of its own; what is null there has the default.
import { getTableColumns } from 'drizzle-orm';
import type { Pool } from 'pg';
import type { Quotas } from '../../domain/quota.ts';
import { quotas } from '../schema/runtime.ts';
import { patiently } from '../patience.ts';

/** Own limits; null where the default holds. */
export type OwnQuotas = { readonly [K in keyof Quotas]: number | null };

export interface ProjectQuotas extends Quotas {
  readonly projectId: string;
}

const columns = getTableColumns(quotas);
const selected = Object.entries(columns)
  .map(([field, { name }]) => `${name} as "${field}"`)
  .join(', ');

export class QuotaRepository {
  readonly #pool: Pool;
  readonly defaults: Quotas;

  constructor(pool: Pool, defaults: Quotas) {
    this.#pool = pool;
    this.defaults = defaults;
  }

  /** What holds for a project. */
  async find(projectId: string): Promise<ProjectQuotas> {
    const text = `select ${selected} from quotas where project_id = $1`;
    const { rows } = await patiently(() => this.#pool.query<OwnRow>(text, [projectId]));
    return this.#complete(rows[0] ?? { projectId });
  }

  /** Projects that have limits of their own, by id, those behind `marker`; only one when it is named. */
  async list(limit: number, marker: string | null, projectId: string | null): Promise<readonly ProjectQuotas[]> {
    const text = `select ${selected} from quotas where project_id > $1 and ($3::text is null or project_id = $3)
      order by project_id limit $2`;
    const { rows } = await patiently(() => this.#pool.query<OwnRow>(text, [marker ?? '', limit, projectId]));
    return rows.map((row) => this.#complete(row));
  }

  /** Sets the limits given; null gives one back to its default. Idempotent. */
  async set(projectId: string, limits: Partial<OwnQuotas>): Promise<ProjectQuotas> {
    const given = Object.entries(limits).map(([kind, most]) => ({ name: columns[kind as keyof Quotas].name, most }));
    const names = ['project_id', ...given.map(({ name }) => name)];
    const places = names.map((_, index) => `$${index + 1}`);
    const updates =
      given.length === 0 ? 'nothing' : `update set ${given.map(({ name }) => `${name} = excluded.${name}`).join(', ')}`;
    const text = `insert into quotas (${names.join(', ')}) values (${places.join(', ')}) on conflict (project_id) do ${updates}`;
    await this.#pool.query(text, [projectId, ...given.map(({ most }) => most)]);
    return this.find(projectId);
  }

  /** Gives all limits of a project back to their defaults. Idempotent. */
  async reset(projectId: string): Promise<void> {
    await this.#pool.query('delete from quotas where project_id = $1', [projectId]);
  }

  #complete(row: OwnRow): ProjectQuotas {
    const own = Object.entries(row).filter(([, most]) => most !== null);
    return { ...this.defaults, ...Object.fromEntries(own), projectId: row.projectId };
  }
}

type OwnRow = Partial<OwnQuotas> & { readonly projectId: string };
