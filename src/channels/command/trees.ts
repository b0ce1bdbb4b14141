// Objects within objects, as creates take them: pools with members and a health monitor, listeners with a pool.
import { z } from 'zod';
import type {
  HealthMonitorAttributes,
  ListenerAttributes,
  MemberAttributes,
  PoolAttributes,
} from '../../domain/load-balancer/attributes.ts';
import { type Given, listOf, maybe, objectOf, type Parameter, withDefault } from '../rpc/parameters.ts';
import { valueTraits } from '../rpc/values.ts';
import { creation } from './attributes.ts';
import { healthMonitorShape, listenerShape, memberShape, poolShape } from './shapes.ts';

export const mostMembers = 1_000;
const mostListeners = 200;
const mostPools = 200;

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

/** `{ "name": … }` and nothing else refers to a pool in `pools`. */
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

const { defaultPoolId: _, ...listenerAttributes } = creation<ListenerAttributes>(listenerShape);

const listenerParams = {
  ...listenerAttributes,
  defaultPool: described(
    maybe(
      saying(
        'A pool, or only its name when it is in `pools`.',
        poolOrReference as z.ZodType<GivenPool | PoolReference>,
      ),
      'Pool that takes its connections.',
    ),
    poolParams,
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
