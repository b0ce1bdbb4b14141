// What the fields of views mean, for the documentation. Attributes are described in shapes.ts; the compiler sees to it
// that everything else is described here.
import type { AlertChange, AlertView } from '../../domain/alert-views.ts';
import type {
  AmphoraStatisticsView,
  AmphoraView,
  HealthMonitorView,
  L7PolicyView,
  L7RuleView,
  ListenerView,
  LoadBalancerView,
  MemberView,
  ObjectView,
  PoolView,
  StatusChange,
  StatisticsView,
  SubnetView,
} from '../../domain/views.ts';
import type { ExplanationView, SparesPoolView } from '../../domain/operator-views.ts';
import type {
  HealthMonitorAttributes,
  L7PolicyAttributes,
  L7RuleAttributes,
  ListenerAttributes,
  LoadBalancerAttributes,
  MemberAttributes,
  PoolAttributes,
} from '../../domain/load-balancer/attributes.ts';
import { kindNames } from '../../domain/load-balancer/rules.ts';
import { quotaKinds } from '../../domain/quota.ts';
import {
  availabilityZoneProfileShape,
  availabilityZoneShape,
  flavorProfileShape,
  flavorShape,
} from './catalogue-methods.ts';
import {
  healthMonitorShape,
  l7PolicyShape,
  l7RuleShape,
  listenerShape,
  loadBalancerShape,
  memberShape,
  poolShape,
} from './shapes.ts';

type Fields<View, Known = never> = Readonly<Record<Exclude<keyof View, Known>, string>>;

const object: Fields<ObjectView> = {
  id: 'Its id.',
  provisioningStatus: 'PENDING_CREATE, PENDING_UPDATE, PENDING_DELETE, ACTIVE or ERROR.',
  operatingStatus: 'ONLINE, OFFLINE, DEGRADED, ERROR, DRAINING or NO_MONITOR, as heartbeats tell.',
  errorReason: 'Why it is in ERROR, or why amphorae refused its newest change; null otherwise.',
  createdAt: 'When it was created.',
  updatedAt: 'When it was changed last.',
};

/** No heartbeat speaks of it. */
const unmeasured: Fields<ObjectView> = {
  ...object,
  operatingStatus: 'ONLINE as soon as amphorae have it, unless it is switched off: then, and before, OFFLINE.',
};

const loadBalancer: Fields<LoadBalancerView, keyof ObjectView | keyof LoadBalancerAttributes> = {
  projectId: 'Project that owns it.',
  vipAddress: 'Address of the VIP; null until there is one.',
  topology: 'SINGLE or ACTIVE_STANDBY; from its flavor or the setting at its creation.',
  vipPortId: 'Port of the VIP; null until there is one.',
  vipSubnetId: 'Subnet of the VIP.',
  vipNetworkId: 'Network of the VIP.',
  vipVnicType: "direct when amphorae's own ports are of SR-IOV, normal otherwise; from its flavor.",
  provider: 'Name under which it was asked for.',
  additionalVips:
    'Further VIPs: list of objects with `subnetId`, `ipAddress` and `portId`, both null until there is one.',
  listeners: 'Ids of its listeners.',
  pools: 'Ids of its pools.',
};

const statistics: Fields<StatisticsView> = {
  bytesIn: 'Bytes from clients.',
  bytesOut: 'Bytes to clients.',
  activeConnections: 'Connections that are open.',
  totalConnections: 'Connections in all.',
  requestErrors: 'Requests that were errors.',
};

const amphoraStatistics: Fields<AmphoraStatisticsView> = {
  listenerId: 'Listener that it is about.',
  loadBalancerId: 'Load balancer of that listener.',
  ...statistics,
};

const listener: Fields<ListenerView, keyof ObjectView | keyof ListenerAttributes> = {
  loadBalancerId: 'Load balancer that it is in.',
  l7Policies: 'Ids of its L7 policies, in order of position.',
};

const pool: Fields<PoolView, keyof ObjectView | keyof PoolAttributes> = {
  loadBalancerId: 'Load balancer that it is in.',
  listeners: 'Ids of listeners that have it as their default, or with an L7 policy that leads to it.',
  members: 'Ids of its members.',
  healthMonitorId: 'Id of its health monitor; null when it has none.',
};

