// Methods for quotas: how many objects of each kind a project may have. Setting one again changes nothing more, so these
// take no command id.
import type { Quotas } from '../../domain/quota.ts';
import { kindNames } from '../../domain/load-balancer/rules.ts';
import { quotaKinds } from '../../domain/quota.ts';
import { type HandlersOf, reads, result } from '../rpc/method.ts';
import { limitOf } from './lists.ts';
import { maybe, needed, type Parameter } from '../rpc/parameters.ts';
import { text, wholeNumber } from '../rpc/values.ts';

export interface QuotaView extends Quotas {
  readonly projectId: string;
}

type OwnQuotas = { readonly [K in keyof Quotas]: number | null };

/** Where quotas are kept. */
export interface QuotaPort {
  readonly defaults: Quotas;
  find(projectId: string): Promise<QuotaView>;
  list(limit: number, marker: string | null, projectId: string | null): Promise<readonly QuotaView[]>;
  set(projectId: string, limits: Partial<OwnQuotas>): Promise<QuotaView>;
  reset(projectId: string): Promise<void>;
}

const limitValue = wholeNumber({ min: -1, max: 2_000_000_000 });

function limitParameter(name: string): Parameter<number | null | undefined> {
  return {
    schema: limitValue.nullish(),
    doc: {
      expects: 'A whole number from -1 to 2000000000, or null.',
      meaning: `Most of kind ${name} that the project may have; -1 for no limit, null for the default.`,
      isRequired: false,
    },
  };
}

const limits = Object.fromEntries(quotaKinds.map((kind) => [kind, limitParameter(kindNames[kind])])) as {
  readonly [K in keyof Quotas]: Parameter<number | null | undefined>;
};
const projectId = needed(text({ min: 1, max: 36 }), 'The project.');

export const quotaMethods = {
  'quota.show': reads({
    summary: 'The quotas that hold for a project.',
    params: { projectId },
    result: result<QuotaView>('Quota.'),
  }),
  'quota.list': reads({
    summary: 'Quotas of the projects that have limits of their own.',
    params: {
      limit: limitOf('projects'),
      marker: maybe(text({ min: 1, max: 36 }), 'The last project of the page before.'),
      projectId: maybe(text({ min: 1, max: 36 }), 'Only this project.'),
    },
    result: result<{ readonly items: readonly QuotaView[]; readonly next: string | null }>(
      '`items`: list of Quota, by project. `next` is the marker of the next page, null when there is none.',
    ),
  }),
  'quota.set': reads({
    summary:
      'Sets limits of a project; those that are not given stay. A limit below what there is takes nothing away. May be repeated.',
    params: { projectId, ...limits },
    result: result<QuotaView>('Quota.'),
  }),
  'quota.reset': reads({
    summary: 'Gives all limits of a project back to their defaults. May be repeated.',
    params: { projectId },
    result: result<QuotaView>('Quota.'),
  }),
  'quota.defaults': reads({
    summary: 'The quotas of projects that have none of their own: the settings `quota.*`.',
    params: {},
    result: result<Quotas>('Quota without `projectId`.'),
  }),
} as const;

export function quotaHandlers(quotas: QuotaPort): HandlersOf<typeof quotaMethods> {
  return {
    'quota.show': ({ projectId: id }) => quotas.find(id),
    'quota.list': async ({ limit, marker, projectId: only }) => {
      const items = await quotas.list(limit, marker, only);
      return { items, next: items.length === limit ? (items.at(-1)?.projectId ?? null) : null };
    },
    'quota.set': ({ projectId: id, ...given }) => {
      const own = Object.entries(given).filter(([, most]) => most !== undefined);
      return quotas.set(id, Object.fromEntries(own) as Partial<OwnQuotas>);
    },
    'quota.reset': async ({ projectId: id }) => {
      await quotas.reset(id);
      return quotas.find(id);
    },
    'quota.defaults': async () => quotas.defaults,
  };
}
