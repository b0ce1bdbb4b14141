// What `amphi config show` prints: every setting with its value, where it came from and what it means. Secrets are stars.
import { settingKeys } from './keys.ts';
import type { LoadedConfig } from './load.ts';

export interface DescribedSetting {
  readonly path: string;
  readonly variable: string;
  /** Fit to be shown: secrets are replaced by `***`; undefined when not set. */
  readonly value: unknown;
  readonly source: string;
  readonly description: string;
}

/** All settings in the order of the schema. */
export function describeConfig({ config, sources }: LoadedConfig): readonly DescribedSetting[] {
  return settingKeys.map(({ path, variable, description, traits }) => {
    const value = valueAt(config, path);
    return {
      path,
      variable,
      value: value === undefined || traits.secret === undefined ? value : redact(value, traits.secret),
      source: value === undefined ? 'not set' : (sources.get(path) ?? 'default'),
      description,
    };
  });
}

function valueAt(config: object, path: string): unknown {
  return path.split('.').reduce<unknown>((inner, name) => (inner as Record<string, unknown>)[name], config);
}

/** A password stands between `user:` and `@`, or in the query. */
function redact(value: unknown, which: 'whole' | 'password'): string {
  if (which === 'whole' || typeof value !== 'string') return '***';
  return value.replace(/(:\/\/[^:/?#]*:).*(@)/, '$1***$2').replace(/([?&]password=)[^&]*/gi, '$1***');
}
