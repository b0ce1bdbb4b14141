// What `decide` of any entity answers. A decision is data: the actor carries it out.

/** Why a command is refused. The message names the field, what was expected and what was given. */
export interface Refusal {
  readonly code: RefusalCode;
  readonly message: string;
  readonly field?: string | undefined;
}

export type RefusalCode = 'notFound' | 'conflict' | 'invalid' | 'immutable' | 'commandIdReused' | 'quota';

/** Something that only one entity may hold, such as an address. A row with a constraint, written with the events. */
export interface Claim {
  readonly kind: 'vip';
  readonly value: string;
}

export type Decision<Event, Answer> =
  | {
      readonly type: 'accept';
      readonly events: readonly Event[];
      readonly answer: Answer;
      readonly claims?: readonly Claim[] | undefined;
      /** What to decide instead when somebody else holds one of the claims. */
      readonly whenClaimed?: ((claim: Claim) => Decision<Event, Answer>) | undefined;
    }
  | { readonly type: 'refuse'; readonly refusal: Refusal };

export function refuse(code: RefusalCode, message: string, field?: string): Decision<never, never> {
  return { type: 'refuse', refusal: { code, message, field } };
}
