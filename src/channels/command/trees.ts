// Objects within objects, as creates take them: pools with members and a health monitor, listeners with a pool
// and L7 policies, policies with a pool and rules. A listener is the same alone and in a load balancer's tree.
import { z } from 'zod';
import type {
  HealthMonitorAttributes,
  L7PolicyAttributes,
  L7RuleAttributes,
  ListenerAttributes,
  MemberAttributes,
  PoolAttributes,
} from '../../domain/load-balancer/attributes.ts';
import { mostRules } from '../../domain/load-balancer/policy-rules.ts';
import { type Given, listOf, maybe, objectOf, type Parameter, withDefault } from '../rpc/parameters.ts';
import { valueTraits } from '../rpc/values.ts';
import { creation } from './attributes.ts';
import { healthMonitorShape, l7PolicyShape, l7RuleShape, listenerShape, memberShape, poolShape } from './shapes.ts';

export const mostMembers = 1_000;
const mostListeners = 200;
const mostPools = 200;
const mostPolicies = 200;

export const memberParams = creation<MemberAttributes>(memberShape);
export const healthMonitorParams = creation<HealthMonitorAttributes>(healthMonitorShape);

/** `nested` shows in the documentation what the objects have. */
function described<T>(parameter: Parameter<T>, nested: ParameterMap): Parameter<T> {
  return { ...parameter, doc: { ...parameter.doc, nested } };
}
type ParameterMap = NonNullable<Parameter<unknown>['doc']['nested']>;

/** Says what a list or an object is, for the documentation; problems inside keep their own words and places. */
function saying<T>(expects: string, schema: z.ZodType<T>): z.ZodType<T> {
  return schema.register(valueTraits, { expects }) as z.ZodType<T>;
}

const membersList = saying(`A list of at most ${mostMembers} members.`, listOf(objectOf(memberParams), mostMembers));

export const poolChildren = {
  members: described(withDefault(membersList, [], 'Members, in this order.'), memberParams),
  healthMonitor: described(
    maybe(saying('A health monitor.', objectOf(healthMonitorParams)), 'How members are checked.'),
    healthMonitorParams,
  ),
};

export const poolParams = { ...creation<PoolAttributes>(poolShape), ...poolChildren };
export type GivenPool = Given<typeof poolParams>;

/** A pool of the same request, by its name. */
export interface PoolReference {
  readonly name: string;
  readonly isReference: true;
}

const poolObject = objectOf(poolParams);

/** `{ "name": … }` and nothing else refers to another pool of the request. */
const poolOrReference = z.unknown().transform((given, context): GivenPool | PoolReference => {
  const isObject = typeof given === 'object' && given !== null;
  if (isObject && Object.keys(given).join() === 'name') {
    const { name } = given as { name: unknown };
    if (typeof name === 'string' && name !== '') return { name, isReference: true };
  }
  const parsed = poolObject.safeParse(given);
  if (parsed.success) return parsed.data;
  for (const issue of parsed.error.issues) context.issues.push({ ...issue, input: given } as z.core.$ZodRawIssue);
  return z.NEVER;
});

const poolOrName = saying(
  'A pool, or only the name of another one in the request.',
  poolOrReference as z.ZodType<GivenPool | PoolReference>,
);

export const l7RuleParams = creation<L7RuleAttributes>(l7RuleShape);

export const l7PolicyParams = {
  ...creation<L7PolicyAttributes>(l7PolicyShape),
  redirectPool: described(
    maybe(
      poolOrName,
      'Pool to be made, as `pool.create` takes it, that takes the requests (in place of `redirectPoolId`).',
    ),
    poolParams,
  ),
  rules: described(
    withDefault(
      saying(`A list of at most ${mostRules} rules.`, listOf(objectOf(l7RuleParams), mostRules)),
      [],
      'Rules, all of which have to match. A policy without any is not used.',
    ),
    l7RuleParams,
  ),
};

export type GivenL7Policy = Given<typeof l7PolicyParams>;
export type GivenL7Rule = Given<typeof l7RuleParams>;

export const listenerParams = {
  ...creation<ListenerAttributes>(listenerShape),
  defaultPool: described(
    maybe(
      poolOrName,
      'Pool to be made, as `pool.create` takes it, that takes its connections (in place of `defaultPoolId`).',
    ),
    poolParams,
  ),
  l7Policies: described(
    withDefault(
      saying(`A list of at most ${mostPolicies} L7 policies.`, listOf(objectOf(l7PolicyParams), mostPolicies)),
      [],
      'L7 policies (HTTP).',
    ),
    l7PolicyParams,
  ),
};
export type GivenListener = Given<typeof listenerParams>;

export const treeParams = {
  listeners: described(
    withDefault(
      saying(`A list of at most ${mostListeners} listeners.`, listOf(objectOf(listenerParams), mostListeners)),
      [],
      'Listeners, in this order.',
    ),
    listenerParams,
  ),
  pools: described(
    withDefault(
      saying(`A list of at most ${mostPools} pools.`, listOf(poolObject, mostPools)),
      [],
      'Pools that no listener holds, or that listeners refer to by name. Names of pools are unique in a request.',
    ),
    poolParams,
  ),
};

/** Members to be had, for `member.replace`. */
export const membersParam = described(
  {
    schema: membersList,
    doc: { expects: `A list of at most ${mostMembers} members.`, meaning: 'The members to be had.', isRequired: true },
  },
  memberParams,
);
