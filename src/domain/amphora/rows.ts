// An amphora's row in the table for reading.
import { moment, type Rows } from '../projection.ts';
import { spentRetry } from '../step.ts';
import { amphoraStatus } from './amphora.ts';
import type { AmphoraState } from './state.ts';

/** Deleted amphorae have no row. */
export function amphoraRows(state: AmphoraState | undefined): Rows {
  if (state === undefined || state.deletion?.done === true) return {};
  const { instance, agent, allocation } = state;
  const row = {
    id: state.id,
    loadBalancerId: allocation?.loadBalancerId ?? null,
    status: amphoraStatus(state),
    role: allocation?.role ?? null,
    computeId: instance?.computeId ?? null,
    agentHost: instance?.agent.host ?? null,
    agentPort: instance?.agent.port ?? null,
    controllers: state.controllers,
    kind: state.kind ?? null,
    computeFlavor: state.kind?.computeFlavor ?? null,
    imageId: state.place?.imageId ?? null,
    cachedZone: state.place?.zone ?? null,
    host: state.place?.host ?? null,
    haproxyVersion: agent?.haproxyVersion ?? null,
    certificateFingerprint: agent?.certificateFingerprint ?? null,
    certificateExpiresAt: agent === null ? null : moment(agent.certificateExpiresAt),
    certificateBusy: state.rotation !== undefined,
    errorReason: spentRetry(state.steps)?.retry.lastFailure.message ?? null,
    createdAt: moment(state.createdAt),
    updatedAt: moment(state.updatedAt),
  };
  return { amphorae: [row] };
}
