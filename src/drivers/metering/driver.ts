// The metering port: who wants to know what projects use.
import type { Usage } from '../../domain/statistics/usage.ts';

export interface MeteringDriver {
  readonly name: string;
  /**
   * Takes what was used since it was told last, one entry for each project, at `at` (milliseconds since the epoch). Is told of everything
   * once at most: what a node does not live to tell is lost, a flush interval of its heartbeats. Rejects with TransientFailure.
   */
  record(usages: readonly Usage[], at: number): Promise<void>;
}
