// Names of attributes: the domain's are in camel case, the API's in snake case, with Octavia's own spellings of
// `loadbalancer`, `healthmonitor` and `l7policy`.

const memo = new Map<string, string>();

/** `loadBalancerId` → `loadbalancer_id`. */
export function apiName(name: string): string {
  let known = memo.get(name);
  if (known === undefined) {
    known = name
      .replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
      .replace('load_balancer', 'loadbalancer')
      .replace('health_monitor', 'healthmonitor')
      .replace(/l7_(policy|policies|rule)/, 'l7$1');
    // Names come from our own tables; what comes from outside is only ever looked up.
    if (memo.size < 10_000) memo.set(name, known);
  }
  return known;
}

/** `listeners[0].protocolPort` → `listeners[0].protocol_port`. Header names and the like stay as they are. */
export function apiPath(path: string): string {
  return path
    .split('.')
    .map((part) => (/^[a-z][A-Za-z0-9]*(\[\d+\])?$/.test(part) ? apiName(part) : part))
    .join('.');
}

/** `loadbalancer_id` → `load_balancer_id`: the tables' spelling. */
export function columnName(name: string): string {
  return name
    .replace(/^loadbalancer_/, 'load_balancer_')
    .replace(/^healthmonitor_/, 'health_monitor_')
    .replace(/^l7policy_/, 'l7_policy_')
    .replace(/^tenant_id$/, 'project_id');
}

/** Attributes whose values are objects with names of ours, as opposed to headers of HTTP; and these names. */
export const namedObjects: ReadonlyMap<string, readonly string[]> = new Map([
  ['sessionPersistence', ['cookieName', 'persistenceTimeout', 'persistenceGranularity']],
  ['additionalVips', ['subnetId', 'ipAddress', 'portId']],
]);

/** The same object, or a list of such, with other names; values inside stay as they are. */
export function renamed(value: unknown, rename: (name: string) => string): unknown {
  if (Array.isArray(value)) return value.map((one) => renamed(one, rename));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]: [string, unknown]) => [rename(name), inner]));
}

/** `cookie_name` → `cookieName`. Of names that are ours already, nothing becomes one of ours. */
export function domainName(name: string): string {
  return /[A-Z]/.test(name) ? `${name} ` : name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
