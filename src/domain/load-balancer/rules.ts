// What must hold in a tree whoever changes it. Fault strings are Octavia's where clients match on them.
import type { Decision, Refusal } from '../decision.ts';
import { refuse } from '../decision.ts';
import type { PoolId } from '../ids.ts';
import type {
  HealthMonitorAttributes,
  ListenerAttributes,
  ListenerProtocol,
  PoolAttributes,
  PoolProtocol,
} from './attributes.ts';
import {
  brokenDatagramListenerRule,
  brokenDatagramPersistenceRule,
  brokenMonitorTypeRule,
  transportOf,
} from './datagram-rules.ts';
import type { ObjectChange } from './events.ts';
import { brokenL7RuleRule, brokenPolicyRule } from './policy-rules.ts';
import type { LoadBalancerState } from './state.ts';
import { brokenListenerTlsRule, brokenPoolTlsRule } from './tls-rules.ts';
import { addressesOfVip, desired, findDesired } from './tree.ts';

/** Pool protocols that a listener of a protocol can hand connections to (API reference, "Protocol Combinations"). */
const compatiblePools: Readonly<Record<ListenerProtocol, readonly PoolProtocol[]>> = {
  TCP: ['TCP', 'HTTP', 'HTTPS', 'PROXY', 'PROXYV2'],
  HTTP: ['HTTP', 'PROXY', 'PROXYV2'],
  HTTPS: ['HTTPS', 'TCP', 'PROXY', 'PROXYV2'],
  TERMINATED_HTTPS: ['HTTP', 'PROXY', 'PROXYV2'],
  PROMETHEUS: [],
  UDP: ['UDP'],
  SCTP: ['SCTP'],
};

/** What a health monitor's request has when nobody says otherwise. A monitor that makes no requests has nothing else. */
export const requestDefaults = {
  httpMethod: 'GET',
  urlPath: '/',
  expectedCodes: '200',
  httpVersion: 1.0,
  domainName: null,
} as const satisfies Partial<HealthMonitorAttributes>;

/** How Octavia calls each kind of object in its messages. */
export const kindNames = {
  loadBalancer: 'Load Balancer',
  listener: 'Listener',
  pool: 'Pool',
  member: 'Member',
  healthMonitor: 'Health Monitor',
  l7Policy: 'L7 Policy',
  l7Rule: 'L7 Rule',
} as const;

/** The first rule that the tree breaks where it was changed; undefined when it holds. `state` has the changes in it. */
export function brokenRule(state: LoadBalancerState, changes: readonly ObjectChange[]): Refusal | undefined {
  for (const change of changes) {
    if (change.form === null) continue;
    const refusal = brokenRuleOf(state, change);
    if (refusal?.type === 'refuse') return refusal.refusal;
  }
  return undefined;
}

function brokenRuleOf(state: LoadBalancerState, change: ObjectChange): Decision<never, never> | undefined {
  switch (change.kind) {
    case 'loadBalancer':
      return brokenSecurityGroupRule(state);
    case 'listener':
      return brokenListenerRule(state, change);
    case 'pool':
      return brokenPoolRule(state, change);
    case 'member':
      return brokenMemberRule(state, change);
    case 'healthMonitor':
      return brokenHealthMonitorRule(state, change);
    case 'l7Policy':
      return brokenPolicyRule(state, change, (protocol, poolId) =>
        brokenUseRule(state, protocol, poolId, 'redirectPoolId'),
      );
    case 'l7Rule':
      return brokenL7RuleRule(state, change);
  }
}

type Broken = Decision<never, never> | undefined;
type Change<K extends ObjectChange['kind']> = Extract<ObjectChange, { kind: K }>;

