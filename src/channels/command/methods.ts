// The methods of the command channel: the single source for parsing, for the types of handlers and clients, and for
// docs/command-channel.md. Those of a subject stand with it.
import type { LoadBalancerId } from '../../domain/ids.ts';
import { type HandlersOf, reads, result } from '../rpc/method.ts';
import { maybe } from '../rpc/parameters.ts';
import { objectId } from '../rpc/values.ts';
import { alertMethods } from './alerts.ts';
import { catalogueMethods } from './catalogue-methods.ts';
import { fleetMethods } from './fleet.ts';
import {
  healthMonitorMethods,
  l7PolicyMethods,
  l7RuleMethods,
  listenerMethods,
  loadBalancerMethods,
  memberMethods,
  poolMethods,
} from './object-methods.ts';
import { quotaMethods } from './quota.ts';

const channelMethods = {
  'status.subscribe': reads({
    summary: 'Sends a `status.changed` notification for each change of a status from now on. Repeated calls replace.',
    params: { loadBalancerId: maybe(objectId<LoadBalancerId>(), 'Only of this load balancer and what is in it.') },
    result: result<{ readonly subscribed: true }>('`subscribed`: true.'),
  }),
  'status.unsubscribe': reads({
    summary: 'Ends the notifications.',
    params: {},
    result: result<{ readonly subscribed: false }>('`subscribed`: false.'),
  }),
  'server.info': reads({
    summary: 'What answers here.',
    params: {},
    result: result<ServerInfo>('ServerInfo.'),
  }),
} as const;

export interface ServerInfo {
  readonly name: 'amphitheatre';
  readonly version: string;
  readonly nodeId: string;
  /** Name of the driver amphorae run with. */
  readonly driver: string;
}

export const commandMethods = {
  ...loadBalancerMethods,
  ...listenerMethods,
  ...poolMethods,
  ...memberMethods,
  ...healthMonitorMethods,
  ...l7PolicyMethods,
  ...l7RuleMethods,
  ...quotaMethods,
  ...fleetMethods,
  ...catalogueMethods,
  ...alertMethods,
  ...channelMethods,
} as const;

export type CommandMethods = typeof commandMethods;
export type CommandHandlers = HandlersOf<CommandMethods>;
/** Of methods whose names begin with one of these. */
export type HandlersFor<Prefix extends string> = Pick<
  CommandHandlers,
  Extract<keyof CommandHandlers, `${Prefix}.${string}`>
>;
