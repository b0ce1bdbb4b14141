// Which of a pair has the VIP: VRRP's states and timers (RFC 3768, section 6.4), with keepalived's `nopreempt` and its FAULT
// for an amphora whose haproxy is down. Pure: time and what was heard come in, what to send comes out.
import type { VrrpConfiguration } from './configuration.ts';

export interface ElectionState {
  readonly role: 'MASTER' | 'BACKUP' | 'FAULT';
  /** MASTER says so again, BACKUP takes over. Infinity while there is nothing to wait for. */
  readonly timerAt: number;
}

export interface Turn {
  readonly state: ElectionState;
  /** Priority to tell the others now; 0 says that the VIP is left to them. */
  readonly send?: number;
}

export function beginElection(conf: VrrpConfiguration, now: number): Turn {
  return conf.beginsAs === 'MASTER' ? become('MASTER', conf, now) : become('BACKUP', conf, now);
}

export function onTimer({ role }: ElectionState, conf: VrrpConfiguration, now: number): Turn {
  return role === 'FAULT' ? { state: { role, timerAt: Number.POSITIVE_INFINITY } } : become('MASTER', conf, now);
}

export function onAdvert(
  state: ElectionState,
  heard: { readonly priority: number; readonly from: string },
  conf: VrrpConfiguration,
  now: number,
): Turn {
  if (state.role === 'FAULT') return { state };
  if (state.role === 'MASTER') {
    const isStronger =
      heard.priority > conf.priority || (heard.priority === conf.priority && heard.from > conf.address);
    if (isStronger) return become('BACKUP', conf, now);
    // The other one gives up, or does not know of this one yet.
    return become('MASTER', conf, now);
  }
  if (heard.priority === 0) return { state: { role: 'BACKUP', timerAt: now + skewMs(conf) } };
  return conf.nopreempt || heard.priority >= conf.priority ? become('BACKUP', conf, now) : { state };
}

/** haproxy has come up or gone down. */
export function onHealth(state: ElectionState, isWell: boolean, conf: VrrpConfiguration, now: number): Turn {
  if (isWell) return state.role === 'FAULT' ? become('BACKUP', conf, now) : { state };
  if (state.role === 'FAULT') return { state };
  const fault: ElectionState = { role: 'FAULT', timerAt: Number.POSITIVE_INFINITY };
  return state.role === 'MASTER' ? { state: fault, send: 0 } : { state: fault };
}

function become(role: 'MASTER' | 'BACKUP', conf: VrrpConfiguration, now: number): Turn {
  if (role === 'MASTER') return { state: { role, timerAt: now + conf.advertIntervalMs }, send: conf.priority };
  return { state: { role, timerAt: now + masterDownMs(conf) } };
}

/** How long nothing must be heard before the VIP is taken: a little less with more priority. */
export function masterDownMs(conf: VrrpConfiguration): number {
  return 3 * conf.advertIntervalMs + skewMs(conf);
}

function skewMs({ priority, advertIntervalMs }: VrrpConfiguration): number {
  return ((256 - priority) / 256) * advertIntervalMs;
}
