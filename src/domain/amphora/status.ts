// How far an amphora has come, in Octavia's words.
import type { AmphoraStatus } from '../statuses.ts';
import { spentRetry } from '../step.ts';
import type { AmphoraState } from './state.ts';

export function amphoraStatus(state: AmphoraState): AmphoraStatus {
  if (state.deletion !== null) {
    if (state.deletion.done) return 'DELETED';
    return spentRetry(state.steps) === undefined ? 'PENDING_DELETE' : 'ERROR';
  }
  if (state.allocations.length > 0) return 'ALLOCATED';
  return state.agent === null ? 'BOOTING' : 'READY';
}
