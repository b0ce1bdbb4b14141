// From state and message to events, or a refusal. Time comes in as an argument; everything else is in the state.
import { type Claim, type Decision, refuse } from '../decision.ts';
import { type RetryPolicy, nextRetry, type StepEnded } from '../step.ts';
import { changesOf, treeOf } from './changes.ts';
import type { CommandAnswer, LoadBalancerCommand } from './commands.ts';
import type { LoadBalancerEvent, ObjectChange } from './events.ts';
import { evolveLoadBalancer } from './evolve.ts';
import { isPair, servingSlots } from './pair.ts';
import { isWanted } from './plan.ts';
import { brokenRule, kindNames } from './rules.ts';
import type { LoadBalancerState, MaybeLoadBalancer } from './state.ts';
import { type LoadBalancerStepResult, stepKeys } from './steps.ts';
import { desired } from './tree.ts';

type LbDecision = Decision<LoadBalancerEvent, CommandAnswer>;

export function decideLoadBalancer(state: MaybeLoadBalancer, command: LoadBalancerCommand, now: number): LbDecision {
  if (command.type === 'createLoadBalancer') return decideCreate(state, command, now);
  if (state === undefined || state.deletion === 'done') return refuse('notFound', 'Load Balancer not found.');
  if (command.type === 'deleteLoadBalancer') return decideDelete(state, command.cascade, now);
  // Of one that is lost it need not take leave.
  const isLoss = command.type === 'failoverAmphora' && command.why === 'lost';
  if (state.deletion === 'requested' && !isLoss) {
    return refuse('immutable', `Load Balancer ${state.id} is immutable and cannot be updated.`);
  }
  switch (command.type) {
    case 'failoverLoadBalancer':
      return accept(
        state.id,
        leavingEvents(state, () => true, 'replaced', 'failover was asked for', now),
      );
    case 'failoverAmphora': {
      const { amphoraId, why, reason } = command;
      if (!state.slots.some((slot) => slot.amphoraId === amphoraId)) {
        return refuse('notFound', `Amphora ${amphoraId} not found.`);
      }
      return accept(
        state.id,
        leavingEvents(state, (slot) => slot.amphoraId === amphoraId, why, reason, now),
      );
    }
    case 'repairAmphora': {
      const { amphoraId, digest } = command;
      const isIdle = state.push === null && state.narrowing === null;
      const isKnown = servingSlots(state).some(
        (slot) => slot.amphoraId === amphoraId && slot.serves && slot.digest === digest,
      );
      return accept(state.id, isIdle && isKnown ? [{ type: 'confirmationDue', at: now }] : []);
    }
    default: {
      const meaning = changesOf(state, command);
      return 'type' in meaning ? meaning : decideChanges(state, meaning.about, meaning.changes, now);
    }
  }
}

function accept(id: CommandAnswer['id'], events: readonly LoadBalancerEvent[]): LbDecision {
  return { type: 'accept', events, answer: { id } };
}

type CreateCommand = Extract<LoadBalancerCommand, { type: 'createLoadBalancer' }>;

function decideCreate(state: MaybeLoadBalancer, command: CreateCommand, at: number): LbDecision {
  const { loadBalancerId: id, projectId, vip } = command;
  if (state !== undefined) return refuse('conflict', `Load Balancer ${id} exists already.`);
  const { topology, instances, perAmphora, antiAffinity, provider, allowsMemberSriov } = command;
  const more = {
    ...(topology !== undefined && { topology }),
    ...(instances !== undefined && { instances }),
    ...(provider !== undefined && { provider }),
    ...(allowsMemberSriov !== undefined && { allowsMemberSriov }),
    ...(perAmphora !== undefined && { perAmphora }),
    ...(antiAffinity !== undefined && { antiAffinity }),
  };
  const created: LoadBalancerEvent = { type: 'loadBalancerCreated', at, id, projectId, ...more, vip };
  const empty = evolveLoadBalancer(undefined, created);
  if (empty === undefined) throw new Error('a created load balancer has a state');
  const decision = decideChanges(empty, id, treeOf(command), at);
  if (decision.type === 'refuse') return decision;
  const requested = [vip, ...(vip.additional ?? [])].flatMap(({ requestedAddress }) => requestedAddress ?? []);
  return {
    ...decision,
    events: [created, ...decision.events],
    claims: requested.map((address) => vipClaim(vip.networkId, address)),
    whenClaimed: (claim) => {
      const address = claimedAddress(claim);
      const field = address === vip.requestedAddress ? 'vipAddress' : 'additionalVips';
      return refuse('conflict', `IP address ${address} is already allocated`, field);
    },
  };
}

function vipClaim(networkId: string, address: string): Claim {
  return { kind: 'vip', value: `${networkId}/${address}` };
}

function claimedAddress({ value }: Claim): string {
  return value.slice(value.indexOf('/') + 1);
}

function decideChanges(
  state: LoadBalancerState,
  about: CommandAnswer['id'],
  changes: readonly ObjectChange[],
  at: number,
): LbDecision {
  if (changes.length === 0) return accept(about, []);
  const event: LoadBalancerEvent = { type: 'objectsChanged', at, changes };
  const after = evolveLoadBalancer(state, event);
  const refusal = after === undefined ? undefined : brokenRule(after, changes);
  return refusal === undefined ? accept(about, [event]) : { type: 'refuse', refusal };
}

function decideDelete(state: LoadBalancerState, cascade: boolean, at: number): LbDecision {
  if (state.deletion === 'requested') return accept(state.id, []);
  const hasChildren = desired(state, 'listener').length + desired(state, 'pool').length > 0;
  if (hasChildren && !cascade) {
    return refuse(
      'invalid',
      `Validation failure: Cannot delete ${kindNames.loadBalancer} ${state.id} - it has children`,
      'cascade',
    );
  }
  return accept(state.id, [{ type: 'deletionRequested', at }]);
}

