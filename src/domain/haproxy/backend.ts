// One pool as one listener uses it: a haproxy backend with its health check and its servers.
import type {
  HealthMonitorAttributes,
  LbAlgorithm,
  ListenerAttributes,
  ListenerProtocol,
  PoolProtocol,
  ServedListener,
  ServedPool,
} from '../load-balancer/attributes.ts';
import { unreachable } from '../unreachable.ts';
import { terminatesTls } from '../load-balancer/tls.ts';
import { argument, formatWord, word } from './escape.ts';
import type { TlsWords } from './tls.ts';

/** A line of the configuration and the id of the object whose attributes made it. */
export interface Line {
  readonly text: string;
  readonly owner: string;
}

type ServedMember = ServedPool['members'][number];
type Monitor = NonNullable<ServedPool['healthMonitor']>;

/** What a backend has to know of the file it is in. */
export interface Surroundings {
  readonly connectionLimit: number;
  /** The `peers` section that shares what is remembered of clients; undefined without one. */
  readonly peers: string | undefined;
  /** Whether clients may come by IPv6. */
  readonly hasIpv6: boolean;
  readonly tls: TlsWords;
}

/** The lines of the backend `<pool>:<listener>`, a blank line first. */
export function backendLines(pool: ServedPool, listener: ServedListener, surroundings: Surroundings): readonly Line[] {
  const { connectionLimit, tls } = surroundings;
  const mode = backendMode(pool.protocol, listener);
  const monitor = pool.healthMonitor?.adminStateUp === true ? pool.healthMonitor : undefined;
  const of = (owner: string, texts: readonly string[]): readonly Line[] => texts.map((text) => ({ text, owner }));
  return [
    ...of(pool.id, ['', `backend ${word(pool.id)}:${word(listener.id)}`, `    mode ${mode}`]),
    ...of(pool.id, mode === 'http' ? ['    http-reuse safe'] : []),
    ...of(pool.id, [`    balance ${balanceOf(pool.lbAlgorithm)}`]),
    ...of(pool.id, persistenceTexts(pool, mode, surroundings)),
    ...(monitor === undefined ? [] : of(monitor.id, monitorTexts(monitor))),
    ...of(listener.id, mode === 'http' ? headerTexts(listener) : []),
    ...of(listener.id, [`    fullconn ${connectionLimit}`]),
    ...of(pool.id, ['    option allbackups']),
    ...of(listener.id, [
      `    timeout connect ${listener.timeoutMemberConnect}`,
      `    timeout server ${listener.timeoutMemberData}`,
    ]),
    ...pool.members.map((member) => ({
      text: [serverText(member, pool, listener, mode, monitor), ...tls.server(pool, listener, mode === 'http')].join(
        ' ',
      ),
      owner: member.id,
    })),
  ];
}

type Mode = 'tcp' | 'http';

export function modeOf(protocol: ListenerProtocol): Mode {
  return protocol === 'HTTP' || protocol === 'TERMINATED_HTTPS' || protocol === 'PROMETHEUS' ? 'http' : 'tcp';
}

