// Attributes of an object, described once: from the description follow what a create and an update take, and the
// documentation. `shape<A>` has the compiler check that a description covers exactly the attributes of the domain's type.
import { z } from 'zod';
import type { Patch } from '../../domain/load-balancer/commands.ts';
import { issueKinds, type Parameter } from '../rpc/parameters.ts';
import { traitsOfValue } from '../rpc/values.ts';

export interface Attribute<in out T> {
  /** Checks a value that is given. */
  readonly value: z.ZodType<T>;
  readonly meaning: string;
  /** What it is when not given, or given as null. Undefined: it must be given. */
  readonly initial: T | undefined;
  /** What an update with null makes of it. */
  readonly reset: T | undefined;
  readonly isMutable: boolean;
}

export type Shape<A> = { readonly [K in keyof A]-?: Attribute<A[K]> };

/** The description of all attributes of `A`. */
export function shape<A extends object>(attributes: Shape<A>): Shape<A> {
  return attributes;
}

/** May be left out; an update with null resets it. */
export function optional<T>(value: z.ZodType<T>, initial: NoInfer<T>, meaning: string): Attribute<T> {
  return { value, meaning, initial, reset: initial, isMutable: true };
}

/** Must be given at create and can be changed, but not reset. */
export function required<T>(value: z.ZodType<T>, meaning: string): Attribute<T> {
  return { value, meaning, initial: undefined, reset: undefined, isMutable: true };
}

/** Given at create for good. */
export function fixed<T>(attribute: Attribute<T>): Attribute<T> {
  return { ...attribute, isMutable: false };
}

/** An update with null means `reset`, not the value it begins with. */
export function resetsTo<T>(reset: T, attribute: Attribute<T>): Attribute<T> {
  return { ...attribute, reset };
}

export type CreationOf<A> = { readonly [K in keyof A]: Parameter<A[K]> };
export type ChangeOf<A> = { readonly [K in keyof A]: Parameter<A[K] | undefined> };

/** Parameters of a create: complete afterwards, defaults filled in. */
export function creation<A>(description: Shape<A>): CreationOf<A> {
  return mapped(description, ({ value, meaning, initial }) => {
    const traits = traitsOfValue(value);
    if (initial === undefined) return { schema: value, doc: { ...traits, meaning, isRequired: true } };
    const schema = value.nullish().transform((given) => given ?? initial);
    return { schema, doc: { ...traits, meaning, isRequired: false, initial } };
  }) as CreationOf<A>;
}

/** Parameters of an update: those given, null replaced by what it stands for. */
export function change<A>(description: Shape<A>): ChangeOf<A> {
  return mapped(description, ({ value, meaning, initial, reset, isMutable }) => {
    const doc = { ...traitsOfValue(value), meaning, isRequired: false };
    if (!isMutable) return { schema: immutable, doc: { ...doc, isImmutable: true } };
    if (initial === undefined || reset === undefined) return { schema: value.optional(), doc };
    return { schema: value.nullish().transform((given) => (given === null ? reset : given)), doc };
  }) as ChangeOf<A>;
}

const immutable = z
  .unknown()
  .optional()
  .superRefine((given, context) => {
    if (given === undefined) return;
    context.addIssue({
      code: 'custom',
      message: 'It is set at create and cannot be changed.',
      params: { kind: issueKinds.immutable },
    });
  });

/** The attributes among other parameters. */
export function attributesIn<A extends object>(description: Shape<A>, params: A): A {
  return pick(description, params);
}

/** The attributes to change among other parameters. */
export function patchIn<A>(description: Shape<A>, params: Patch<A>): Patch<A> {
  return pick(description, params);
}

function pick<P extends object>(description: object, params: P): P {
  const names = new Set(Object.keys(description));
  const given = Object.entries(params).filter(([name, value]) => names.has(name) && value !== undefined);
  return Object.fromEntries(given) as P;
}

function mapped<A>(
  description: Shape<A>,
  map: (attribute: Attribute<unknown>) => Parameter<unknown>,
): Record<string, Parameter<unknown>> {
  const entries = Object.entries(description) as [string, Attribute<unknown>][];
  return Object.fromEntries(entries.map(([name, attribute]) => [name, map(attribute)]));
}
