// From the short words of `lb create` to a request: `http:80`, `https:443`, `10.0.0.1:8080`, `http:/health`.
import { readFileSync } from 'node:fs';
import { InvalidArgumentError } from 'commander';
import { parse } from 'yaml';
import { CliFailure } from './failure.ts';

export interface ListenerWish {
  readonly protocol: 'HTTP' | 'TCP' | 'TERMINATED_HTTPS' | 'UDP';
  readonly protocolPort: number;
}

const protocols: Readonly<Record<string, ListenerWish['protocol']>> = {
  http: 'HTTP',
  https: 'TERMINATED_HTTPS',
  tcp: 'TCP',
  udp: 'UDP',
};

/** `http:80`, `tcp:5432`, or `https:443`, which ends TLS and needs a certificate. */
export function parseListener(text: string): ListenerWish {
  const [, name = '', port = ''] = /^([a-z]+):(\d{1,5})$/i.exec(text) ?? [];
  const protocol = protocols[name.toLowerCase()];
  if (protocol === undefined) {
    throw new InvalidArgumentError(
      'expected http:<port>, https:<port>, tcp:<port> or udp:<port>, such as http:80. Others: --file.',
    );
  }
  return { protocol, protocolPort: Number(port) };
}

export interface MemberWish {
  readonly address: string;
  readonly protocolPort: number;
  readonly weight?: number;
}

/** `10.0.0.1:8080`, `[2001:db8::1]:8080`, with `*5` behind for a weight. */
export function parseMember(text: string): MemberWish {
  const match = /^(?:\[([0-9a-f:.]+)\]|([\d.]+)):(\d{1,5})(?:\*(\d{1,3}))?$/i.exec(text);
  if (match === null)
    throw new InvalidArgumentError('expected <address>:<port>, such as 10.0.0.1:8080 or [2001:db8::1]:8080*5.');
  const [, six, four, port, weight] = match;
  const member = { address: six ?? four ?? '', protocolPort: Number(port) };
  return weight === undefined ? member : { ...member, weight: Number(weight) };
}

export interface MonitorWish {
  readonly type: 'HTTP' | 'TCP';
  readonly urlPath?: string;
}

/** `http:/health`, `http` or `tcp`. */
export function parseMonitor(text: string): MonitorWish {
  const [, type = '', urlPath] = /^(http|tcp)(?::(\/.*))?$/i.exec(text) ?? [];
  if (type === '' || (urlPath !== undefined && type.toLowerCase() === 'tcp')) {
    throw new InvalidArgumentError('expected http:<path> such as http:/health, http, or tcp.');
  }
  const monitor = { type: type.toUpperCase() as 'HTTP' | 'TCP' };
  return urlPath === undefined ? monitor : { ...monitor, urlPath };
}

export interface TreeWish {
  readonly listener: readonly ListenerWish[];
  readonly member: readonly MemberWish[];
  readonly monitor: MonitorWish | undefined;
  readonly algorithm: string;
  /** References: the first is what clients get that ask for no other by name. For listeners that end TLS. */
  readonly certificate?: readonly string[];
}

/** One pool of all members, shared by all listeners. Nothing when there are neither. */
export function treeOf({
  listener: wishes,
  member,
  monitor,
  algorithm,
  certificate = [],
}: TreeWish): Readonly<Record<string, unknown>> {
  const [defaultTlsContainerRef = null, ...sniContainerRefs] = certificate;
  const listener = wishes.map((wish) =>
    wish.protocol === 'TERMINATED_HTTPS' ? { ...wish, defaultTlsContainerRef, sniContainerRefs } : wish,
  );
  const isPooled = member.length > 0 || monitor !== undefined;
  if (isPooled && listener.length === 0) {
    throw new CliFailure(`--${member.length > 0 ? 'member' : 'monitor'}: expected a --listener beside it, given none`);
  }
  if (certificate.length > 0 && wishes.every((wish) => wish.protocol !== 'TERMINATED_HTTPS')) {
    throw new CliFailure('--certificate: expected a --listener https:<port> beside it, given none');
  }
  if (!isPooled) return { listeners: listener };
  const protocol = poolProtocolFor(listener.map((wish) => wish.protocol));
  const healthMonitor = monitor && { delay: 5, timeout: 3, maxRetries: 2, ...monitor };
  return {
    listeners: listener.map((wish) => ({ ...wish, defaultPool: { name: 'members' } })),
    pools: [{ name: 'members', protocol, lbAlgorithm: algorithm, members: member, healthMonitor }],
  };
}

/** What members speak; that it fits all listeners is for the controller to say. */
function poolProtocolFor(protocols: readonly ListenerWish['protocol'][]): 'HTTP' | 'TCP' | 'UDP' {
  if (protocols.every((protocol) => protocol === 'UDP')) return 'UDP';
  return protocols.includes('TCP') ? 'TCP' : 'HTTP';
}

/** A request in YAML or JSON, as `loadBalancer.create` takes it. */
export function readTreeFile(file: string): Readonly<Record<string, unknown>> {
  let content: unknown;
  try {
    content = parse(readFileSync(file === '-' ? 0 : file, 'utf8'));
  } catch (error) {
    throw new CliFailure(`${file} cannot be read: ${(error as Error).message.trimEnd()}`, error);
  }
  if (typeof content === 'object' && content !== null && !Array.isArray(content)) {
    return content as Readonly<Record<string, unknown>>;
  }
  throw new CliFailure(`${file}: expected the attributes of a load balancer, such as "name: web"`);
}