/** PROXY only says how a connection to a member begins; what follows is the listener's protocol. */
function backendMode(protocol: PoolProtocol, listener: ListenerAttributes): Mode {
  return protocol === 'PROXY' || protocol === 'PROXYV2' ? modeOf(listener.protocol) : modeOf(protocol);
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

/** Clients that are remembered at the same time. */
const rememberedClients = '10k';

function persistenceTexts(pool: ServedPool, mode: Mode, { peers, hasIpv6 }: Surroundings): string[] {
  const { sessionPersistence: persistence } = pool;
  if (persistence === null || !isPossible(pool, mode)) return [];
  const shared = peers === undefined ? '' : ` peers ${word(peers)}`;
  switch (persistence.type) {
    case 'SOURCE_IP':
      return [`    stick-table type ${hasIpv6 ? 'ipv6' : 'ip'} size ${rememberedClients}${shared}`, '    stick on src'];
    case 'HTTP_COOKIE':
      return ['    cookie SRV insert indirect nocache'];
    case 'APP_COOKIE': {
      const name = argument(persistence.cookieName ?? '');
      return [
        `    stick-table type string len 64 size ${rememberedClients}${shared}`,
        `    stick store-response res.cook(${name})`,
        `    stick match req.cook(${name})`,
      ];
    }
    default:
      return unreachable(persistence.type);
  }
}

/** Where a listener passes connections through, there are no cookies to be read. */
function isPossible({ sessionPersistence }: ServedPool, mode: Mode): boolean {
  return sessionPersistence?.type === 'SOURCE_IP' || mode === 'http';
}

/** Header → what haproxy knows of the client's certificate. */
const certificateHeaders = {
  'X-SSL-Client-Verify': '%[ssl_c_verify]',
  'X-SSL-Client-Has-Cert': '%[ssl_c_used]',
  'X-SSL-Client-DN': '%{+Q}[ssl_c_s_dn]',
  'X-SSL-Client-CN': '%{+Q}[ssl_c_s_dn(cn)]',
  'X-SSL-Issuer': '%{+Q}[ssl_c_i_dn]',
  'X-SSL-Client-SHA1': '%{+Q}[ssl_c_sha1,hex]',
  'X-SSL-Client-Not-Before': '%{+Q}[ssl_c_notbefore]',
  'X-SSL-Client-Not-After': '%{+Q}[ssl_c_notafter]',
} as const;

function headerTexts(listener: ListenerAttributes): string[] {
  const { insertHeaders: headers } = listener;
  const set = (name: string, value: string) => `    http-request set-header ${name} ${value}`;
  const isTls = terminatesTls(listener);
  const ofCertificate = isTls ? Object.entries(certificateHeaders) : [];
  return [
    ...(headers['X-Forwarded-For'] === true ? ['    option forwardfor'] : []),
    ...(headers['X-Forwarded-Port'] === true ? [set('X-Forwarded-Port', '%[dst_port]')] : []),
    ...(headers['X-Forwarded-Proto'] === true ? [set('X-Forwarded-Proto', isTls ? 'https' : 'http')] : []),
    ...ofCertificate
      .filter(([name]) => headers[name as keyof typeof certificateHeaders] === true)
      .map(([name, value]) => set(name, value)),
  ];
}

/** In every amphora of OpenStack. */
const pingCommand = '/var/lib/octavia/ping-wrapper.sh';

function monitorTexts(monitor: HealthMonitorAttributes): string[] {
  const common = ['    load-server-state-from-file global', `    timeout check ${monitor.timeout}s`];
  if (monitor.type === 'PING') {
    return [...common, '    option external-check', `    external-check command ${word(pingCommand)}`];
  }
  if (monitor.type !== 'HTTP' && monitor.type !== 'HTTPS') return common;
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

function serverText(
  member: ServedMember,
  pool: ServedPool,
  listener: ServedListener,
  mode: Mode,
  monitor: Monitor | undefined,
): string {
  const { protocol, sessionPersistence } = pool;
  const hasCookie = sessionPersistence?.type === 'HTTP_COOKIE' && isPossible(pool, mode);
  return [
    `    server ${word(member.id)} ${word(bracketed(member.address))}:${member.protocolPort} weight ${member.weight}`,
    ...(monitor === undefined ? [] : checkWords(member, monitor, pool)),
    ...(protocol === 'PROXY' ? ['send-proxy'] : []),
    ...(protocol === 'PROXYV2' ? [terminatesTls(listener) ? 'send-proxy-v2-ssl-cn' : 'send-proxy-v2'] : []),
    ...(hasCookie ? [`cookie ${word(member.id)}`] : []),
    ...(member.backup ? ['backup'] : []),
    ...(member.adminStateUp ? [] : ['disabled']),
  ].join(' ');
}

function checkWords(member: ServedMember, monitor: HealthMonitorAttributes, pool: ServedPool): string[] {
  const isEncrypted = monitor.type === 'HTTPS' || monitor.type === 'TLS-HELLO';
  return [
    `check inter ${monitor.delay}s fall ${monitor.maxRetriesDown} rise ${monitor.maxRetries}`,
    // A handshake, whoever signed the certificate: members are known by their addresses. A pool that speaks TLS says itself.
    ...(isEncrypted ? [pool.tlsEnabled ? 'check-ssl' : 'check-ssl verify none'] : []),
    ...(member.monitorAddress === null ? [] : [`addr ${word(bracketed(member.monitorAddress))}`]),
    ...(member.monitorPort === null ? [] : [`port ${member.monitorPort}`]),
  ];
}

/** An address in the form that can be followed by `:port`. */
export function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}
