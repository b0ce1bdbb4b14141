// Alerts that open, worsen and clear, for those who want to hear of them on any node.
import type { AlertChange } from '../../domain/alert-views.ts';
import { type OtherNodes, Relay } from './relay.ts';

export function alertFeed(others: OtherNodes): Relay<AlertChange> {
  return new Relay({
    others,
    ask: (peers, node, thisNode, signal) => peers.call(node, 'alerts.want', { node: thisNode }, signal),
    send: (peers, node, changes) => peers.tell(node, 'alerts.changed', { changes }),
    now: Date.now,
  });
}
