// What others than its owner know of an amphora: whose it is, where its agent listens, and whom it reports to. Pure.
import type { AmphoraKind } from './kind.ts';
import type { LoadBalancerId } from '../ids.ts';
import type { AmphoraStatus } from '../statuses.ts';
import { amphoraStatus } from './amphora.ts';
import type { AmphoraState } from './state.ts';

export interface AmphoraFacts {
  readonly status: AmphoraStatus;
  readonly loadBalancerId: LoadBalancerId | null;
  /** Why it goes without ever having been ready; null otherwise. */
  readonly bootFailure: string | null;
  /** host:port of every node that it sends heartbeats to. */
  readonly controllers: readonly string[];
  /** Plain when absent. */
  readonly kind?: AmphoraKind;
  /** The machine it runs on; absent where compute does not tell. */
  readonly host?: string;
  /** The availability zone it runs in, or was to; absent where compute has none. */
  readonly zone?: string;
}

export function amphoraFacts(state: AmphoraState): AmphoraFacts {
  const zone = state.place?.zone ?? state.kind?.computeZone ?? null;
  const neverReady = state.agent === null && state.deletion !== null;
  return {
    status: amphoraStatus(state),
    loadBalancerId: state.allocation?.loadBalancerId ?? null,
    bootFailure: neverReady ? (state.deletion?.reason ?? '') : null,
    controllers: state.controllers,
    ...(state.kind !== undefined && { kind: state.kind }),
    ...(typeof state.place?.host === 'string' && { host: state.place.host }),
    ...(zone !== null && { zone }),
  };
}
