// What must hold of L7 policies and their rules. Fault strings are Octavia's where clients match on them.
import { type Decision, refuse } from '../decision.ts';
import type { L7PolicyAttributes, L7RuleAttributes, ListenerProtocol } from './attributes.ts';
import type { ObjectChange } from './events.ts';
import { hasRedirectCode, targetOf } from './policies.ts';
import type { LoadBalancerState } from './state.ts';
import { desired, findDesired } from './tree.ts';

type Change<K extends ObjectChange['kind']> = Extract<ObjectChange, { kind: K }>;
type Broken = Decision<never, never> | undefined;

/** haproxy takes 64 words on a line, and all rules of a policy stand on one. */
export const mostRules = 50;

const protocolsWithPolicies: readonly ListenerProtocol[] = ['HTTP', 'TERMINATED_HTTPS'];

export function brokenPolicyRule(
  state: LoadBalancerState,
  { parentId, form }: Change<'l7Policy'>,
  brokenProtocolRule: (listener: ListenerProtocol, poolId: NonNullable<L7PolicyAttributes['redirectPoolId']>) => Broken,
): Broken {
  if (form === null) return undefined;
  const listener = findDesired(state, 'listener', parentId);
  if (listener === undefined) return refuse('notFound', `Listener ${parentId} not found.`, 'listenerId');
  const { protocol } = listener.form;
  if (!protocolsWithPolicies.includes(protocol)) {
    const message = `Validation failure: L7 policies are for listeners of protocol ${protocolsWithPolicies.join(' or ')} only, given ${protocol}`;
    return refuse('invalid', message, 'listenerId');
  }
  const broken = brokenRedirectionRule(form);
  if (broken !== undefined || form.redirectPoolId === null) return broken;
  return brokenProtocolRule(protocol, form.redirectPoolId);
}

function brokenRedirectionRule(form: L7PolicyAttributes): Broken {
  const { action } = form;
  const needed = targetOf[action];
  if (needed !== null && form[needed] === null) {
    return refuse('invalid', `Validation failure: ${needed} is needed for action ${action}`, needed);
  }
  for (const name of ['redirectPoolId', 'redirectUrl', 'redirectPrefix'] as const) {
    if (name === needed || form[name] === null) continue;
    return refuse('invalid', `Validation failure: ${name} has no meaning for action ${action}`, name);
  }
  if (form.redirectHttpCode === null || hasRedirectCode(action)) return undefined;
  const message = `Validation failure: redirectHttpCode is for actions that redirect clients, given action ${action}`;
  return refuse('invalid', message, 'redirectHttpCode');
}

const keyed: readonly L7RuleAttributes['type'][] = ['HEADER', 'COOKIE', 'SSL_DN_FIELD'];

export function brokenL7RuleRule(state: LoadBalancerState, { parentId, form }: Change<'l7Rule'>): Broken {
  if (form === null) return undefined;
  const policy = findDesired(state, 'l7Policy', parentId);
  if (policy === undefined) return refuse('notFound', `L7 Policy ${parentId} not found.`, 'l7PolicyId');
  if (desired(state, 'l7Rule').filter((rule) => rule.parentId === parentId).length > mostRules) {
    return refuse('conflict', `Too many rules on L7 policy ${parentId}`);
  }
  const protocol = findDesired(state, 'listener', policy.parentId)?.form.protocol;
  if (form.type.startsWith('SSL_') && protocol !== 'TERMINATED_HTTPS') {
    const message = `Validation failure: rules of type ${form.type} are for listeners of protocol TERMINATED_HTTPS only`;
    return refuse('invalid', message, 'type');
  }
  return brokenComparisonRule(form) ?? brokenCertificateRule(form);
}

/** What is asked of a client's certificate has few answers (Octavia's API reference, "L7 Rules"). */
function brokenCertificateRule({ type, compareType, key, value }: L7RuleAttributes): Broken {
  const invalid = (what: string, field: string) => refuse('invalid', `Validation failure: ${what}`, field);
  if (type === 'SSL_DN_FIELD') {
    if (/^[A-Za-z][A-Za-z0-9-]*$/.test(key ?? '')) return undefined;
    return invalid(`key of a rule of type ${type} is a field of a name such as CN, given ${key}`, 'key');
  }
  if (type !== 'SSL_CONN_HAS_CERT' && type !== 'SSL_VERIFY_RESULT') return undefined;
  if (compareType !== 'EQUAL_TO') {
    return invalid(`compareType of a rule of type ${type} is EQUAL_TO, given ${compareType}`, 'compareType');
  }
  if (type === 'SSL_CONN_HAS_CERT') {
    return /^true$/i.test(value)
      ? undefined
      : invalid(`value of a rule of type ${type} is true, given ${value}`, 'value');
  }
  return /^\d{1,9}$/.test(value)
    ? undefined
    : invalid(`value of a rule of type ${type} is a whole number, 0 or more, given ${value}`, 'value');
}

function brokenComparisonRule({ type, compareType, key }: L7RuleAttributes): Broken {
  if (type === 'FILE_TYPE' && compareType !== 'EQUAL_TO' && compareType !== 'REGEX') {
    const message = `Validation failure: compareType of a rule of type FILE_TYPE is EQUAL_TO or REGEX, given ${compareType}`;
    return refuse('invalid', message, 'compareType');
  }
  if (keyed.includes(type) && key === null) {
    return refuse('invalid', `Validation failure: key is needed for a rule of type ${type}`, 'key');
  }
  if (!keyed.includes(type) && key !== null) {
    return refuse('invalid', `Validation failure: key has no meaning for a rule of type ${type}`, 'key');
  }
  return undefined;
}
