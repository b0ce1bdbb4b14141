// What may be asked of a list of objects, and what such a list shows. The REST API asks it; the tables answer it.
import type { ObjectKind } from './load-balancer/state.ts';
import type { AmphoraView, Views } from './views.ts';

export type ListedKind = ObjectKind | 'amphora';

/** The view of each kind with what a list shows besides. */
export type Listed<K extends ListedKind> = K extends ObjectKind
  ? Views[K] & { readonly projectId: string }
  : AmphoraView & {
      readonly vipAddress: string | null;
      readonly vipPortId: string | null;
      /** Its own on the VIP's subnet; null for one that stands alone. */
      readonly vrrpAddress: string | null;
      readonly vrrpPortId: string | null;
    };

/** Columns are those of the tables, in snake case. */
export interface ObjectQuery {
  /** Only objects of that project; null for all. Amphorae have none. */
  readonly projectId: string | null;
  /** Values as text; all must hold. A value that the column cannot have matches nothing. */
  readonly filters: readonly { readonly column: string; readonly value: string }[];
  readonly tags: {
    readonly all: readonly string[];
    readonly any: readonly string[];
    readonly notAll: readonly string[];
    readonly notAny: readonly string[];
  };
  /** Before the order of creation, which always comes last. */
  readonly sort: readonly { readonly column: string; readonly isDescending: boolean }[];
  readonly limit: number;
  /** Id of the object that the page begins after, or with `isReverse` ends before. */
  readonly marker: string | null;
  readonly isReverse: boolean;
}
