// Methods for alerts: what is alarming, what was, and a stream of what becomes so.
import type { LoadBalancerId } from '../../domain/ids.ts';
import type { AlertChange, AlertView } from '../../domain/alert-views.ts';
import { type HandlersOf, reads, result } from '../rpc/method.ts';
import { maybe, withDefault } from '../rpc/parameters.ts';
import { flag, objectId, text } from '../rpc/values.ts';
import { limitOf, type Page, pageOf, refuseLostMarker } from './lists.ts';
import { Subscriptions } from './subscriptions.ts';

const ofLoadBalancer = maybe(objectId<LoadBalancerId>(), 'Only of this load balancer and what is in it.');

export const alertMethods = {
  'alerts.list': reads({
    summary: 'Alerts, open and past: objects whose operating status is, or was, alarming.',
    params: {
      projectId: maybe(text({ min: 1, max: 36 }), 'Only those of this project.'),
      loadBalancerId: ofLoadBalancer,
      openOnly: withDefault(flag(), false, 'Only those that were not cleared.'),
      limit: limitOf('alerts'),
      marker: maybe(objectId<string>(), 'Id of the last alert of the page before.'),
    },
    result: result<Page<AlertView>>(
      '`items`: list of Alert, newest first. `next` is the marker of the next page, null when there is none.',
    ),
    errors: ['notFound'],
  }),
  'alerts.subscribe': reads({
    summary:
      'Sends an `alerts.changed` notification for each alert that is opened, becomes worse or is cleared from now on. Repeated calls replace.',
    params: { loadBalancerId: ofLoadBalancer },
    result: result<{ readonly subscribed: true }>('`subscribed`: true.'),
  }),
  'alerts.unsubscribe': reads({
    summary: 'Ends these notifications.',
    params: {},
    result: result<{ readonly subscribed: false }>('`subscribed`: false.'),
  }),
} as const;

export interface AlertPorts {
  readonly reads: {
    /** Newest first. */
    listAlerts(query: {
      readonly projectId: string | null;
      readonly loadBalancerId: string | null;
      readonly isOpen: boolean;
      readonly limit: number;
      readonly marker: string | null;
    }): Promise<readonly AlertView[]>;
    findAlert(id: string): Promise<AlertView | undefined>;
  };
  readonly alerts: {
    subscribe(listener: (change: AlertChange) => void, loadBalancerId?: string): Promise<() => void>;
  };
}

export function alertHandlers({ reads: from, alerts }: AlertPorts): HandlersOf<typeof alertMethods> {
  const subscriptions = new Subscriptions<AlertChange>('alerts.changed', (listener, id) =>
    alerts.subscribe(listener, id),
  );
  return {
    'alerts.list': async ({ openOnly: isOpen, ...query }) => {
      const items = await from.listAlerts({ ...query, isOpen });
      if (items.length === 0) await refuseLostMarker(query.marker, (id) => from.findAlert(id));
      return pageOf(items, query.limit);
    },
    'alerts.subscribe': ({ loadBalancerId }, { peer }) => subscriptions.begin(peer, loadBalancerId ?? undefined),
    'alerts.unsubscribe': async (_, { peer }) => subscriptions.end(peer),
  };
}
