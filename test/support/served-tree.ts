// A small tree for tests of rendering and serving: one HTTP listener, one pool; members and the rest as asked for.
import type {
  HealthMonitorAttributes,
  ListenerAttributes,
  MemberAttributes,
  L7PolicyAttributes,
  L7RuleAttributes,
  PoolAttributes,
  ServedL7Policy,
  ServedTree,
} from '../../src/domain/load-balancer/attributes.ts';
import { deriveId } from '../../src/domain/ids.ts';
import { noListenerTls, noPoolTls } from '../../src/domain/load-balancer/tls.ts';

export function listener(values: Partial<ListenerAttributes> = {}): ListenerAttributes {
  return {
    name: '',
    description: '',
    adminStateUp: true,
    tags: [],
    protocol: 'HTTP',
    protocolPort: 80,
    defaultPoolId: deriveId('pool'),
    connectionLimit: -1,
    timeoutClientData: 50_000,
    timeoutMemberConnect: 5000,
    timeoutMemberData: 50_000,
    timeoutTcpInspect: 0,
    insertHeaders: {},
    allowedCidrs: [],
    ...noListenerTls,
    ...values,
  };
}

export function pool(values: Partial<PoolAttributes> = {}): PoolAttributes {
  return {
    name: '',
    description: '',
    adminStateUp: true,
    tags: [],
    protocol: 'HTTP',
    lbAlgorithm: 'ROUND_ROBIN',
    sessionPersistence: null,
    ...noPoolTls,
    ...values,
  };
}

export function member(values: Partial<MemberAttributes> = {}): MemberAttributes {
  return {
    name: '',
    adminStateUp: true,
    tags: [],
    address: '192.0.2.10',
    protocolPort: 8080,
    subnetId: null,
    weight: 1,
    backup: false,
    monitorAddress: null,
    monitorPort: null,
    requestSriov: false,
    ...values,
  };
}

export function healthMonitor(values: Partial<HealthMonitorAttributes> = {}): HealthMonitorAttributes {
  return {
    name: '',
    adminStateUp: true,
    tags: [],
    type: 'HTTP',
    delay: 5,
    timeout: 3,
    maxRetries: 2,
    maxRetriesDown: 3,
    httpMethod: 'GET',
    urlPath: '/',
    expectedCodes: '200',
    httpVersion: 1.0,
    domainName: null,
    ...values,
  };
}

/** A policy with its rules; ids follow from `name`. */
export function l7Policy(
  name: string,
  values: Partial<L7PolicyAttributes>,
  rules: readonly Partial<L7RuleAttributes>[] = [{}],
): ServedL7Policy {
  return {
    id: deriveId('policy', name),
    name,
    description: '',
    adminStateUp: true,
    tags: [],
    action: 'REJECT',
    redirectPoolId: null,
    redirectUrl: null,
    redirectPrefix: null,
    redirectHttpCode: null,
    position: 1,
    ...values,
    rules: rules.map((rule, index) => ({ id: deriveId('policy', name, 'rule', index), ...l7Rule(rule) })),
  };
}

export function l7Rule(values: Partial<L7RuleAttributes> = {}): L7RuleAttributes {
  return {
    adminStateUp: true,
    tags: [],
    type: 'PATH',
    compareType: 'EQUAL_TO',
    key: null,
    value: '/',
    invert: false,
    ...values,
  };
}

export interface TreeParts {
  readonly loadBalancerId?: string;
  readonly vipAddresses?: readonly string[];
  readonly adminStateUp?: boolean;
  readonly projectId?: string;
  readonly listener?: Partial<ListenerAttributes>;
  readonly l7Policies?: readonly ServedL7Policy[];
  readonly pool?: Partial<PoolAttributes>;
  readonly members?: readonly Partial<MemberAttributes>[];
  readonly healthMonitor?: Partial<HealthMonitorAttributes>;
}

/** Ids are `deriveId('listener')`, `deriveId('pool')`, `deriveId('member', n)` and `deriveId('monitor')`. */
export function servedTree(parts: TreeParts = {}): ServedTree {
  return {
    loadBalancerId: parts.loadBalancerId ?? deriveId('load-balancer'),
    projectId: parts.projectId ?? 'project',
    vipAddresses: parts.vipAddresses ?? ['192.0.2.1'],
    vipPolicy: { qosPolicyId: null, securityGroupIds: [] },
    adminStateUp: parts.adminStateUp ?? true,
    listeners: [{ id: deriveId('listener'), ...listener(parts.listener), l7Policies: parts.l7Policies ?? [] }],
    pools: [
      {
        id: deriveId('pool'),
        ...pool(parts.pool),
        members: (parts.members ?? []).map((values, index) => ({ id: deriveId('member', index), ...member(values) })),
        healthMonitor:
          parts.healthMonitor === undefined
            ? undefined
            : { id: deriveId('monitor'), ...healthMonitor(parts.healthMonitor) },
      },
    ],
  };
}