/** Those of a pair are replaced one after the other, when their turn comes. */
function leavingEvents(
  state: LoadBalancerState,
  concerns: (slot: LoadBalancerState['slots'][number]) => boolean,
  why: 'lost' | 'replaced',
  reason: string,
  at: number,
): readonly LoadBalancerEvent[] {
  if (why === 'replaced' && isPair(state)) {
    return state.slots
      .filter((slot) => concerns(slot) && slot.leaving === null && slot.replaceFor === undefined)
      .map(({ amphoraId }) => ({ type: 'replacementDue', at, amphoraId, reason }));
  }
  return state.slots
    .filter((slot) => concerns(slot) && (slot.leaving === null || (slot.leaving.why === 'replaced' && why === 'lost')))
    .map(({ amphoraId }) => ({ type: 'amphoraLeaving', at, amphoraId, why, reason }));
}

/** What the end of a step means. The end of a run that the state does not know as running means nothing. */
export function decideStepEnded(
  state: MaybeLoadBalancer,
  ended: StepEnded<LoadBalancerStepResult>,
  at: number,
  policy: RetryPolicy,
): Decision<LoadBalancerEvent, null> {
  if (state?.steps.running[ended.key]?.run !== ended.run) return { type: 'accept', events: [], answer: null };
  const { key, outcome } = ended;
  if (outcome.ok) return decideResult(state, key, outcome.result, at);
  if (outcome.isInterrupted === true || !isWanted(state, key)) {
    return { type: 'accept', events: [{ type: 'stepsInterrupted', keys: [key], at }], answer: null };
  }
  const retry = nextRetry(state.steps, key, outcome.failure, at, policy);
  return { type: 'accept', events: [{ type: 'stepFailed', key, retry, at }], answer: null };
}

function decideResult(
  state: LoadBalancerState,
  key: string,
  result: LoadBalancerStepResult,
  at: number,
): Decision<LoadBalancerEvent, null> {
  const becomes = (...events: readonly LoadBalancerEvent[]) => ({ type: 'accept', events, answer: null }) as const;
  switch (result.type) {
    case 'vipOffered': {
      const { type: _, ...port } = result;
      const addresses = [port, ...(port.additional ?? [])].map(({ address }) => address);
      return {
        ...becomes({ type: 'vipAllocated', at, ...port }),
        claims: addresses.map((address) => vipClaim(state.vip.networkId, address)),
        whenClaimed: (claim) => becomes({ type: 'vipTaken', at, address: claimedAddress(claim) }),
      };
    }
    case 'amphoraGranted': {
      const { amphoraId, role, computeId, agent } = result;
      return becomes({ type: 'amphoraClaimed', at, amphoraId, role, computeId, agent });
    }
    case 'amphoraPlugged': {
      const { amphoraId, port } = result;
      return becomes({ type: 'amphoraPlugged', at, amphoraId, port });
    }
    case 'served': {
      const { type: _, ownPort, ...served } = result;
      const known = state.slots.find(({ amphoraId }) => amphoraId === served.amphoraId)?.ownPort;
      const isNews = ownPort !== undefined && ownPort.portId !== known?.portId;
      return becomes({ type: 'pushAccepted', at, ...served, ...(isNews && { ownPort }) });
    }
    case 'servingRefused':
      return becomes(...decideServingRefused(state, key, result, at));
    case 'amphoraGone': {
      const isGone = (slot: LoadBalancerState['slots'][number]) => slot.amphoraId === result.amphoraId;
      return becomes(...leavingEvents(state, isGone, 'lost', 'it does not exist any more', at));
    }
    case 'amphoraRetired':
      return becomes({ type: 'amphoraRetired', at, amphoraId: result.amphoraId });
    case 'vipReleased':
      return becomes({ type: 'loadBalancerDeleted', at });
  }
}

function decideServingRefused(
  state: LoadBalancerState,
  key: string,
  { amphoraId, reason }: Extract<LoadBalancerStepResult, { type: 'servingRefused' }>,
  at: number,
): readonly LoadBalancerEvent[] {
  if (state.push === null || state.push.carries.length === 0) {
    const message = `the amphora refuses a configuration that it had accepted before: ${reason}`;
    const lastFailure = { message, call: null, requestId: null, permanent: true };
    const policy = { firstDelayMs: 60_000, longestDelayMs: 60_000, budget: 1, errorDelayMs: 60_000 };
    return [{ type: 'stepFailed', key, retry: nextRetry(state.steps, key, lastFailure, at, policy), at }];
  }
  return [{ type: 'pushRefused', at, amphoraId, reason }];
}

/** After a replay: the steps that were under way belong to a process that is gone. */
export function decideResumed(state: MaybeLoadBalancer, at: number): readonly LoadBalancerEvent[] {
  const keys = Object.keys(state?.steps.running ?? {});
  return keys.length === 0 ? [] : [{ type: 'stepsInterrupted', keys, at }];
}

/**
 * Whether the load balancer counts that amphora as its own. `undecided` while a step may still bring it: an amphora that
 * was granted must not be taken back before that step has ended, because its end would claim it all the same.
 */
export function claimOf(state: MaybeLoadBalancer, amphoraId: string): 'claimed' | 'undecided' | 'unclaimed' {
  if (state === undefined || state.deletion === 'done') return 'unclaimed';
  if (state.slots.some((slot) => slot.amphoraId === amphoraId)) return 'claimed';
  return Object.keys(state.steps.running).some(stepKeys.isClaim) ? 'undecided' : 'unclaimed';
}
