// Kinds of values that attributes and parameters have: what is taken, and one sentence that says so. The sentence ends
// the error message and stands in the documentation.
import { z } from 'zod';
import { isUuid } from '../../domain/ids.ts';

export interface ValueTraits {
  /** A full sentence without "expected": `A whole number from 1 to 65535.` */
  readonly expects: string;
  /** What is taken as JSON Schema (2020-12), for descriptions of APIs. */
  readonly json?: JsonSchema | undefined;
}

export type JsonSchema = Readonly<Record<string, unknown>>;

export const valueTraits = z.registry<ValueTraits>();

/** @throws Error for a schema that was not made here, which is a mistake of ours. */
export function traitsOfValue(value: z.ZodType): ValueTraits {
  const traits = valueTraits.get(value);
  if (traits === undefined) throw new Error('a value without traits: make it with a function of rpc/values.ts');
  return traits;
}

/** A value that `schema` takes. Whatever is wrong with it, there is one problem, and its message is `expects`. */
export function value<T>(expects: string, schema: z.ZodType<T>, json = jsonSchemaOf(schema)): z.ZodType<T> {
  const checked = z.unknown().transform((given, context): T => {
    const parsed = schema.safeParse(given);
    if (parsed.success) return parsed.data;
    const message = given === undefined ? 'Mandatory field missing.' : expects;
    context.issues.push({ code: 'custom', input: given, message });
    return z.NEVER;
  });
  return checked.register(valueTraits, { expects, json });
}

/** What zod can say of it; checks by functions are left out. */
function jsonSchemaOf(schema: z.ZodType): JsonSchema {
  const { $schema: _, ...json } = z.toJSONSchema(schema, { unrepresentable: 'any', io: 'input' });
  return json;
}

/** PostgreSQL takes neither NUL nor half a surrogate pair. */
export const storable = /^[^\0\p{Cs}]*$/u;

export function text({ min = 0, max }: { readonly min?: number; readonly max: number }): z.ZodType<string> {
  const schema = z.string().min(min).max(max).regex(storable);
  return value(
    min === 0 ? `A string of at most ${max} characters.` : `A string of ${min} to ${max} characters.`,
    schema,
  );
}

/** Text that matches. */
export function textLike(expects: string, pattern: RegExp, max = 255): z.ZodType<string> {
  return value(expects, z.string().max(max).regex(pattern));
}

export function wholeNumber({ min, max }: { readonly min: number; readonly max: number }): z.ZodType<number> {
  return value(`A whole number from ${min} to ${max}.`, z.number().int().min(min).max(max));
}

/** An object that only programs of ours write: what is in it is read where it is used. */
export function trustedObject<T extends object>(): z.ZodType<T> {
  return value<T>(
    'An object.',
    z.custom<T>((given) => typeof given === 'object' && given !== null && !Array.isArray(given)),
  );
}

/** The same for a list. */
export function trustedList<T>(): z.ZodType<readonly T[]> {
  return value<readonly T[]>(
    'A list.',
    z.custom<readonly T[]>((given) => Array.isArray(given)),
  );
}

export function port(): z.ZodType<number> {
  return wholeNumber({ min: 1, max: 65_535 });
}

export function flag(): z.ZodType<boolean> {
  return value('true or false.', z.boolean());
}

export function oneOf<const T extends readonly [string | number, ...(string | number)[]]>(
  choices: T,
): z.ZodType<T[number]> {
  return value<T[number]>(
    `One of ${choices.join(', ')}.`,
    z.custom<T[number]>((given) => choices.some((choice) => choice === given)),
    { enum: [...choices] },
  );
}

/** The id of an object. */
export function objectId<T extends string>(): z.ZodType<T> {
  const schema = z.custom<T>((given) => typeof given === 'string' && isUuid(given));
  return value('A UUID in lower case.', schema, { type: 'string', format: 'uuid' });
}

/** The same value, or null. */
export function orNull<T>(schema: z.ZodType<T>): z.ZodType<T | null> {
  const { expects, json = {} } = traitsOfValue(schema);
  return value(`${expects.slice(0, -1)}, or null.`, schema.nullable(), { anyOf: [json, { type: 'null' }] });
}
