// The load balancer as an entity: its functions under one name.
import type { EntityDefinition } from '../entity.ts';
import type { CommandAnswer, LoadBalancerCommand } from './commands.ts';
import { decideLoadBalancer, decideResumed, decideStepEnded } from './decide.ts';
import type { LoadBalancerEvent } from './events.ts';
import { evolveLoadBalancer } from './evolve.ts';
import { planLoadBalancer } from './plan.ts';
import { followingEvent } from './push.ts';
import { additionOf } from '../quota.ts';
import type { LoadBalancerState } from './state.ts';
import type { LoadBalancerStep, LoadBalancerStepResult } from './steps.ts';

export interface LoadBalancerEntity {
  readonly state: LoadBalancerState;
  readonly command: LoadBalancerCommand;
  readonly answer: CommandAnswer;
  readonly event: LoadBalancerEvent;
  readonly step: LoadBalancerStep;
  readonly result: LoadBalancerStepResult;
}

export const loadBalancer: EntityDefinition<LoadBalancerEntity> = {
  kind: 'loadBalancer',
  // 3: amphorae of a pair have ports, and take turns in being replaced. What version 2 wrote means the same.
  // 4: listeners and pools have attributes of TLS.
  // 5: amphorae may be shared.
  schemaVersion: 5,
  decide: decideLoadBalancer,
  decideStepEnded,
  decideResumed,
  follow: followingEvent,
  evolve: evolveLoadBalancer,
  plan: planLoadBalancer,
  isCreation: (command) => command.type === 'createLoadBalancer',
  additionOf,
  isGone: (state) => state.deletion === 'done',
  isOver: (state) => state.deletion === 'done',
  stepTimeoutMs: (step, { callMs, bootMs }) => (step.type === 'claimAmphora' ? bootMs : callMs),
};