const member: Fields<MemberView, keyof ObjectView | keyof MemberAttributes> = {
  loadBalancerId: 'Load balancer that it is in.',
  poolId: 'Pool that it is in.',
  vnicType: 'direct when amphorae reach it by a port of SR-IOV, normal otherwise.',
};

const { requestSriov: _requested, ...memberAttributes } = memberShape;

const healthMonitor: Fields<HealthMonitorView, keyof ObjectView | keyof HealthMonitorAttributes> = {
  loadBalancerId: 'Load balancer that it is in.',
  poolId: 'Pool that it checks.',
};

const l7Policy: Fields<L7PolicyView, keyof ObjectView | keyof L7PolicyAttributes> = {
  loadBalancerId: 'Load balancer that it is in.',
  listenerId: 'Listener that it is for.',
  rules: 'Ids of its rules.',
};

const l7Rule: Fields<L7RuleView, keyof ObjectView | keyof L7RuleAttributes> = {
  loadBalancerId: 'Load balancer that it is in.',
  l7PolicyId: 'L7 policy that it is in.',
};

const amphora: Fields<AmphoraView> = {
  id: 'Its id.',
  loadBalancerId: 'Load balancer that it serves, the first when several share it; null for a spare.',
  otherLoadBalancerIds: 'The others that share it.',
  mayBeJoined: 'Whether more of their project may come to share it.',
  status:
    'BOOTING, READY (a spare), ALLOCATED, PENDING_DELETE, ERROR, or FAILOVER_STOPPED (silent, and its failover is held).',
  failoverHeld: 'Why its failover is held; null when it is not.',
  role: 'STANDALONE, MASTER or BACKUP; null for a spare.',
  computeId: 'What the compute driver calls it.',
  agentHost: 'Where its agent listens.',
  agentPort: 'Where its agent listens.',
  controllers: 'Addresses (host:port) that it sends heartbeats to.',
  computeFlavor: 'Flavor of the compute service that was asked for; null for its usual one.',
  imageId: 'Image that it was made of; null where the compute driver does not tell.',
  cachedZone: 'Zone of the compute service; null where the compute driver does not tell.',
  host: 'Machine that it runs on; null where the compute driver does not tell.',
  haproxyVersion: 'As its agent told.',
  certificateFingerprint: 'SHA-256 of its certificate.',
  certificateExpiresAt: 'When its certificate ends.',
  certificateBusy: 'Whether it is being given another one.',
  errorReason: 'Why it is in ERROR; null otherwise.',
  createdAt: 'When it was asked for.',
  updatedAt: 'When it was changed last.',
};

const spares: Fields<SparesPoolView> = {
  size: 'Spares that shall be there.',
  ready: 'Spares that are there.',
  booting: 'Amphorae that boot.',
  waiting: 'Load balancers that wait for one.',
  failedBoots: 'Boots that failed in a row.',
  notBefore: 'When the next boot is tried; null when at once.',
};

const subnet: Fields<SubnetView> = {
  id: 'Its id.',
  name: 'Its name.',
  networkId: 'Network that it is in.',
  cidr: 'Its addresses.',
  gateway: 'Its gateway; null when there is none.',
  isForAdditionalVips: 'True when it is made for additional VIPs.',
};

const explanation: Fields<ExplanationView> = {
  why: 'Why it is not ACTIVE, in sentences, the most telling first.',
  id: 'The load balancer.',
  name: 'Its name.',
  provisioningStatus: 'Its status.',
  operatingStatus: 'Its status.',
  errorReason: 'Why it is in ERROR; null otherwise.',
  fault: 'Why its actor was given up; null while it is sound.',
  owner: '`{ nodeId, epoch }` of the node that owns it; null when nobody does.',
  steps:
    'Steps under way or waiting: `{ key, state, startedAt, deadlineAt, failures, retryAt, lastError, call, requestId }`; state is running, waiting or givenUp.',
  commands:
    'Ids of the commands whose work is under way, newest last; those of the REST API begin with the id of the request, or with `key/`.',
  wakeAt: 'When it looks again though nothing has happened; null when at no time.',
  unsettled: 'Objects that are not ACTIVE: `{ kind, id, name, provisioningStatus, errorReason }`.',
  amphorae: 'List of Amphora.',
  history: 'Newest entries of its journal, newest first: `{ seq, at, node, epoch, commandId, events }`.',
};

