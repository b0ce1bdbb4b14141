// Renders a load balancer's tree as the haproxy configuration of one amphora. Names are part of the contract with the
// agent, which reads them back out of the file and out of haproxy's statistics: a frontend is called `<listener id>`, a
// backend `<pool id>:<listener id>`, a server `<member id>`. Equal trees render to equal texts, because the text's
// digest is what tells whether an amphora is up to date. Backends are rendered in backend.ts, L7 policies in policies.ts, TLS
// in tls.ts.
import type { ListenerAttributes, ServedListener, ServedPool, ServedTree } from '../load-balancer/attributes.ts';
import { isDatagram } from '../load-balancer/datagram-rules.ts';
import { type Line, backendLines, bracketed, modeOf } from './backend.ts';
import { formatWord, word } from './escape.ts';
import { peerName, peerPort } from './peer-name.ts';
import { effectivePolicies, policyLines, servedPool } from './policies.ts';
import { namesLine, type Secrets, type TlsFile, tlsFolder, TlsWords } from './tls.ts';

/** Where OpenStack's agent keeps its files; an agent that lives elsewhere translates what it is given. */
export const defaultBasePath = '/var/lib/octavia';

const unlimitedConnections = 50_000;
const mostConnections = 1_000_000;

export interface Peer {
  readonly amphoraId: string;
  /** The amphora's own address on the VIP's subnet. */
  readonly address: string;
}

export interface RenderOptions {
  /** Absolute; `defaultBasePath` unless given. */
  readonly basePath?: string;
  /** Both amphorae of a pair; none for an amphora that stands alone. */
  readonly peers?: readonly Peer[];
  /** Contents of what the tree refers to (`secretsOf`); none needed where nothing speaks TLS. */
  readonly secrets?: Secrets;
}

/**
 * The text of haproxy.cfg, or null when there is nothing for haproxy to serve: the load balancer is administratively down or no
 * listener of it is up but those of UDP and SCTP. Pools that are down, and pools that no listener uses, are left out; members that are down are
 * rendered `disabled`, so that they are reported as such.
 */
export function renderHaproxy(tree: ServedTree, options: RenderOptions = {}): string | null {
  return renderAll(tree, options).configuration;
}

export interface Rendering {
  readonly configuration: string | null;
  /** The files that it names, in order of their first use. They hold private keys. */
  readonly files: readonly TlsFile[];
}

/** The same with the files that go with it. */
export function renderAll(tree: ServedTree, options: RenderOptions): Rendering {
  const { lines = null, files = [] } = rendered(tree, options) ?? {};
  return { configuration: lines === null ? null : `${lines.map((line) => line.text).join('\n')}\n`, files };
}

/**
 * The id of the object that a line of the rendered file (counted from 1, as haproxy counts in its messages) belongs
 * to: a listener, pool, health monitor, member, L7 policy or rule, else the load balancer. Undefined for a line that isn't there.
 */
export function ownerOfLine(tree: ServedTree, lineNumber: number, options: RenderOptions = {}): string | undefined {
  return rendered(tree, options)?.lines[lineNumber - 1]?.owner;
}

interface Rendered {
  readonly lines: readonly Line[];
  readonly files: readonly TlsFile[];
}

function rendered(tree: ServedTree, options: RenderOptions): Rendered | null {
  const listeners = tree.listeners.filter(({ adminStateUp, protocol }) => adminStateUp && !isDatagram(protocol));
  if (!tree.adminStateUp || listeners.length === 0) return null;
  const peers = (options.peers ?? []).length === 0 ? undefined : peersName(tree);
  const tls = new TlsWords(tree, options.secrets ?? new Map(), options.basePath ?? defaultBasePath);
  const served = listeners.flatMap((listener) => listenerLines(tree, listener, peers, tls));
  const { files } = tls;
  const own = [...globalTexts(tree, listeners, options, files), ...peerTexts(tree, options.peers ?? [])];
  return { lines: [...own.map((text) => ({ text, owner: tree.loadBalancerId })), ...served], files };
}

function globalTexts(
  tree: ServedTree,
  listeners: readonly ServedListener[],
  options: RenderOptions,
  files: readonly TlsFile[],
): string[] {
  const basePath = options.basePath ?? defaultBasePath;
  const connections = listeners.reduce((sum, listener) => sum + connectionLimit(listener), 0);
  return [
    `# Configuration for load balancer ${word(tree.loadBalancerId)}`,
    ...(files.length === 0 ? [] : [namesLine(files)]),
    'global',
    '    daemon',
    '    user nobody',
    '    log /run/rsyslog/octavia/log local0',
    '    log /run/rsyslog/octavia/log local1 notice',
    `    stats socket ${word(`${basePath}/${tree.loadBalancerId}.sock`)} mode 0666 level user`,
    `    server-state-file ${word(`${basePath}/${tree.loadBalancerId}/servers-state`)}`,
    `    maxconn ${Math.min(connections, mostConnections)}`,
    ...(files.length === 0 ? [] : [`    crt-base ${word(tlsFolder(basePath, tree.loadBalancerId))}`]),
    ...(tree.pools.some(isPinged) ? ['    external-check', '    insecure-fork-wanted'] : []),
    '',
    'defaults',
    '    log global',
    '    retries 3',
    '    option redispatch',
    '    option splice-request',
    '    option splice-response',
    '    option http-keep-alive',
  ];
}

