// The methods of `/peer`: what nodes ask of each other, and what they tell without waiting for an answer. Peers are programs of
// ours, known by a certificate: their messages are checked for their frame, and read as what their version says.
import { type AmphoraKind, antiAffinities } from '../../domain/amphora/kind.ts';
import type { Sharing } from '../../domain/amphora/sharing.ts';
import type { PeerCalls, PeerNotices } from '../../domain/cluster/messages.ts';
import { type HandlersOf, reads, result } from '../rpc/method.ts';
import { maybe, needed } from '../rpc/parameters.ts';
import { flag, objectId, oneOf, text, trustedList, trustedObject, wholeNumber } from '../rpc/values.ts';
import type { AmphoraId, LoadBalancerId } from '../../domain/ids.ts';

/** The name that peers ask for and show; it chooses the certificate where the port has another one for clients. */
export const peerServerName = 'amphitheatre-peer';
/** Header in which a node says which version of the protocol it speaks. */
export const versionHeader = 'x-amphi-peer-version';
/** Header in which a node says who it is. */
export const nodeHeader = 'x-amphi-node';

const kind = needed(oneOf(['loadBalancer', 'amphora']), 'Kind of the entity.');
const id = needed(objectId<string>(), 'Its id.');

export const peerMethods = {
  'entity.command': reads({
    summary: 'Carries out a command.',
    params: {
      kind,
      id,
      schemaVersion: needed(wholeNumber({ min: 1, max: 1_000_000 }), 'Version of commands that the sender knows.'),
      command: needed(trustedObject<PeerCalls['entity.command']['params']['command']>(), 'The command.'),
      identity: maybe(
        trustedObject<NonNullable<PeerCalls['entity.command']['params']['identity']>>(),
        'Its id and digest, where it has one.',
      ),
    },
    result: result<PeerCalls['entity.command']['result']>('The reply.'),
  }),
  'entity.ask': reads({
    summary: 'Asks about the state of an entity.',
    params: {
      kind,
      id,
      question: needed(trustedObject<PeerCalls['entity.ask']['params']['question']>(), 'The question.'),
    },
    result: result<PeerCalls['entity.ask']['result']>('The answer.'),
  }),
  'entity.whenOver': reads({
    summary: 'Answers once the entity is gone.',
    params: { kind, id },
    result: result<PeerCalls['entity.whenOver']['result']>('Whether it is gone.'),
  }),
  'entity.when': reads({
    summary: 'Answers once a question about an entity is answered with yes.',
    params: {
      kind,
      id,
      question: needed(trustedObject<PeerCalls['entity.when']['params']['question']>(), 'The question.'),
    },
    result: result<PeerCalls['entity.when']['result']>('That it is so.'),
  }),
  'spares.suggest': reads({
    summary: 'Suggests a spare amphora.',
    params: {
      loadBalancerId: needed(objectId<LoadBalancerId>(), 'For whom.'),
      excluded: needed(trustedList<AmphoraId>(), 'Not these.'),
      kind: maybe(trustedObject<AmphoraKind>(), 'Of what kind; plain unless given.'),
      sharing: maybe(trustedObject<Sharing>(), 'With whom it may be shared; with nobody unless given.'),
      antiAffinity: maybe(oneOf(antiAffinities), 'Whether on another machine; as the settings say unless given.'),
    },
    result: result<PeerCalls['spares.suggest']['result']>('The suggestion.'),
  }),
  'spares.show': reads({
    summary: 'The pool of spares.',
    params: {},
    result: result<PeerCalls['spares.show']['result']>('The pool.'),
  }),
  'housekeeping.sweep': reads({
    summary: 'Looks for instances that nobody knows.',
    params: { dryRun: needed(flag(), 'Only look.') },
    result: result<PeerCalls['housekeeping.sweep']['result']>('The report.'),
  }),
  'actors.tree': reads({
    summary: 'Live actors of the node.',
    params: {},
    result: result<PeerCalls['actors.tree']['result']>('The actors.'),
  }),
  'actors.show': reads({
    summary: 'An actor of the node.',
    params: { path: needed(text({ min: 1, max: 500 }), 'Its path.') },
    result: result<PeerCalls['actors.show']['result']>('The actor.'),
  }),
  'actors.restart': reads({
    summary: 'Recovers a durable actor of the node from its journal.',
    params: { path: needed(text({ min: 1, max: 500 }), 'Its path.') },
    result: result<PeerCalls['actors.restart']['result']>('Whether it was.'),
  }),
  'status.want': reads({
    summary: 'Somebody listens to changes of statuses on the asking node: it wants to hear of them for a while.',
    params: { node: needed(objectId<string>(), 'The asking node.') },
    result: result<PeerCalls['status.want']['result']>('Noted.'),
  }),
  'alerts.want': reads({
    summary: 'Somebody listens to alerts on the asking node: it wants to hear of them for a while.',
    params: { node: needed(objectId<string>(), 'The asking node.') },
    result: result<PeerCalls['alerts.want']['result']>('Noted.'),
  }),
  'fleet.changed': reads({
    summary: 'Amphorae have changed.',
    params: { amphorae: needed(trustedList<PeerNotices['fleet.changed']['amphorae'][number]>(), 'These.') },
    result: result<object>('Nothing.'),
  }),
  'heartbeats.seen': reads({
    summary: 'Heartbeats of amphorae that the node judges.',
    params: {
      ids: needed(trustedList<string>(), 'Amphorae that were heard.'),
      seqs: maybe(trustedList<number>(), 'Numbers of their heartbeats, in the same order.'),
      news: needed(trustedList<PeerNotices['heartbeats.seen']['news'][number]>(), 'What brings something new.'),
    },
    result: result<object>('Nothing.'),
  }),
  'heartbeats.news': reads({
    summary: 'A heartbeat that brings something new of a load balancer of the node.',
    params: { message: needed(trustedObject<PeerNotices['heartbeats.news']['message']>(), 'The heartbeat.') },
    result: result<object>('Nothing.'),
  }),
  'heartbeats.wanted': reads({
    summary: 'What these amphorae say next is wanted.',
    params: { ids: needed(trustedList<AmphoraId>(), 'These.') },
    result: result<object>('Nothing.'),
  }),
  'failovers.tally': reads({
    summary: 'What a node has counted among the amphorae that it judges.',
    params: {
      node: needed(objectId<string>(), 'The node.'),
      failovers: needed(wholeNumber({ min: 0, max: 1_000_000_000 }), 'Failovers that it has begun in the last minute.'),
      groups: needed(
        trustedList<PeerNotices['failovers.tally']['groups'][number]>(),
        'Of each group with any: how many are late, suspect and silent.',
      ),
    },
    result: result<object>('Nothing.'),
  }),
  'status.changed': reads({
    summary: 'Statuses have changed.',
    params: { changes: needed(trustedList<PeerNotices['status.changed']['changes'][number]>(), 'These.') },
    result: result<object>('Nothing.'),
  }),
  'alerts.changed': reads({
    summary: 'Alerts have changed.',
    params: { changes: needed(trustedList<PeerNotices['alerts.changed']['changes'][number]>(), 'These.') },
    result: result<object>('Nothing.'),
  }),
} as const;

export type PeerMethods = typeof peerMethods;
export type PeerHandlers = HandlersOf<PeerMethods>;
