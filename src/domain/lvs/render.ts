// Renders a UDP or SCTP listener as the keepalived configuration of its virtual server, which LVS balances in the kernel
// of the amphora. The comments are part of the format: the agent reads ids out of them, so that it can say in
// heartbeats which member is which. Equal trees render to equal texts. (Octavia's "keepalivedlvs" templates;
// keepalived.conf(5), "virtual_server".)
import type {
  HealthMonitorAttributes,
  LbAlgorithm,
  ServedListener,
  ServedPool,
  ServedTree,
} from '../load-balancer/attributes.ts';
import { isDatagram } from '../load-balancer/datagram-rules.ts';
import { unreachable } from '../unreachable.ts';

/** The virtual server of one listener. */
export interface LvsListener {
  readonly listenerId: string;
  /** The text of its keepalived.conf. */
  readonly configuration: string;
}

const checksPath = '/var/lib/octavia/lvs/check';

/** Every UDP and SCTP listener that is up, in order of creation. */
export function renderLvs(tree: ServedTree): readonly LvsListener[] {
  if (!tree.adminStateUp) return [];
  return tree.listeners
    .filter((listener) => listener.adminStateUp && isDatagram(listener.protocol))
    .map((listener) => ({ listenerId: listener.id, configuration: `${lines(tree, listener).join('\n')}\n` }));
}

/** Whether a configuration that was rendered here is of that load balancer. */
export function isLvsOf(configuration: string, loadBalancerId: string): boolean {
  return configuration.startsWith(`${firstLine(loadBalancerId)}\n`);
}

function firstLine(loadBalancerId: string): string {
  return `# Configuration for Loadbalancer ${loadBalancerId}`;
}

function lines(tree: ServedTree, listener: ServedListener): readonly string[] {
  const { vipAddresses } = tree;
  const pool = tree.pools.find(({ id }) => id === listener.defaultPoolId);
  const families = [
    { name: 'ipv4-group', vips: vipAddresses.filter((address) => !address.includes(':')), isIpv6: false },
    { name: 'ipv6-group', vips: vipAddresses.filter((address) => address.includes(':')), isIpv6: true },
  ].filter(({ vips }) => vips.length > 0);
  return [
    firstLine(tree.loadBalancerId),
    `# Configuration for Listener ${listener.id}`,
    '',
    'net_namespace amphora-haproxy',
    ...families.flatMap(({ name, vips }) => [
      '',
      `virtual_server_group ${name} {`,
      ...vips.map((vip) => `    ${vip} ${listener.protocolPort}`),
      '}',
    ]),
    ...families.flatMap(({ name, isIpv6 }) => ['', ...virtualServer(name, listener, pool, isIpv6)]),
  ];
}

function virtualServer(
  group: string,
  listener: ServedListener,
  pool: ServedPool | undefined,
  isIpv6: boolean,
): readonly string[] {
  const head = [`virtual_server group ${group} {`, `    lb_algo ${algorithmOf(pool?.lbAlgorithm ?? 'ROUND_ROBIN')}`];
  const protocol = ['    lb_kind NAT', `    protocol ${listener.protocol}`];
  if (pool === undefined) return [...head, ...protocol, '}'];
  if (!pool.adminStateUp) return [...head, ...protocol, `    # Pool ${pool.id} is disabled`, '}'];
  const monitor = pool.healthMonitor?.adminStateUp === true ? pool.healthMonitor : undefined;
  return [
    ...head,
    ...protocol,
    ...persistenceTexts(pool, isIpv6),
    ...(monitor === undefined ? [] : pacesOf(monitor)),
    '',
    `    # Configuration for Pool ${pool.id}`,
    ...(monitor === undefined ? [] : [`    # Configuration for HealthMonitor ${monitor.id}`]),
    // A virtual server forwards to members of its own family.
    ...pool.members
      .filter(({ address }) => address.includes(':') === isIpv6)
      .flatMap((member) => realServer(member, listener, monitor)),
    '}',
  ];
}