function isPinged({ adminStateUp, healthMonitor }: ServedPool): boolean {
  return adminStateUp && healthMonitor?.adminStateUp === true && healthMonitor.type === 'PING';
}

function peerTexts(tree: ServedTree, peers: readonly Peer[]): string[] {
  if (peers.length === 0) return [];
  const entries = peers.map((peer) => `    peer ${peerName(peer.amphoraId)} ${word(peer.address)}:${peerPort}`);
  return ['', `peers ${word(peersName(tree))}`, ...entries];
}

function peersName(tree: ServedTree): string {
  return `${tree.loadBalancerId.replaceAll('-', '')}_peers`;
}

function listenerLines(
  tree: ServedTree,
  listener: ServedListener,
  peers: string | undefined,
  tls: TlsWords,
): readonly Line[] {
  const limit = connectionLimit(listener);
  const pool = servedPool(tree, listener.defaultPoolId);
  const policies = effectivePolicies(tree, listener);
  const redirected = policies.map((policy) => servedPool(tree, policy.redirectPoolId));
  const used = new Set([pool, ...redirected].filter((candidate) => candidate !== undefined));
  const of = (texts: readonly string[]): readonly Line[] => texts.map((text) => ({ text, owner: listener.id }));
  const hasIpv6 = tree.vipAddresses.some((address) => address.includes(':'));
  const surroundings = { connectionLimit: limit, peers, hasIpv6, tls };
  const head = [
    '',
    `frontend ${word(listener.id)}`,
    `    maxconn ${limit}`,
    ...tree.vipAddresses.map(
      (address) => `    bind ${word(bracketed(address))}:${listener.protocolPort}${tls.bind(listener)}`,
    ),
    `    mode ${modeOf(listener.protocol)}`,
    ...strictTransportTexts(listener),
    ...admissionTexts(listener),
    ...(listener.protocol === 'PROMETHEUS' ? exporterTexts : []),
  ];
  const tail = [
    ...(pool === undefined ? [] : [`    default_backend ${word(pool.id)}:${word(listener.id)}`]),
    `    timeout client ${listener.timeoutClientData}`,
    ...(listener.timeoutTcpInspect > 0 ? [`    tcp-request inspect-delay ${listener.timeoutTcpInspect}`] : []),
    `    log-format ${logFormat(tree, listener)}`,
  ];
  return [
    ...of(head),
    ...policies.flatMap((policy) => policyLines(policy, listener)),
    ...of(tail),
    ...[...used].flatMap((candidate) => backendLines(candidate, listener, surroundings)),
  ];
}

/** Also with what haproxy answers itself. */
function strictTransportTexts({ hstsMaxAge, hstsIncludeSubdomains, hstsPreload }: ListenerAttributes): string[] {
  if (hstsMaxAge === null) return [];
  const directives = [
    `max-age=${hstsMaxAge}`,
    ...(hstsIncludeSubdomains ? ['includeSubDomains'] : []),
    ...(hstsPreload ? ['preload'] : []),
  ];
  return [`    http-after-response set-header Strict-Transport-Security "${directives.join('; ')}"`];
}

/** haproxy's own exporter; there is nothing else to be had from such a listener. */
const exporterTexts = [
  '    http-request use-service prometheus-exporter if { path /metrics }',
  '    http-request return status 404',
];

/** A line for each range: haproxy takes 64 words on a line. */
function admissionTexts({ allowedCidrs }: ListenerAttributes): string[] {
  if (allowedCidrs.length === 0) return [];
  return [
    ...allowedCidrs.map((cidr) => `    acl allowed_cidrs src ${word(cidr)}`),
    '    tcp-request connection reject unless allowed_cidrs',
  ];
}

/** Blanks are escaped, so that the format is one word. In TCP mode the request's fields stay as `-`. */
function logFormat(tree: ServedTree, listener: ListenerAttributes): string {
  const http = modeOf(listener.protocol) === 'http';
  const fields = [
    formatWord(tree.projectId),
    formatWord(tree.loadBalancerId),
    '%f %ci %cp %t',
    http ? '%{+Q}r %ST' : '- -',
    '%B %U %[ssl_c_verify] %{+Q}[ssl_c_s_dn] %b %s %Tt',
    http ? '%tsc' : '%ts',
  ];
  return fields.join(' ').replaceAll(' ', '\\ ');
}

function connectionLimit(listener: ListenerAttributes): number {
  return listener.connectionLimit < 0 ? unlimitedConnections : Math.min(listener.connectionLimit, mostConnections);
}
