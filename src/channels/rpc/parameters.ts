// Parameters of methods: what is taken, and what the documentation says of it.
import { z } from 'zod';
import { type JsonSchema, traitsOfValue } from './values.ts';

export interface Parameter<out T> {
  readonly schema: z.ZodType<T>;
  readonly doc: ParameterDoc;
}

export interface ParameterDoc {
  readonly expects: string;
  readonly json?: JsonSchema | undefined;
  readonly meaning: string;
  readonly isRequired: boolean;
  /** What it is when it is not given; undefined when there is no such value. */
  readonly initial?: unknown;
  /** Known, and always refused. */
  readonly isImmutable?: boolean | undefined;
  /** Parameters of the object, or of each object in the list, that it takes. */
  readonly nested?: Parameters | undefined;
}

/** `params.kind` of zod's custom issues that are more than a wrong value. */
export const issueKinds = {
  /** The attribute can never be changed. */
  immutable: 'immutable',
  /** The value is known, and this version cannot do it. */
  unsupported: 'unsupported',
} as const;

export type Parameters = Readonly<Record<string, Parameter<unknown>>>;

/** What a handler gets. */
export type Given<P extends Parameters> = { readonly [K in keyof P]: P[K] extends Parameter<infer T> ? T : never };

export function needed<T>(schema: z.ZodType<T>, meaning: string): Parameter<T> {
  return { schema, doc: { ...traitsOfValue(schema), meaning, isRequired: true } };
}

/** May be left out; null is the same as leaving it out. */
export function withDefault<T>(schema: z.ZodType<T>, initial: T, meaning: string): Parameter<T> {
  return {
    schema: schema.nullish().transform((given) => given ?? initial),
    doc: { ...traitsOfValue(schema), meaning, isRequired: false, initial },
  };
}

/** May be left out, and is null then. */
export function maybe<T>(schema: z.ZodType<T>, meaning: string): Parameter<T | null> {
  return {
    schema: schema.nullish().transform((given) => given ?? null),
    doc: { ...traitsOfValue(schema), meaning, isRequired: false },
  };
}

/** An object with parameters of its own. Attributes that are not among them are refused. */
export function objectOf<P extends Parameters>(nested: P): z.ZodType<Given<P>> {
  const fields = Object.entries(nested).map(([name, { schema }]) => [name, schema] as const);
  // What `Object.fromEntries` forgets: which name has which schema.
  return z.strictObject(Object.fromEntries(fields), { error: objectError }) as unknown as z.ZodType<Given<P>>;
}

/** zod's own words for what an object can have wrong, except for unknown attributes, which are named by the reader of issues. */
const objectError = (issue: { readonly code?: string | undefined }) =>
  issue.code === 'invalid_type' ? 'An object.' : undefined;

/** A list of such objects. */
export function listOf<T>(schema: z.ZodType<T>, most: number): z.ZodType<readonly T[]> {
  const message = `A list of at most ${most} objects.`;
  return z.array(schema, { error: message }).max(most, { error: message }).readonly();
}
