// Reads the keepalived configuration of one UDP listener, in the shape that controllers write it: one virtual server for each
// family of addresses. The ids stand in its comments. (keepalived.conf(5); Octavia's "keepalivedlvs" templates.)

export type Schedule = 'rr' | 'wlc' | 'sh';

export type Check =
  | { readonly type: 'tcp'; readonly address: string; readonly port: number; readonly timeoutMs: number }
  | { readonly type: 'udp'; readonly address: string; readonly port: number; readonly timeoutMs: number }
  | {
      readonly type: 'http';
      readonly address: string;
      readonly port: number;
      readonly timeoutMs: number;
      readonly path: string;
      /** `200`, `200-299` */
      readonly codes: readonly string[];
    };

export interface LvsMember {
  readonly id: string;
  readonly address: string;
  readonly port: number;
  /** 0: no new clients. */
  readonly weight: number;
  /** Clients at once; undefined for any number. */
  readonly limit: number | undefined;
  /** Undefined when nobody looks after it. */
  readonly check: Check | undefined;
}

export interface LvsConfiguration {
  readonly listenerId: string;
  readonly loadBalancerId: string;
  readonly addresses: readonly string[];
  readonly port: number;
  readonly schedule: Schedule;
  /** How long a client is remembered after its last packet; undefined when only its own port is. */
  readonly persistenceMs: number | undefined;
  /** Leading bits of a client's address that count. */
  readonly granularity: { readonly ipv4: number; readonly ipv6: number };
  readonly poolId: string | undefined;
  readonly members: readonly LvsMember[];
  /** Members that are administratively down. */
  readonly disabled: readonly string[];
  readonly delayMs: number;
  /** Further checks that have to fail before a member is down. */
  readonly retries: number;
}

/** @throws Error that says what can't be read, or that the protocol is another one than UDP. */
export function parseLvs(text: string): LvsConfiguration {
  const one = (pattern: RegExp): string | undefined => pattern.exec(text)?.[1];
  const need = (what: string, found: string | undefined): string => {
    if (found === undefined) throw new Error(`expected ${what} in the configuration of the listener, found none`);
    return found;
  };
  const number = (key: string): number | undefined => {
    const found = one(new RegExp(`^\\s*${key} (\\d+)$`, 'm'));
    return found === undefined ? undefined : Number(found);
  };
  const protocol = need('"protocol"', one(/^\s*protocol (\S+)$/m));
  if (protocol !== 'UDP') {
    throw new Error(
      `this amphora is a process without the kernel's LVS and balances UDP only, given protocol ${protocol}`,
    );
  }
  const groups = Array.from(text.matchAll(/^virtual_server_group \S+ \{\n([^}]*)\}/gm), ([, body = '']) => body);
  const binds = groups.flatMap((body) => body.trim().split('\n')).map((line) => line.trim().split(/\s+/));
  const schedule = need('"lb_algo" rr, wlc or sh', one(/^\s*lb_algo (rr|wlc|sh)$/m)) as Schedule;
  const persistence = number('persistence_timeout');
  const granularity = one(/^\s*persistence_granularity (\S+\.\S+)$/m);
  return {
    listenerId: need('"# Configuration for Listener"', one(/^# Configuration for Listener (\S+)$/m)),
    loadBalancerId: need('"# Configuration for Loadbalancer"', one(/^# Configuration for Loadbalancer (\S+)$/m)),
    addresses: binds.map(([address]) => need('an address', address)),
    port: Number(need('a port', binds[0]?.[1])),
    schedule,
    persistenceMs: persistence === undefined ? undefined : persistence * 1000,
    granularity: {
      ipv4: granularity === undefined ? 32 : leadingOnes(granularity),
      ipv6: Number(one(/^\s*persistence_granularity (\d+)$/m) ?? 128),
    },
    poolId: one(/^\s*# (?:Configuration for )?Pool (\S+)/m),
    members: membersIn(text),
    disabled: Array.from(text.matchAll(/^\s*# Member (\S+) is disabled$/gm), ([, id = '']) => id),
    delayMs: (number('delay_loop') ?? 60) * 1000,
    retries: number('retry') ?? 1,
  };
}

function leadingOnes(netmask: string): number {
  const bits = netmask.split('.').map((octet) => Number(octet).toString(2).padStart(8, '0'));
  return bits.join('').lastIndexOf('1') + 1;
}

/** A member's block ends with the brace that stands as far right as the block's own line. */
const memberBlock = /^( *)# Configuration for Member (\S+)\n\1real_server (\S+) (\d+) \{\n([^]*?)^\1\}/gm;

function membersIn(text: string): readonly LvsMember[] {
  return Array.from(text.matchAll(memberBlock), ([, , id = '', address = '', port = '', body = '']) => {
    const limit = /^\s*uthreshold (\d+)$/m.exec(body)?.[1];
    return {
      id,
      address,
      port: Number(port),
      weight: Number(/^\s*weight (\d+)$/m.exec(body)?.[1] ?? 1),
      limit: limit === undefined ? undefined : Number(limit),
      check: checkIn(body),
    };
  });
}

function checkIn(body: string): Check | undefined {
  const script = /misc_path "\S*udp_check\.sh (\S+) (\d+)"[^]*?misc_timeout (\d+)/.exec(body);
  if (script !== null) {
    const [, address = '', port = '', timeout = ''] = script;
    return { type: 'udp', address, port: Number(port), timeoutMs: Number(timeout) * 1000 };
  }
  const connection = /connect_ip (\S+)\s+connect_port (\d+)\s+connect_timeout (\d+)/.exec(body);
  if (connection === null) return undefined;
  const [, address = '', port = '', timeout = ''] = connection;
  const common = { address, port: Number(port), timeoutMs: Number(timeout) * 1000 };
  if (!/HTTP_GET \{/.test(body)) return { type: 'tcp', ...common };
  const path = /^\s*path (?:"((?:[^"\\]|\\.)*)"|(\S+))$/m.exec(body);
  const codes = /^\s*status_code (.+)$/m.exec(body)?.[1] ?? '200';
  return {
    type: 'http',
    ...common,
    path: path?.[1]?.replace(/\\(.)/g, '$1') ?? path?.[2] ?? '/',
    codes: codes.split(' '),
  };
}
