// Finds out every setting's value: default, then YAML file, then environment, then command line; the last one wins.
// All that is wrong is said at once, each with where it stands.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parse, YAMLParseError } from 'yaml';
import { conflictsIn } from './conflicts.ts';
import { nearest, type SettingKey, settingKeys } from './keys.ts';
import { type Config, driverDefaults, drivers } from './schema.ts';

/** Settings that cannot be used. `problems` holds a sentence each; the message is all of them, a line each. */
export class ConfigError extends Error {
  readonly problems: readonly string[];
  constructor(problems: readonly string[], cause?: unknown) {
    super(problems.join('\n'), { cause });
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

export interface LoadConfig {
  /** Path of a YAML file. */
  readonly file?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** From the command line: path of a setting → value; undefined values are passed over. */
  readonly overrides?: Readonly<Record<string, unknown>> | undefined;
}

export interface LoadedConfig {
  readonly config: Config;
  /** Path of a setting → where its value came from, such as `default`, `AMPHI_DRIVER` or `/etc/amphi.yaml`. */
  readonly sources: ReadonlyMap<string, string>;
}

/** One place that gives values: raw by path. */
interface Layer {
  readonly values: ReadonlyMap<string, { readonly value: unknown; readonly source: string }>;
  readonly problems: readonly string[];
}

/** Variables with our prefix that are no settings: they belong to clients and tests. */
const foreignVariables = /^AMPHI_(CONFIG|URL|TOKEN|CA|CERT|KEY|TEST_.*)$/;

/**
 * Loads, checks and freezes the settings. Paths of folders come out absolute.
 * @throws ConfigError naming every key that is unknown or has a wrong value, with its source, what was expected and given.
 */
export function loadConfig({ file, env, overrides = {} }: LoadConfig): LoadedConfig {
  const layers = [file === undefined ? emptyLayer : fromFile(file), fromEnvironment(env), fromCommandLine(overrides)];
  const given = new Map(layers.flatMap((layer) => [...layer.values]));
  const problems = layers.flatMap((layer) => layer.problems);
  const sources = new Map<string, string>();
  const values = new Map<string, unknown>();
  const defaults = defaultsOf(given.get('driver')?.value);

  for (const key of settingKeys) {
    const chosen = given.get(key.path) ?? { value: defaults[key.path], source: 'default' };
    const parsed = key.schema.safeParse(chosen.value);
    if (parsed.success) {
      values.set(key.path, parsed.data);
      sources.set(key.path, chosen.source);
    } else {
      problems.push(`${key.path} (${chosen.source}): expected ${key.traits.expects}, got ${shown(key, chosen.value)}`);
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
  values.set('dataDir', resolve(String(values.get('dataDir'))));
  // Every value has passed its key's check, and the keys are those of the schema that `Config` comes from.
  const config = nested(values) as unknown as Config;
  const conflicts = conflictsIn(config);
  if (conflicts.length > 0) throw new ConfigError(conflicts);
  return { config, sources };
}

const emptyLayer: Layer = { values: new Map(), problems: [] };

function defaultsOf(driver: unknown): Readonly<Record<string, unknown>> {
  return driverDefaults[drivers.find((known) => known === driver) ?? 'local'];
}

function fromFile(file: string): Layer {
  const content = readYaml(file);
  if (content === null || content === undefined) return emptyLayer;
  if (!isSection(content)) throw new ConfigError([`${file}: expected keys and values, got ${JSON.stringify(content)}`]);
  const values = new Map<string, { value: unknown; source: string }>();
  const problems: string[] = [];
  const sections = new Set(settingKeys.flatMap(({ path }) => sectionsOf(path)));
  const visit = (section: Record<string, unknown>, prefix: string): void => {
    for (const [name, value] of Object.entries(section)) {
      const path = prefix + name;
      if (settingKeys.some((key) => key.path === path)) values.set(path, { value: value ?? undefined, source: file });
      else if (!sections.has(path))
        problems.push(
          unknownKey(
            path,
            file,
            settingKeys.map((key) => key.path),
          ),
        );
      else if (isSection(value)) visit(value, `${path}.`);
      else if (value !== null)
        problems.push(`${path} (${file}): expected a section with keys, got ${JSON.stringify(value)}`);
    }
  };
  visit(content, '');
  return { values, problems };
}

/** `a.b.c` → `a`, `a.b`. */
function sectionsOf(path: string): readonly string[] {
  const names = path.split('.').slice(0, -1);
  return names.map((_, index) => names.slice(0, index + 1).join('.'));
}

function readYaml(file: string): unknown {
  try {
    return parse(readFileSync(file, 'utf8'));
  } catch (error) {
    const what = error instanceof YAMLParseError ? 'is not YAML' : 'cannot be read';
    throw new ConfigError([`${file} ${what}: ${(error as Error).message.trimEnd()}`], error);
  }
}

function isSection(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function fromEnvironment(env: LoadConfig['env']): Layer {
  const values = new Map<string, { value: unknown; source: string }>();
  const problems: string[] = [];
  if (env['DATABASE_URL']) values.set('database.url', { value: env['DATABASE_URL'], source: 'DATABASE_URL' });
  for (const [variable, text] of Object.entries(env)) {
    // An empty variable is how shells and container files say "not set".
    if (!variable.startsWith('AMPHI_') || !text || foreignVariables.test(variable)) continue;
    const key = settingKeys.find((known) => known.variable === variable);
    if (key === undefined)
      problems.push(
        unknownKey(
          variable,
          'environment',
          settingKeys.map((known) => known.variable),
        ),
      );
    else values.set(key.path, { value: fromText(key, text), source: variable });
  }
  return { values, problems };
}

/** A number or a flag that is none stays text, so that the check says what was given. */
function fromText(key: SettingKey, text: string): unknown {
  switch (key.traits.kind) {
    case 'number':
      return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
    case 'flag':
      return text === 'true' || text === 'false' ? text === 'true' : text;
    case 'list':
      return text.split(',').map((item) => item.trim());
    case 'text':
      return text;
  }
}

function fromCommandLine(overrides: Readonly<Record<string, unknown>>): Layer {
  const given = Object.entries(overrides).filter(([, value]) => value !== undefined);
  const known = settingKeys.map((key) => key.path);
  return {
    values: new Map(given.map(([path, value]) => [path, { value, source: 'command line' }])),
    problems: given.filter(([path]) => !known.includes(path)).map(([path]) => unknownKey(path, 'command line', known)),
  };
}

function unknownKey(name: string, source: string, known: readonly string[]): string {
  const hint = nearest(name, known);
  return `${name} (${source}): no such setting${hint === undefined ? '' : `; did you mean ${hint}?`}`;
}

function shown(key: SettingKey, value: unknown): string {
  if (value === undefined) return 'nothing';
  return key.traits.secret === undefined ? JSON.stringify(value) : 'a value that is not shown because it is a secret';
}

/** `{ 'a.b': 1 }` → `{ a: { b: 1 } }`, frozen. */
function nested(values: ReadonlyMap<string, unknown>): Readonly<Record<string, unknown>> {
  const root: Record<string, unknown> = {};
  for (const [path, value] of values) {
    const names = path.split('.');
    const last = names.pop() ?? '';
    let section = root;
    for (const name of names) section = (section[name] ??= {}) as Record<string, unknown>;
    section[last] = value;
  }
  return frozen(root);
}

function frozen<T extends object>(value: T): T {
  for (const inner of Object.values(value)) if (typeof inner === 'object' && inner !== null) frozen(inner);
  return Object.freeze(value);
}
