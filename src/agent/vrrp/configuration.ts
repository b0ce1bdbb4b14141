// What of a keepalived configuration this agent carries out itself: who may have the VIP, and with whom that is agreed.
import { isIP } from 'node:net';

export interface VrrpConfiguration {
  readonly beginsAs: 'MASTER' | 'BACKUP';
  readonly routerId: number;
  /** 1 to 254. */
  readonly priority: number;
  readonly advertIntervalMs: number;
  /** Who has the VIP keeps it, whatever the priority of others. */
  readonly nopreempt: boolean;
  readonly address: string;
  readonly peers: readonly string[];
  readonly password: string;
  /** The VIPs. */
  readonly addresses: readonly string[];
}

/** @throws Error naming the directive that is missing or wrong; secrets are not told */
export function readVrrpConfiguration(text: string): VrrpConfiguration {
  const words = text.split('\n').map((line) =>
    line
      .replace(/[#!].*$/, '')
      .trim()
      .split(/\s+/),
  );
  const value = (name: string): string | undefined => words.find(([word]) => word === name)?.[1];
  const number = (name: string, [least, most]: readonly [number, number]): number => {
    const found = Number(value(name));
    if (!(found >= least && found <= most)) throw invalid(name, `a number from ${least} to ${most}`, value(name));
    return found;
  };
  const state = value('state');
  if (state !== 'MASTER' && state !== 'BACKUP') throw invalid('state', 'MASTER or BACKUP', state);
  const address = value('unicast_src_ip');
  if (address === undefined || isIP(address) === 0) throw invalid('unicast_src_ip', 'an IP address', address);
  const password = value('auth_pass');
  if (password === undefined) throw invalid('auth_pass', 'a password', undefined);
  return {
    beginsAs: state,
    routerId: number('virtual_router_id', [1, 255]),
    priority: number('priority', [1, 254]),
    advertIntervalMs: 1000 * number('advert_int', [0.01, 255]),
    nopreempt: words.some(([word]) => word === 'nopreempt'),
    address,
    peers: addressesIn(text, 'unicast_peer'),
    password,
    addresses: [...addressesIn(text, 'virtual_ipaddress'), ...addressesIn(text, 'virtual_ipaddress_excluded')],
  };
}

/** First words of the lines of a block that are addresses, without the length of a prefix. */
function addressesIn(text: string, block: string): readonly string[] {
  const body = new RegExp(`^\\s*${block}\\s*\\{([^}]*)\\}`, 'm').exec(text)?.[1] ?? '';
  const words = body.split('\n').map((line) => line.trim().split(/[\s/]+/)[0] ?? '');
  return words.filter((word) => isIP(word) !== 0);
}

function invalid(directive: string, expected: string, given: string | undefined): Error {
  return new Error(`${directive}: expected ${expected}, given ${given === undefined ? 'nothing' : `"${given}"`}`);
}
