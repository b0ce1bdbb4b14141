// An amphora's row in the table for reading.
import { moment, type Rows } from '../projection.ts';
import { spentRetry } from '../step.ts';
import { amphoraStatus } from './status.ts';
import { openSharing } from './facts.ts';
import type { AmphoraState } from './state.ts';

/** Deleted amphorae have no row. */
export function amphoraRows(state: AmphoraState | undefined): Rows {
  if (state === undefined || state.deletion?.done === true) return {};
  const { instance, agent, allocations } = state;
  const row = {
    id: state.id,
    loadBalancerId: allocations[0]?.loadBalancerId ?? null,
    otherLoadBalancerIds: allocations.slice(1).map(({ loadBalancerId }) => loadBalancerId),
    sharing: openSharing(state) ?? null,
    status: amphoraStatus(state),
    role: allocations[0]?.role ?? null,
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
