// Objects and commands for tests of load balancers: complete, and alike but for what a test says.
import type {
  HealthMonitorAttributes,
  L7PolicyAttributes,
  L7RuleAttributes,
  ListenerAttributes,
  LoadBalancerAttributes,
  MemberAttributes,
  PoolAttributes,
} from '../../src/domain/load-balancer/attributes.ts';
import type {
  LoadBalancerCommand,
  NewL7Policy,
  NewListener,
  NewPool,
} from '../../src/domain/load-balancer/commands.ts';
import { noListenerTls, noPoolTls } from '../../src/domain/load-balancer/tls.ts';
import { deriveId, type ListenerId, type LoadBalancerId, type MemberId, type PoolId } from '../../src/domain/ids.ts';

const named = { name: '', description: '', adminStateUp: true, tags: [] };

export const loadBalancerAttributes: LoadBalancerAttributes = {
  ...named,
  name: 'one',
  flavorId: null,
  availabilityZone: null,
  vipQosPolicyId: null,
  vipSgIds: [],
};

export const listenerAttributes: ListenerAttributes = {
  ...named,
  protocol: 'HTTP',
  protocolPort: 80,
  defaultPoolId: null,
  connectionLimit: -1,
  timeoutClientData: 50_000,
  timeoutMemberConnect: 5_000,
  timeoutMemberData: 50_000,
  timeoutTcpInspect: 0,
  insertHeaders: {},
  allowedCidrs: [],
  ...noListenerTls,
};

export const poolAttributes: PoolAttributes = {
  ...named,
  protocol: 'HTTP',
  lbAlgorithm: 'ROUND_ROBIN',
  sessionPersistence: null,
  ...noPoolTls,
};

export const memberAttributes: MemberAttributes = {
  name: '',
  adminStateUp: true,
  tags: [],
  address: '10.1.0.1',
  protocolPort: 80,
  subnetId: null,
  weight: 1,
  backup: false,
  monitorAddress: null,
  monitorPort: null,
  requestSriov: false,
};

export const healthMonitorAttributes: HealthMonitorAttributes = {
  name: '',
  adminStateUp: true,
  tags: [],
  type: 'HTTP',
  delay: 5,
  timeout: 2,
  maxRetries: 2,
  maxRetriesDown: 3,
  httpMethod: 'GET',
  urlPath: '/',
  expectedCodes: '200',
  httpVersion: 1.0,
  domainName: null,
};

export function listener(port: number, defaultPoolId: PoolId | null = null): NewListener {
  const id = deriveId<ListenerId>('test', 'listener', port);
  return { id, attributes: { ...listenerAttributes, name: `listener-${port}`, protocolPort: port, defaultPoolId } };
}

export function pool(name: string, addresses: readonly string[]): NewPool {
  const id = deriveId<PoolId>('test', 'pool', name);
  const members = addresses.map((address) => ({
    id: deriveId<MemberId>(id, address),
    attributes: { ...memberAttributes, address },
  }));
  return { id, attributes: { ...poolAttributes, name }, members, healthMonitor: null };
}

export const l7RuleAttributes: L7RuleAttributes = {
  adminStateUp: true,
  tags: [],
  type: 'PATH',
  compareType: 'STARTS_WITH',
  key: null,
  value: '/',
  invert: false,
};

/** At the end, unless it says otherwise; with a rule for each path. */
export function l7Policy(
  name: string,
  more: Partial<L7PolicyAttributes> = {},
  paths: readonly string[] = ['/'],
): NewL7Policy {
  const id = deriveId<NewL7Policy['id']>('test', 'policy', name);
  const redirection = { redirectPoolId: null, redirectUrl: null, redirectPrefix: null, redirectHttpCode: null };
  return {
    id,
    attributes: { ...named, name, action: 'REJECT', ...redirection, position: 2_147_483_647, ...more },
    rules: paths.map((value, index) => ({
      id: deriveId(id, 'rule', index),
      attributes: { ...l7RuleAttributes, value },
    })),
  };
}

export function createLoadBalancer(
  loadBalancerId: LoadBalancerId,
  more: Partial<Extract<LoadBalancerCommand, { type: 'createLoadBalancer' }>> = {},
): LoadBalancerCommand {
  return {
    type: 'createLoadBalancer',
    loadBalancerId,
    projectId: 'project',
    vip: { subnetId: 'subnet', networkId: 'network', requestedAddress: null },
    attributes: loadBalancerAttributes,
    listeners: [],
    pools: [],
    ...more,
  };
}