function brokenListenerRule(state: LoadBalancerState, { id, form }: Change<'listener'>) {
  if (form === null) return undefined;
  const { protocol, protocolPort, defaultPoolId, allowedCidrs } = form;
  const ownRule = brokenHeaderRule(form) ?? brokenListenerTlsRule(form) ?? brokenDatagramListenerRule(form);
  if (ownRule !== undefined) return ownRule;
  const outsider = brokenCidrRule(state, allowedCidrs) ?? brokenSecurityGroupRule(state);
  if (outsider !== undefined) return outsider;
  const transport = transportOf(protocol);
  const isTwin = ({ form: other }: { readonly form: ListenerAttributes }) =>
    other.protocolPort === protocolPort && transportOf(other.protocol) === transport;
  if (desired(state, 'listener').some((other) => other.id !== id && isTwin(other))) {
    return refuse(
      'conflict',
      `Another Listener on this Load Balancer is already using protocol ${protocol} and protocol_port ${protocolPort}`,
      'protocolPort',
    );
  }
  return defaultPoolId === null ? undefined : brokenUseRule(state, protocol, defaultPoolId, 'defaultPoolId');
}

function brokenHeaderRule({ protocol, insertHeaders }: ListenerAttributes) {
  const names = Object.keys(insertHeaders);
  const refused = (what: string) =>
    refuse('invalid', `${what} is not a valid option for a ${protocol} protocol listener.`, 'insertHeaders');
  if (protocol === 'TERMINATED_HTTPS' || names.length === 0) return undefined;
  if (protocol !== 'HTTP') return refused('insert-headers');
  const ofTls = names.filter((name) => name.startsWith('X-SSL-'));
  return ofTls.length === 0 ? undefined : refused(ofTls.join(', '));
}

/** Whoever brings groups of their own says with them who may come. A port of SR-IOV has none. */
function brokenSecurityGroupRule(state: LoadBalancerState): Broken {
  const hasGroups = (desired(state, 'loadBalancer')[0]?.form.vipSgIds ?? []).length > 0;
  if (hasGroups && state.vip.vnicType === 'direct') {
    const what = 'VIP Security Groups are not allowed with VNIC direct type';
    return refuse('invalid', `Validation failure: ${what}`, 'vipSgIds');
  }
  const hasCidrs = hasGroups && desired(state, 'listener').some(({ form }) => form.allowedCidrs.length > 0);
  if (!hasCidrs) return undefined;
  const message =
    'Validation failure: allowed_cidrs of listeners and vip_sg_ids of their load balancer exclude each other';
  return refuse('invalid', message, 'vipSgIds');
}

function brokenCidrRule({ vip }: LoadBalancerState, allowedCidrs: readonly string[]) {
  const requested = [vip, ...(vip.additional ?? [])].map(({ requestedAddress }) => requestedAddress);
  // The version of an address that is not chosen yet is not known.
  if (vip.port === null && requested.includes(null)) return undefined;
  const addresses = vip.port === null ? requested.map((address) => address ?? '') : addressesOfVip(vip);
  const other = allowedCidrs.find((cidr) => !addresses.some((address) => isIpv6(cidr) === isIpv6(address)));
  if (other === undefined) return undefined;
  const message = `Validation failure: CIDR ${other} has another IP version than the VIP ${addresses.join(', ')}`;
  return refuse('invalid', message, 'allowedCidrs');
}

function isIpv6(address: string): boolean {
  return address.includes(':');
}

function brokenUseRule(state: LoadBalancerState, protocol: ListenerProtocol, poolId: PoolId, field: string) {
  const pool = findDesired(state, 'pool', poolId);
  if (pool === undefined) return refuse('notFound', `Pool ${poolId} not found.`, field);
  return brokenProtocolRule(protocol, pool.form.protocol);
}

function brokenProtocolRule(listener: ListenerProtocol, pool: PoolProtocol) {
  if (compatiblePools[listener].includes(pool)) return undefined;
  return refuse(
    'invalid',
    `Validation failure: The pool protocol '${pool}' is invalid while the listener protocol is '${listener}'.`,
    'protocol',
  );
}

