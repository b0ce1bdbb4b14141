// The spares pool and housekeeping of the cluster, wherever they run.
import { isPlain } from '../../domain/amphora/kind.ts';
import type { WantedAmphora } from '../../domain/amphora/wanted.ts';
import type { PeerCalls, SuggestionMessage, SweepReport } from '../../domain/cluster/messages.ts';
import type { AmphoraId, LoadBalancerId } from '../../domain/ids.ts';
import type { SparesPoolView } from '../../domain/operator-views.ts';
import { ask } from '../runtime/reply.ts';
import type { LiveActor } from '../runtime/actor.ts';
import type { Ownership } from '../runtime/ownership.ts';
import type { SparesPoolMessage, SparesView } from '../spares-pool/spares-pool.ts';
import type { Peers } from '../../domain/cluster/peers.ts';
import { askWherever } from './wherever.ts';

const sparesPlace = { family: 'spares', shard: 0 } as const;
const housekeepingPlace = { family: 'housekeeping', shard: 0 } as const;
const elsewhere = { type: 'elsewhere' } as const;

export interface SingletonsOptions {
  readonly ownership: Ownership;
  readonly peers: Peers;
  /** Undefined while the pool does not run on this node. */
  readonly sparesPool: () => LiveActor<SparesPoolMessage> | undefined;
  readonly sweep: (isDryRun: boolean) => Promise<SweepReport>;
}

export class Singletons {
  readonly #options: SingletonsOptions;
  #requests = 0;

  constructor(options: SingletonsOptions) {
    this.#options = options;
  }

  /** A spare for a load balancer; waits until there is one. @throws when the signal aborts first */
  suggest(
    loadBalancerId: LoadBalancerId,
    wanted: WantedAmphora,
    excluded: readonly AmphoraId[],
    signal: AbortSignal,
  ): Promise<SuggestionMessage> {
    const { ownership, peers } = this.#options;
    const here = () => this.suggestHere(loadBalancerId, wanted, excluded, signal);
    const { kind, ...more } = wanted;
    // Nodes of earlier versions know neither.
    const asked = { loadBalancerId, excluded, ...(!isPlain(kind) && { kind }), ...more };
    const there = (node: string) => peers.call(node, 'spares.suggest', asked, signal);
    return askWherever<SuggestionMessage>(ownership, sparesPlace, here, there, signal);
  }

  async suggestHere(
    loadBalancerId: LoadBalancerId,
    wanted: WantedAmphora,
    excluded: readonly AmphoraId[],
    signal: AbortSignal,
  ): Promise<PeerCalls['spares.suggest']['result']> {
    const pool = this.#options.sparesPool();
    if (pool === undefined) return elsewhere;
    const request = ++this.#requests;
    try {
      return await ask<PeerCalls['spares.suggest']['result']>(
        (replyTo) => pool.tell({ type: 'suggest', request, loadBalancerId, wanted, excluded: [...excluded], replyTo }),
        signal,
      );
    } catch (error) {
      pool.tell({ type: 'withdraw', request });
      throw error;
    }
  }

  async sparesView(signal: AbortSignal): Promise<SparesPoolView> {
    const { ownership, peers } = this.#options;
    const there = (node: string) => peers.call(node, 'spares.show', {}, signal);
    const found = await askWherever<{ readonly type: 'view'; readonly view: SparesPoolView }>(
      ownership,
      sparesPlace,
      () => this.sparesViewHere(signal),
      there,
      signal,
    );
    return found.view;
  }

  async sparesViewHere(signal: AbortSignal): Promise<PeerCalls['spares.show']['result']> {
    const pool = this.#options.sparesPool();
    if (pool === undefined) return elsewhere;
    const view = await ask<SparesView>((replyTo) => pool.tell({ type: 'view', replyTo }), signal);
    const notBefore = view.notBefore === null ? null : new Date(view.notBefore).toISOString();
    return { type: 'view', view: { ...view, notBefore } };
  }

  /** Looks for instances that nobody knows, and removes what is due. */
  async sweep(isDryRun: boolean, signal: AbortSignal): Promise<SweepReport> {
    const { ownership, peers } = this.#options;
    const there = (node: string) => peers.call(node, 'housekeeping.sweep', { dryRun: isDryRun }, signal);
    const found = await askWherever<{ readonly type: 'report'; readonly report: SweepReport }>(
      ownership,
      housekeepingPlace,
      () => this.sweepHere(isDryRun),
      there,
      signal,
    );
    return found.report;
  }

  async sweepHere(isDryRun: boolean): Promise<PeerCalls['housekeeping.sweep']['result']> {
    const { ownership, sweep } = this.#options;
    if (!ownership.holds('housekeeping', 0)) return elsewhere;
    return { type: 'report', report: await sweep(isDryRun) };
  }
}
