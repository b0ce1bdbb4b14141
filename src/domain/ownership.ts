// Ownership as the runtime sees it: shards, epochs, and the session that says that a node lives. `src/db/ownership.ts`
// keeps it in PostgreSQL.

/** Families of shards. Names are in the database and must not change. */
export const families = { entities: 'entities', health: 'health' } as const;
export type Family = (typeof families)[keyof typeof families];

export interface OwnedShard {
  readonly family: Family;
  readonly shard: number;
  readonly epoch: number;
}

export interface OwnershipSessionPort {
  /** Settles when the session is over: with the error that ended it, or undefined after `close`. */
  readonly ended: Promise<Error | undefined>;
  /** Prolongs the lease by its full length from the database's now. False when this node was declared dead meanwhile. */
  renew(): Promise<boolean>;
  /**
   * Takes every shard that nobody alive owns, and those in this node's name that are not among `held`, each under a new
   * epoch. Appends under the epoch before fail from here on. Gives what was taken.
   *
   * @throws when appends held a shard for too long; nothing is taken then
   */
  claimFree(held: readonly OwnedShard[]): Promise<readonly OwnedShard[]>;
  /** Gives everything back, so that a successor need not wait. Idempotent; never fails. */
  close(): Promise<void>;
}
