// One pool as one listener uses it: a haproxy backend with its health check and its servers.
import type {
  HealthMonitorAttributes,
  InsertHeaders,
  LbAlgorithm,
  ListenerAttributes,
  PoolProtocol,
  ServedListener,
  ServedPool,
} from '../load-balancer/attributes.ts';
import { unreachable } from '../unreachable.ts';
import { formatWord, word } from './escape.ts';

/** A line of the configuration and the id of the object whose attributes made it. */
export interface Line {
  readonly text: string;
  readonly owner: string;
}

type ServedMember = ServedPool['members'][number];
type Monitor = NonNullable<ServedPool['healthMonitor']>;

/** The lines of the backend `<pool>:<listener>`, a blank line first. */
export function backendLines(pool: ServedPool, listener: ServedListener, connectionLimit: number): readonly Line[] {
  const mode = backendMode(pool.protocol, listener);
  const monitor = pool.healthMonitor?.adminStateUp === true ? pool.healthMonitor : undefined;
  const of = (owner: string, texts: readonly string[]): readonly Line[] => texts.map((text) => ({ text, owner }));
  return [
    ...of(pool.id, ['', `backend ${word(pool.id)}:${word(listener.id)}`, `    mode ${mode}`]),
    ...of(pool.id, mode === 'http' ? ['    http-reuse safe'] : []),
    ...of(pool.id, [`    balance ${balanceOf(pool.lbAlgorithm)}`]),
    ...(monitor === undefined ? [] : of(monitor.id, monitorTexts(monitor))),
    ...of(listener.id, mode === 'http' ? headerTexts(listener.insertHeaders) : []),
    ...of(listener.id, [`    fullconn ${connectionLimit}`]),
    ...of(pool.id, ['    option allbackups']),
    ...of(listener.id, [
      `    timeout connect ${listener.timeoutMemberConnect}`,
      `    timeout server ${listener.timeoutMemberData}`,
    ]),
    ...pool.members.map((member) => ({ text: serverText(member, pool.protocol, monitor), owner: member.id })),
  ];
}

export function modeOf(protocol: 'TCP' | 'HTTP'): 'tcp' | 'http' {
  return protocol === 'HTTP' ? 'http' : 'tcp';
}

/** PROXY only says how a connection to a member begins; what follows is the listener's protocol. */
function backendMode(protocol: PoolProtocol, listener: ListenerAttributes): 'tcp' | 'http' {
  return protocol === 'HTTP' || protocol === 'TCP' ? modeOf(protocol) : modeOf(listener.protocol);
}

function balanceOf(algorithm: LbAlgorithm): string {
  switch (algorithm) {
    case 'ROUND_ROBIN':
      return 'roundrobin';
    case 'LEAST_CONNECTIONS':
      return 'leastconn';
    case 'SOURCE_IP':
      return 'source';
    default:
      return unreachable(algorithm);
  }
}

function headerTexts(headers: InsertHeaders): string[] {
  return [
    ...(headers['X-Forwarded-For'] === true ? ['    option forwardfor'] : []),
    ...(headers['X-Forwarded-Port'] === true ? ['    http-request set-header X-Forwarded-Port %[dst_port]'] : []),
    ...(headers['X-Forwarded-Proto'] === true ? ['    http-request set-header X-Forwarded-Proto http'] : []),
  ];
}

function monitorTexts(monitor: HealthMonitorAttributes): string[] {
  const common = ['    load-server-state-from-file global', `    timeout check ${monitor.timeout}s`];
  if (monitor.type === 'TCP') return common;
  const version = monitor.httpVersion.toFixed(1);
  const host = monitor.domainName !== null && monitor.httpVersion === 1.1 ? monitor.domainName : undefined;
  return [
    ...common,
    `    option httpchk ${word(monitor.httpMethod)} ${word(monitor.urlPath)} HTTP/${version}`,
    ...(host === undefined ? [] : [`    http-check send hdr Host ${formatWord(host)}`]),
    `    http-check expect rstatus ${word(statusPattern(monitor.expectedCodes))}`,
  ];
}

/** `200-202` and `200,201,202` become `200|201|202`. */
function statusPattern(codes: string): string {
  const range = /^(\d{3})-(\d{3})$/.exec(codes);
  if (range === null) return codes.replaceAll(' ', '').replaceAll(',', '|');
  const [first, last] = [Number(range[1]), Number(range[2])];
  return Array.from({ length: Math.max(last - first + 1, 1) }, (_, offset) => first + offset).join('|');
}

function serverText(member: ServedMember, protocol: PoolProtocol, monitor: Monitor | undefined): string {
  return [
    `    server ${word(member.id)} ${word(bracketed(member.address))}:${member.protocolPort} weight ${member.weight}`,
    ...(monitor === undefined ? [] : checkWords(member, monitor)),
    ...(protocol === 'PROXY' ? ['send-proxy'] : []),
    ...(protocol === 'PROXYV2' ? ['send-proxy-v2'] : []),
    ...(member.backup ? ['backup'] : []),
    ...(member.adminStateUp ? [] : ['disabled']),
  ].join(' ');
}

function checkWords(member: ServedMember, monitor: HealthMonitorAttributes): string[] {
  return [
    `check inter ${monitor.delay}s fall ${monitor.maxRetriesDown} rise ${monitor.maxRetries}`,
    ...(member.monitorAddress === null ? [] : [`addr ${word(bracketed(member.monitorAddress))}`]),
    ...(member.monitorPort === null ? [] : [`port ${member.monitorPort}`]),
  ];
}

/** An address in the form that can be followed by `:port`. */
export function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}