function brokenPoolRule(state: LoadBalancerState, { id, form }: Change<'pool'>) {
  if (form === null) return undefined;
  const ownRule = brokenDatagramPersistenceRule(form) ?? brokenPersistenceRule(form) ?? brokenPoolTlsRule(form);
  if (ownRule !== undefined) return ownRule;
  const policies = desired(state, 'l7Policy').filter((policy) => policy.form.redirectPoolId === id);
  const redirecting = new Set(policies.map((policy) => policy.parentId));
  for (const listener of desired(state, 'listener')) {
    if (listener.form.defaultPoolId !== id && !redirecting.has(listener.id)) continue;
    const broken = brokenProtocolRule(listener.form.protocol, form.protocol);
    if (broken !== undefined) return broken;
  }
  return undefined;
}

/** Cookies are read in HTTP only; what a PROXY pool speaks is its listener's protocol. */
function brokenPersistenceRule({ protocol, sessionPersistence }: PoolAttributes) {
  if (sessionPersistence === null) return undefined;
  const { type, cookieName } = sessionPersistence;
  const invalid = (what: string) => refuse('invalid', `Validation failure: ${what}`, 'sessionPersistence');
  if (type === 'APP_COOKIE' && cookieName === null) return invalid('cookie_name is needed for type APP_COOKIE');
  if (type !== 'APP_COOKIE' && cookieName !== null) return invalid(`cookie_name has no meaning for type ${type}`);
  if (type !== 'SOURCE_IP' && (protocol === 'TCP' || protocol === 'HTTPS')) {
    return invalid(`session persistence of type ${type} is for pools that speak HTTP, given protocol ${protocol}`);
  }
  return undefined;
}

function brokenMemberRule(state: LoadBalancerState, { id, parentId, form }: Change<'member'>) {
  if (form === null) return undefined;
  const pool = findDesired(state, 'pool', parentId);
  if (pool === undefined) return refuse('notFound', `Pool ${parentId} not found.`);
  if (form.requestSriov && state.allowsMemberSriov !== true) {
    return refuse('invalid', 'The load balancer flavor does not allow SR-IOV member ports.', 'requestSriov');
  }
  const { address, protocolPort } = form;
  const twin = desired(state, 'member').find(
    (other) =>
      other.id !== id &&
      other.parentId === parentId &&
      other.form.address === address &&
      other.form.protocolPort === protocolPort,
  );
  if (twin === undefined) return undefined;
  return refuse(
    'conflict',
    `Another member on this pool is already using ip ${address} on protocol_port ${protocolPort}`,
    'address',
  );
}

function brokenHealthMonitorRule(state: LoadBalancerState, { id, parentId, form }: Change<'healthMonitor'>) {
  if (form === null) return undefined;
  const pool = findDesired(state, 'pool', parentId);
  if (pool === undefined) return refuse('notFound', `Pool ${parentId} not found.`);
  const monitors = desired(state, 'healthMonitor').filter((other) => other.id !== id && other.parentId === parentId);
  if (monitors.length > 0) return refuse('conflict', 'This pool already has a health monitor');
  return brokenMonitorTypeRule(pool.form.protocol, form) ?? brokenRequestRule(form);
}

function brokenRequestRule(form: HealthMonitorAttributes) {
  const names = Object.keys(requestDefaults) as (keyof typeof requestDefaults)[];
  const meaningless =
    form.type === 'HTTP' || form.type === 'HTTPS'
      ? undefined
      : names.find((name) => form[name] !== requestDefaults[name]);
  if (meaningless !== undefined) {
    return refuse(
      'invalid',
      `Validation failure: ${meaningless} is for health monitors of type HTTP or HTTPS only, given type ${form.type}`,
      meaningless,
    );
  }
  if (form.domainName === null || form.httpVersion === 1.1) return undefined;
  return refuse(
    'invalid',
    `Validation failure: domain_name needs http_version 1.1, given ${form.httpVersion.toFixed(1)}`,
    'domainName',
  );
}
