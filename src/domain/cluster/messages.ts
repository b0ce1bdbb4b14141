// What nodes say to each other over `/peer`. Every call may be repeated: it changes nothing by itself, or carries a command,
// which is known by its id or idempotent.
import type { AmphoraKind, AntiAffinity } from '../amphora/kind.ts';
import type { EntityKind } from '../entity.ts';
import type { Group } from '../health/groups.ts';
import type { HeartbeatMessage } from '../health/message.ts';
import type { AmphoraId, LoadBalancerId } from '../ids.ts';
import type { ActorDetails, ActorView, SparesPoolView } from '../operator-views.ts';
import type { AlertChange } from '../alert-views.ts';
import type { StatusChange } from '../views.ts';
import type { ToldFacts } from '../amphora/facts.ts';
import type { Sharing } from '../amphora/sharing.ts';
import type { Question } from './questions.ts';

/** Of this protocol. A node refuses peers of a later version than it knows, and says so. */
export const peerProtocolVersion = 1;

/** The node asked does not own what it is about: look again who does. */
export interface Elsewhere {
  readonly type: 'elsewhere';
}

export interface CommandMessage {
  readonly kind: EntityKind;
  readonly id: string;
  /** Version of the commands and events of that kind that the sender knows. */
  readonly schemaVersion: number;
  readonly command: { readonly type: string };
  readonly identity: { readonly id: string; readonly digest: string } | null;
}

export type SuggestionMessage =
  | { readonly type: 'amphora'; readonly amphoraId: AmphoraId }
  /** None, and none is to be expected soon. */
  | { readonly type: 'none'; readonly reason: string };

export interface SweepReport {
  readonly instances: number;
  readonly removed: readonly AmphoraId[];
  /** Would be removed, were it not for `dryRun`. */
  readonly due: readonly AmphoraId[];
  readonly waiting: readonly { readonly amphoraId: AmphoraId; readonly seenAt: number }[];
  readonly stopped: string | null;
}

/** Calls that are answered. */
export interface PeerCalls {
  /** The reply of the entity, as its actor gives it. */
  'entity.command': { readonly params: CommandMessage; readonly result: { readonly type: string } };
  'entity.ask': {
    readonly params: { readonly kind: EntityKind; readonly id: string; readonly question: Question };
    readonly result: { readonly type: 'answer'; readonly answer: unknown } | Elsewhere;
  };
  /** Answers once the entity is gone, or owned by another node. */
  'entity.whenOver': {
    readonly params: { readonly kind: EntityKind; readonly id: string };
    readonly result: { readonly type: 'over' } | Elsewhere;
  };
  /** Answers once the question is answered with true, or the entity is owned by another node. */
  'entity.when': {
    readonly params: { readonly kind: EntityKind; readonly id: string; readonly question: Question };
    readonly result: { readonly type: 'so' } | Elsewhere;
  };
  /** Answers once there is an amphora, or none is to be expected. */
  'spares.suggest': {
    readonly params: {
      readonly loadBalancerId: LoadBalancerId;
      readonly excluded: readonly AmphoraId[];
      /** Plain when absent. */
      readonly kind?: AmphoraKind | undefined;
      /** With nobody when absent. */
      readonly sharing?: Sharing | undefined;
      /** As the settings say when absent. */
      readonly antiAffinity?: AntiAffinity | undefined;
    };
    readonly result: SuggestionMessage | Elsewhere;
  };
  'spares.show': {
    readonly params: object;
    readonly result: { readonly type: 'view'; readonly view: SparesPoolView } | Elsewhere;
  };
  'housekeeping.sweep': {
    readonly params: { readonly dryRun: boolean };
    readonly result: { readonly type: 'report'; readonly report: SweepReport } | Elsewhere;
  };
  /** Live actors of the node asked. */
  'actors.tree': { readonly params: object; readonly result: { readonly actors: readonly ActorView[] } };
  /** Null when no such actor lives there. */
  'actors.show': {
    readonly params: { readonly path: string };
    readonly result: { readonly type: 'actor'; readonly actor: ActorDetails | null } | Elsewhere;
  };
  'actors.restart': {
    readonly params: { readonly path: string };
    readonly result: { readonly type: 'restarted' } | Elsewhere;
  };
  /** Somebody listens on the asking node: it wants `status.changed` for the next 15 seconds. */
  'status.want': { readonly params: { readonly node: string }; readonly result: object };
  /** The same, of `alerts.changed`. */
  'alerts.want': { readonly params: { readonly node: string }; readonly result: object };
}

/** Told, and not answered: what is lost is told again or learnt otherwise. */
export interface PeerNotices {
  /** Amphorae have changed. */
  'fleet.changed': { readonly amphorae: readonly { readonly id: AmphoraId; readonly facts: ToldFacts }[] };
  /** Heartbeats for the node that judges these amphorae: all that were seen, and those that bring something new. */
  'heartbeats.seen': {
    readonly ids: readonly string[];
    /** Numbers of the heartbeats, in the order of `ids`. Missing from nodes of earlier versions. */
    readonly seqs?: readonly number[] | null;
    readonly news: readonly HeartbeatMessage[];
  };
  /** A heartbeat that brings something new, for the owner of the load balancer. */
  'heartbeats.news': { readonly message: HeartbeatMessage };
  /** What these amphorae say next is wanted by the owner of their load balancer, new or not. */
  'heartbeats.wanted': { readonly ids: readonly AmphoraId[] };
  /** What a node has counted among the amphorae that it judges: of each group with any, those late, suspect and silent. */
  'failovers.tally': {
    readonly node: string;
    /** Begun in the last minute. */
    readonly failovers: number;
    readonly groups: readonly (readonly [group: Group, late: number, suspect: number, silent: number])[];
  };
  /** Statuses have changed. */
  'status.changed': { readonly changes: readonly StatusChange[] };
  /** Alerts have. */
  'alerts.changed': { readonly changes: readonly AlertChange[] };
}
