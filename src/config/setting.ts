// What one setting is: a zod schema that checks its value, registered with what people need to know about it. The
// functions here make the kinds of setting there are; the settings themselves stand in schema.ts.
import { z } from 'zod';

export interface SettingTraits {
  /** How a value from an environment variable, which is text, is read. */
  readonly kind: 'number' | 'flag' | 'text' | 'list';
  /** Ends the sentence "expected …". */
  readonly expects: string;
  /** Never shown: `amphi config show` prints stars. `password` hides only the password inside a URL. */
  readonly secret?: 'whole' | 'password';
}

/** Traits by schema; the description of a setting is in zod's own registry (`schema.description`). */
export const traits = z.registry<SettingTraits>();

interface Bounds {
  readonly min: number;
  readonly max: number;
}

/** A whole number. `noun` ends the sentence "expected a whole number of …". */
export function count(noun: string, { min, max }: Bounds) {
  return z
    .number()
    .int()
    .min(min)
    .max(max)
    .register(traits, { kind: 'number', expects: `a whole number of ${noun} from ${min} to ${max}` });
}

/** A time in seconds, fractions allowed. */
export function seconds({ min, max }: Bounds) {
  return z
    .number()
    .min(min)
    .max(max)
    .register(traits, { kind: 'number', expects: `a number of seconds from ${min} to ${max}` });
}

/** A part of a whole. */
export function share() {
  return z.number().gt(0).max(1).register(traits, { kind: 'number', expects: 'a number above 0, at most 1' });
}

/** Yes or no. */
export function flag() {
  return z.boolean().register(traits, { kind: 'flag', expects: 'true or false' });
}

export function port() {
  return z
    .number()
    .int()
    .min(0)
    .max(65_535)
    .register(traits, { kind: 'number', expects: 'a port from 0 to 65535 (0 takes a free one)' });
}

export function text(expects: string, pattern = /\S/) {
  return z.string().regex(pattern).register(traits, { kind: 'text', expects });
}

export function choice<const T extends readonly [string, ...string[]]>(values: T) {
  return z.enum(values).register(traits, { kind: 'text', expects: `one of ${values.join(', ')}` });
}

/** A list without repetitions; in an environment variable its values are separated by commas. */
export function listOf<const T extends readonly [string, ...string[]]>(values: T) {
  return z
    .array(z.enum(values))
    .min(1)
    .refine((chosen) => new Set(chosen).size === chosen.length)
    .register(traits, { kind: 'list', expects: `a list of ${values.join(', ')}, none of them twice` });
}

/** A list of texts; in an environment variable they are separated by commas. */
export function texts(expects: string, pattern: RegExp) {
  return z.array(z.string().regex(pattern)).min(1).register(traits, { kind: 'list', expects });
}

/** A list of places in a network; in an environment variable they are separated by commas. */
export function addresses() {
  return z
    .array(z.string().regex(/^\S+:\d{1,5}$/))
    .min(1)
    .register(traits, { kind: 'list', expects: 'a list of host:port' });
}

/** A subnet of loopback addresses. */
export function loopbackSubnet() {
  const octet = '(25[0-5]|2[0-4]\\d|1?\\d?\\d)';
  return text(
    'a subnet of 127.0.0.0/8 in CIDR notation, from /9 to /29',
    new RegExp(`^127\\.${octet}\\.${octet}\\.${octet}/(9|1\\d|2\\d)$`),
  );
}

/** The setting with a default, its traits kept. */
export function withDefault<S extends z.ZodType>(schema: S, value: z.util.NoUndefined<z.output<S>>): z.ZodDefault<S> {
  return keepTraits(schema, z._default(schema, value));
}

/** The setting when it may be missing, its traits kept. */
export function maybe<S extends z.ZodType>(schema: S): z.ZodOptional<S> {
  return keepTraits(schema, z.optional(schema));
}

/** Marks a setting as one that must not be shown. */
export function secret<S extends z.ZodType>(schema: S, which: 'whole' | 'password' = 'whole'): S {
  traits.add(schema as z.ZodType, { ...traitsOf(schema), secret: which });
  return schema;
}

/** @throws Error for a schema that was not made by a function of this file, which is a mistake in schema.ts. */
export function traitsOf(schema: z.ZodType): SettingTraits {
  const known = traits.get(schema);
  if (known === undefined) throw new Error('a setting without traits: make it with a function of config/setting.ts');
  return known;
}

function keepTraits<S extends z.ZodType>(from: z.ZodType, to: S): S {
  traits.add(to as z.ZodType, traitsOf(from));
  return to;
}