function algorithmOf(algorithm: LbAlgorithm): string {
  switch (algorithm) {
    case 'ROUND_ROBIN':
      return 'rr';
    case 'LEAST_CONNECTIONS':
      return 'wlc';
    case 'SOURCE_IP':
      return 'sh';
    default:
      return unreachable(algorithm);
  }
}

/** Seconds that LVS remembers a client unless it is told otherwise; keepalived's own default is 6 minutes. */
const persistenceTimeout = 360;

function persistenceTexts({ sessionPersistence }: ServedPool, isIpv6: boolean): readonly string[] {
  if (sessionPersistence === null) return [];
  const { persistenceGranularity: netmask } = sessionPersistence;
  return [
    `    persistence_timeout ${sessionPersistence.persistenceTimeout ?? persistenceTimeout}`,
    ...(netmask === undefined || netmask === null
      ? []
      : [`    persistence_granularity ${isIpv6 ? prefixLength(netmask) : netmask}`]),
  ];
}

/** `255.255.255.0` → 24. */
function prefixLength(netmask: string): number {
  const bits = netmask.split('.').map((octet) => Number(octet).toString(2).padStart(8, '0'));
  return bits.join('').lastIndexOf('1') + 1;
}

function pacesOf({ delay, maxRetriesDown }: HealthMonitorAttributes): readonly string[] {
  return [`    delay_loop ${delay}`, `    delay_before_retry ${delay}`, `    retry ${maxRetriesDown}`];
}

type Member = ServedPool['members'][number];

function realServer(
  member: Member,
  { connectionLimit }: ServedListener,
  monitor: HealthMonitorAttributes | undefined,
): readonly string[] {
  if (!member.adminStateUp) return [`    # Member ${member.id} is disabled`];
  return [
    `    # Configuration for Member ${member.id}`,
    `    real_server ${member.address} ${member.protocolPort} {`,
    `        weight ${member.weight}`,
    ...(connectionLimit < 0 ? [] : [`        uthreshold ${connectionLimit}`]),
    ...(monitor === undefined ? [] : check(member, monitor)).map((text) => `        ${text}`),
    '    }',
  ];
}

function check(member: Member, monitor: HealthMonitorAttributes): readonly string[] {
  const address = member.monitorAddress ?? member.address;
  const port = member.monitorPort ?? member.protocolPort;
  const script = (command: string) => [
    'MISC_CHECK {',
    `    misc_path "${command}"`,
    `    misc_timeout ${monitor.timeout}`,
    '}',
  ];
  const connection = [
    `    connect_ip ${address}`,
    `    connect_port ${port}`,
    `    connect_timeout ${monitor.timeout}`,
  ];
  switch (monitor.type) {
    case 'SCTP':
      return script(`amphora-health-checker sctp -t ${monitor.timeout} ${address} ${port}`);
    case 'TCP':
      return ['TCP_CHECK {', ...connection, '}'];
    case 'HTTP':
      return [
        'HTTP_GET {',
        '    url {',
        `        path ${quoted(monitor.urlPath)}`,
        `        status_code ${statusCodes(monitor.expectedCodes)}`,
        '    }',
        ...connection,
        '}',
      ];
    case 'UDP-CONNECT':
      return script(`${checksPath}/udp_check.sh ${address} ${port}`);
    // Not for these pools.
    case 'HTTPS':
    case 'PING':
    case 'TLS-HELLO':
      return [];
    default:
      return unreachable(monitor.type);
  }
}

/** A path may hold what begins a comment or a variable. */
function quoted(path: string): string {
  return /^[A-Za-z0-9/._~-]+$/.test(path) ? path : `"${path.replace(/["\\]/g, '\\$&')}"`;
}

/** `200,202` → `200 202`; a range stays one. */
function statusCodes(codes: string): string {
  return codes.replaceAll(' ', '').replaceAll(',', ' ');
}
