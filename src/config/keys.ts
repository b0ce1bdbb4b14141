// The settings as a flat list: path, environment variable, schema. Everything here follows from schema.ts.
import { z } from 'zod';
import { schema } from './schema.ts';
import { type SettingTraits, traitsOf } from './setting.ts';

export interface SettingKey {
  /** Path in the YAML file, such as `heartbeat.interval`. */
  readonly path: string;
  /** Such as `AMPHI_HEARTBEAT_INTERVAL`. */
  readonly variable: string;
  readonly schema: z.ZodType;
  readonly traits: SettingTraits;
  readonly description: string;
}

/** The environment variable of a setting: `dataDir` → `AMPHI_DATA_DIR`. */
export function variableOf(path: string): string {
  return `AMPHI_${path
    .replace(/([a-z\d])([A-Z])/g, '$1_$2')
    .replaceAll('.', '_')
    .toUpperCase()}`;
}

function leaves(object: z.ZodObject, prefix: string): SettingKey[] {
  return Object.entries(object.shape).flatMap(([name, inner]) => {
    const path = prefix + name;
    if (inner instanceof z.ZodObject) return leaves(inner, `${path}.`);
    const leaf = inner as z.ZodType;
    return [
      { path, variable: variableOf(path), schema: leaf, traits: traitsOf(leaf), description: leaf.description ?? '' },
    ];
  });
}

export const settingKeys: readonly SettingKey[] = leaves(schema, '');

/** The known name most like `name`, when one is like it at all. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const ranked = known
    .map((candidate) => ({ candidate, distance: editDistance(name.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)[0];
  return ranked !== undefined && ranked.distance <= Math.max(2, name.length / 3) ? ranked.candidate : undefined;
}

/** Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const substituted = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min((previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1, substituted));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}
