// L7 policies of a listener: an `acl` line for each rule, and the line that acts when all of them match. Rejections come
// first, then redirections of clients, then pools, as Octavia's users know it; haproxy looks at them in no other order.
import type {
  L7PolicyAction,
  L7RuleAttributes,
  L7RuleCompareType,
  ServedL7Policy,
  ServedListener,
  ServedPool,
  ServedTree,
} from '../load-balancer/attributes.ts';
import { unreachable } from '../unreachable.ts';
import type { Line } from './backend.ts';
import { argument, exactWord, formatWord, word } from './escape.ts';

const turnOf: Readonly<Record<L7PolicyAction, number>> = {
  REJECT: 1,
  REDIRECT_TO_URL: 2,
  REDIRECT_PREFIX: 2,
  REDIRECT_TO_POOL: 3,
};

/**
 * Policies that have an effect, in the order in which they are looked at. Left out are those that are down, have no rule
 * that is up, or lead to a pool that is not served.
 */
export function effectivePolicies(tree: ServedTree, listener: ServedListener): readonly ServedL7Policy[] {
  if (listener.protocol !== 'HTTP' && listener.protocol !== 'TERMINATED_HTTPS') return [];
  return listener.l7Policies
    .filter((policy) => policy.adminStateUp && upRules(policy).length > 0)
    .filter((policy) => policy.action !== 'REDIRECT_TO_POOL' || servedPool(tree, policy.redirectPoolId) !== undefined)
    .toSorted((a, b) => turnOf[a.action] - turnOf[b.action]);
}

/** The pool of that id, if it is there and up. */
export function servedPool(tree: ServedTree, id: string | null): ServedPool | undefined {
  return tree.pools.find((pool) => pool.id === id && pool.adminStateUp);
}

export function policyLines(policy: ServedL7Policy, listener: ServedListener): readonly Line[] {
  const rules = upRules(policy);
  const condition = rules.map((rule) => `${rule.invert ? '!' : ''}${word(rule.id)}`).join(' ');
  return [
    ...rules.map((rule) => ({ text: `    acl ${word(rule.id)} ${comparison(rule)}`, owner: rule.id })),
    { text: `    ${actionText(policy, listener)} if ${condition}`, owner: policy.id },
  ];
}

function upRules(policy: ServedL7Policy): ServedL7Policy['rules'] {
  return policy.rules.filter((rule) => rule.adminStateUp);
}

function actionText(policy: ServedL7Policy, listener: ServedListener): string {
  const { action, redirectHttpCode, redirectUrl, redirectPrefix, redirectPoolId } = policy;
  const redirect = `http-request redirect code ${redirectHttpCode ?? 302}`;
  switch (action) {
    case 'REJECT':
      return 'http-request deny';
    case 'REDIRECT_TO_URL':
      return `${redirect} location ${formatWord(redirectUrl ?? '')}`;
    case 'REDIRECT_PREFIX':
      return `${redirect} prefix ${formatWord(redirectPrefix ?? '')}`;
    case 'REDIRECT_TO_POOL':
      return `use_backend ${word(redirectPoolId ?? '')}:${word(listener.id)}`;
    default:
      return unreachable(action);
  }
}

/** `--` ends the flags: a value may begin with a dash. */
function comparison({ type, compareType, key, value }: L7RuleAttributes): string {
  if (type === 'SSL_CONN_HAS_CERT') return 'ssl_c_used';
  if (type === 'SSL_VERIFY_RESULT') return `ssl_c_verify eq ${Number(value)}`;
  // Headers are lists by default; a value with a comma can only be that of a whole one.
  const isWhole = compareType !== 'REGEX' && value.includes(',');
  return `${sample(type, key ?? '', isWhole)} -m ${matchOf(compareType)} -- ${exactWord(value)}`;
}

/** What follows the last dot of the last part of the path; nothing when there is no dot, and nothing matches then. */
const fileType = 'path,field(-1,/),regsub(^[^.]*$,),field(-1,.)';

type ComparedText = Exclude<L7RuleAttributes['type'], 'SSL_CONN_HAS_CERT' | 'SSL_VERIFY_RESULT'>;

function sample(type: ComparedText, key: string, isWhole: boolean): string {
  switch (type) {
    case 'HOST_NAME':
      return 'req.hdr(host) -i';
    case 'PATH':
      return 'path';
    case 'FILE_TYPE':
      return fileType;
    case 'HEADER':
      return `req.${isWhole ? 'fhdr' : 'hdr'}(${argument(key)})`;
    case 'COOKIE':
      return `req.cook(${argument(key)})`;
    case 'SSL_DN_FIELD':
      return `ssl_c_s_dn(${argument(key)})`;
    default:
      return unreachable(type);
  }
}

function matchOf(compareType: L7RuleCompareType): string {
  switch (compareType) {
    case 'REGEX':
      return 'reg';
    case 'STARTS_WITH':
      return 'beg';
    case 'ENDS_WITH':
      return 'end';
    case 'CONTAINS':
      return 'sub';
    case 'EQUAL_TO':
      return 'str';
    default:
      return unreachable(compareType);
  }
}
