// Values that the API knows and this version cannot do: refused with a code and a sentence of their own.
import { z } from 'zod';
import { issueKinds } from './parameters.ts';
import { traitsOfValue, valueTraits } from './values.ts';

/** The same kind of value. Strings in `unsupported` are refused with the sentence that stands there. */
export function except<T>(schema: z.ZodType<T>, unsupported: Readonly<Record<string, string>>): z.ZodType<T> {
  const checked = z.unknown().transform((given, context): T => {
    const sentence = typeof given === 'string' && Object.hasOwn(unsupported, given) ? unsupported[given] : undefined;
    if (sentence !== undefined) {
      const params = { kind: issueKinds.unsupported };
      context.issues.push({ code: 'custom', input: given, message: sentence, params });
      return z.NEVER;
    }
    const parsed = schema.safeParse(given);
    if (parsed.success) return parsed.data;
    for (const issue of parsed.error.issues) context.issues.push({ ...issue, input: given } as z.core.$ZodRawIssue);
    return z.NEVER;
  });
  return checked.register(valueTraits, traitsOfValue(schema));
}
