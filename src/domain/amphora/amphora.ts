// An amphora as an entity: boot, ready (a spare), allocated, deleted.
import type { EntityDefinition } from '../entity.ts';
import { decideAmphora, decideAmphoraResumed, decideAmphoraStepEnded } from './decide.ts';
import { evolveAmphora } from './evolve.ts';
import { farewells } from './farewells.ts';
import { planAmphora } from './plan.ts';
import type { AmphoraAnswer, AmphoraCommand } from './commands.ts';
import type { AmphoraEvent } from './events.ts';
import type { AmphoraState } from './state.ts';
import type { AmphoraStep, AmphoraStepResult } from './steps.ts';

export interface AmphoraEntity {
  readonly state: AmphoraState;
  readonly command: AmphoraCommand;
  readonly answer: AmphoraAnswer;
  readonly event: AmphoraEvent;
  readonly step: AmphoraStep;
  readonly result: AmphoraStepResult;
}

export const amphora: EntityDefinition<AmphoraEntity> = {
  kind: 'amphora',
  schemaVersion: 4,
  decide: decideAmphora,
  decideStepEnded: decideAmphoraStepEnded,
  decideResumed: decideAmphoraResumed,
  follow: () => undefined,
  evolve: evolveAmphora,
  plan: planAmphora,
  isCreation: (command) => command.type === 'createAmphora',
  isGone: (state) => state.deletion?.done === true,
  isOver: (state) => state.deletion?.done === true && farewells(state).length === 0,
  stepTimeoutMs: (step, { callMs, bootMs }) => (step.type === 'awaitAgent' ? bootMs : callMs),
};