export const statusChange: Fields<StatusChange> = {
  objectId: 'The object.',
  kind: 'loadBalancer, listener, pool, member, healthMonitor, l7Policy or l7Rule.',
  loadBalancerId: 'Load balancer that it is in.',
  provisioningStatus: 'Its status now; DELETED is the last that is heard of it.',
  operatingStatus: 'Its status now.',
  at: 'When it changed.',
};

const alert: Fields<AlertView> = {
  id: 'Its id.',
  kind: 'loadBalancer, listener, pool or member.',
  objectId: 'The object.',
  name: 'Its name when the alert was opened; address and port of a member that has none.',
  loadBalancerId: 'Load balancer that it is in.',
  loadBalancerName: 'Its name.',
  projectId: 'Project that owns it.',
  oldStatus: 'Operating status before it began.',
  status: 'The worst operating status since: ERROR, DEGRADED, or OFFLINE of a load balancer that nobody has heard of.',
  reason: 'Why, in a sentence.',
  since: 'When it began.',
  times: 'How often the object has become alarming since: more than 1 for one that flaps.',
  wellSince: 'Since when all is well again; null while it is not.',
  clearedAt: 'When it was cleared, which is `alerts.settle` after that; null while it is open.',
};

const { status: _status, ...ofBoth } = alert;
export const alertChange: Fields<AlertChange> = {
  what: 'opened, worsened or cleared.',
  ...ofBoth,
  oldStatus: 'Operating status before.',
  newStatus: 'Operating status now; DELETED when the object is gone.',
  at: 'When.',
};

function meanings(
  description: Readonly<Record<string, { readonly meaning: string }>>,
): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(description).map(([name, { meaning }]) => [name, meaning]));
}

/** View → field → meaning. */
export const viewFields: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  LoadBalancer: { ...object, ...loadBalancer, ...meanings(loadBalancerShape) },
  LoadBalancerTree: {
    '…': 'As LoadBalancer, but `listeners` is a list of Listener in which `l7Policies` is a list of L7Policy with a list of L7Rule as `rules`, and `pools` a list of Pool in which `members` is a list of Member and `healthMonitor` (a HealthMonitor or null) stands for `healthMonitorId`.',
  },
  Listener: { ...object, ...listener, ...meanings(listenerShape) },
  Pool: { ...object, ...pool, ...meanings(poolShape) },
  Member: { ...object, ...member, ...meanings(memberAttributes) },
  HealthMonitor: { ...unmeasured, ...healthMonitor, ...meanings(healthMonitorShape) },
  L7Policy: { ...unmeasured, ...l7Policy, ...meanings(l7PolicyShape) },
  L7Rule: { ...unmeasured, ...l7Rule, ...meanings(l7RuleShape) },
  Quota: {
    projectId: 'The project.',
    ...Object.fromEntries(
      quotaKinds.map((kind) => [kind, `Most of kind ${kindNames[kind]} that it may have; -1 for no limit.`]),
    ),
  },
  StatusTree: {
    '…': '`id`, `name`, `provisioningStatus`, `operatingStatus` of the load balancer; `listeners` with the same, `protocol`, `protocolPort`, `l7Policies` (with `action`) and `pools`; these with the same, `healthMonitor` (with `type`, or null) and `members` (with `address` and `protocolPort`); `pools` of the load balancer that no listener leads to, likewise.',
  },
  Statistics: statistics,
  AmphoraStatistics: amphoraStatistics,
  FlavorProfile: { id: 'Its id.', ...meanings(flavorProfileShape) },
  Flavor: { id: 'Its id.', ...meanings(flavorShape) },
  AvailabilityZoneProfile: { id: 'Its id.', ...meanings(availabilityZoneProfileShape) },
  AvailabilityZone: meanings(availabilityZoneShape),
  Amphora: amphora,
  SparesPool: spares,
  Subnet: subnet,
  Alert: alert,
  Explanation: explanation,
  ServerInfo: {
    name: 'amphitheatre.',
    version: 'Of the program.',
    nodeId: 'Of the process that answers.',
    driver: 'What amphorae run with.',
  },
};
