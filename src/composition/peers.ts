// What a node does for the other nodes of its cluster, and how they know each other.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { ClusterActors } from '../actors/cluster/actors.ts';
import type { Relay } from '../actors/channels/relay.ts';
import type { StatusFeed } from '../actors/channels/status-feed.ts';
import type { Tree } from '../actors/tree.ts';
import type { PeerCredentials } from '../channels/peer/links.ts';
import { type PeerHandlers, peerServerName } from '../channels/peer/methods.ts';
import { RpcError } from '../channels/rpc/errors.ts';
import { amphora, type AmphoraEntity } from '../domain/amphora/amphora.ts';
import { heardFacts } from '../domain/amphora/facts.ts';
import { plainKind } from '../domain/amphora/kind.ts';
import type { WantedAmphora } from '../domain/amphora/wanted.ts';
import type { PeerCalls } from '../domain/cluster/messages.ts';
import type { AmphoraQuestion, LoadBalancerQuestion } from '../domain/cluster/questions.ts';
import type { AlertChange } from '../domain/alert-views.ts';
import { upcastCommand } from '../domain/upcast.ts';
import { loadBalancer, type LoadBalancerEntity } from '../domain/load-balancer/load-balancer.ts';
import type { SharedSecrets } from './alike.ts';
import { issueFrom, openAuthority } from '../drivers/certificate/local/authority.ts';

/** Longer than a process lives; its key is never written anywhere. */
const peerDays = 1_095;

/** A certificate for this process, of the authority that all nodes of the cluster have as a file. */
export async function peerCredentials(certificatesFolder: string): Promise<PeerCredentials> {
  const authority = await openAuthority({
    folder: certificatesFolder,
    name: 'cluster-ca',
    subject: 'amphitheatre cluster CA',
    keyType: 'p256',
    now: new Date(),
  });
  const issued = await issueFrom(authority, 'server', peerServerName, 'p256', peerDays, new Date());
  return { certificate: issued.certificatePem, key: issued.privateKeyPem, ca: authority.certificatePem };
}

/** Where the authorities of amphorae and of the cluster are. */
export function certificatesFolder(secretsDir: string): string {
  return join(secretsDir, 'certificates');
}

/** What all nodes must have alike. @throws Error naming the file that cannot be read */
export function readSharedSecrets(folder: string, heartbeatKey: string): SharedSecrets {
  const read = (name: string) => readFileSync(join(folder, name), 'utf8');
  const names = ['ca.pem', 'client-ca.pem', 'cluster-ca.pem'];
  const certificates = Object.fromEntries(names.map((name) => [`certificates/${name}`, read(name)]));
  return { heartbeatKey, certificates, clusterKey: read('cluster-ca.key') };
}

/** Everything is done by this node, or not at all: whoever asked looks for the owner again. */
export interface Feeds {
  readonly feed: StatusFeed;
  readonly alerts: Relay<AlertChange>;
}

export function peerHandlers(tree: Tree, actors: ClusterActors, { feed, alerts }: Feeds, log: Logger): PeerHandlers {
  const { cluster, heartbeats, fleet } = tree;
  return {
    'entity.command': async ({ kind, id, schemaVersion, command, identity }, { signal }) => {
      const known = (kind === 'amphora' ? amphora : loadBalancer).schemaVersion;
      refuseNewer(kind, schemaVersion, known, log);
      const todays = upcastCommand(kind, schemaVersion, known, command);
      return kind === 'amphora'
        ? tree.amphorae.ask(id, todays as AmphoraEntity['command'], signal, identity ?? undefined)
        : tree.loadBalancers.ask(id, todays as LoadBalancerEntity['command'], signal, identity ?? undefined);
    },
    'entity.ask': ({ kind, id, question }) =>
      kind === 'amphora'
        ? cluster.amphorae.answerHere(id, question as AmphoraQuestion)
        : cluster.loadBalancers.answerHere(id, question as LoadBalancerQuestion),
    'entity.whenOver': ({ kind, id }, { signal }) =>
      (kind === 'amphora' ? cluster.amphorae : cluster.loadBalancers).whenGoneHere(id, signal),
    'entity.when': ({ kind, id, question }, { signal }) =>
      kind === 'amphora'
        ? cluster.amphorae.whenHere(id, question as AmphoraQuestion, signal)
        : cluster.loadBalancers.whenHere(id, question as LoadBalancerQuestion, signal),
    'spares.suggest': ({ loadBalancerId, excluded, kind, sharing, antiAffinity }, { signal }) => {
      const more = {
        ...((sharing ?? null) !== null && { sharing }),
        ...((antiAffinity ?? null) !== null && { antiAffinity }),
      } as Partial<WantedAmphora>;
      return cluster.singletons.suggestHere(loadBalancerId, { kind: kind ?? plainKind, ...more }, excluded, signal);
    },
    'spares.show': (_, { signal }) => cluster.singletons.sparesViewHere(signal),
    'housekeeping.sweep': ({ dryRun }) => cluster.singletons.sweepHere(dryRun),
    'actors.tree': async () => ({ actors: actors.treeHere() }),
    'actors.show': async ({ path }) => actors.showHere(path),
    'actors.restart': async ({ path }) => actors.restartHere(path),
    'status.want': async ({ node }) => {
      feed.want(node);
      return {};
    },
    'alerts.want': async ({ node }) => {
      alerts.want(node);
      return {};
    },
    'fleet.changed': async ({ amphorae }) => {
      for (const { id, facts } of amphorae) fleet.learn(id, heardFacts(facts));
      return {};
    },
    'heartbeats.seen': async (seen) => {
      heartbeats.hear(seen);
      return {};
    },
    'heartbeats.news': async (news) => {
      heartbeats.hearNews(news);
      return {};
    },
    'heartbeats.wanted': async ({ ids }) => {
      heartbeats.hearWanted(ids);
      return {};
    },
    'failovers.tally': async (tally) => {
      tree.failovers.hear(tally);
      return {};
    },
    'status.changed': async ({ changes }) => {
      feed.relay(changes);
      return {};
    },
    'alerts.changed': async ({ changes }) => {
      alerts.hear(changes);
      return {};
    },
  };
}

/** @throws RpcError: what a later version means is not known here */
function refuseNewer(
  kind: PeerCalls['entity.command']['params']['kind'],
  given: number,
  known: number,
  log: Logger,
): void {
  if (given <= known) return;
  const message = `This node knows version ${known} of ${kind} commands, given version ${given}: it is to be upgraded`;
  log.warn({ kind, known, given }, 'a command of a later version was refused: this node is to be upgraded');
  throw new RpcError('unavailable', message);
}
