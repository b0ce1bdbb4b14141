// What must hold of listeners, pools and what is in them that haproxy does not serve: UDP and SCTP, balanced by LVS.
import { type Decision, refuse } from '../decision.ts';
import type {
  DatagramProtocol,
  HealthMonitorAttributes,
  HealthMonitorType,
  ListenerAttributes,
  PoolAttributes,
  PoolProtocol,
} from './attributes.ts';

type Broken = Decision<never, never> | undefined;

export function isDatagram(protocol: string): protocol is DatagramProtocol {
  return protocol === 'UDP' || protocol === 'SCTP';
}

/** How a port is told from the same number of another transport: TCP 53 and UDP 53 may stand beside each other. */
export function transportOf(protocol: ListenerAttributes['protocol']): 'TCP' | DatagramProtocol {
  return isDatagram(protocol) ? protocol : 'TCP';
}

/** LVS keeps nobody out: that takes a network with security groups, which no driver here has. */
export function brokenDatagramListenerRule({ protocol, allowedCidrs }: ListenerAttributes): Broken {
  if (!isDatagram(protocol) || allowedCidrs.length === 0) return undefined;
  const message = `Validation failure: allowed_cidrs cannot be enforced for listeners of protocol ${protocol}`;
  return refuse('invalid', message, 'allowedCidrs');
}

/** Clients are remembered by address only, and only LVS can be told for how long. */
export function brokenDatagramPersistenceRule({ protocol, sessionPersistence }: PoolAttributes): Broken {
  if (sessionPersistence === null) return undefined;
  const { type, persistenceTimeout, persistenceGranularity } = sessionPersistence;
  const invalid = (what: string) => refuse('invalid', `Validation failure: ${what}`, 'sessionPersistence');
  if (isDatagram(protocol)) {
    if (type === 'SOURCE_IP') return undefined;
    return invalid(`session persistence of type ${type} is not for pools of protocol ${protocol}; expected SOURCE_IP`);
  }
  if ((persistenceTimeout ?? persistenceGranularity ?? null) === null) return undefined;
  const given = persistenceTimeout === null ? 'persistence_granularity' : 'persistence_timeout';
  return invalid(`${given} is for pools of protocol UDP or SCTP, given protocol ${protocol}`);
}

const datagramMonitors: readonly HealthMonitorType[] = ['UDP-CONNECT', 'SCTP', 'TCP', 'HTTP'];
const datagramOnlyMonitors: readonly HealthMonitorType[] = ['UDP-CONNECT', 'SCTP'];

/** Seconds; Octavia's `udp_connect_min_interval_health_monitor`. */
const shortestUdpDelay = 3;

/** Which monitors a pool may have (API reference, "Health Monitors"). */
export function brokenMonitorTypeRule(protocol: PoolProtocol, { type, delay }: HealthMonitorAttributes): Broken {
  const isFit = isDatagram(protocol) ? datagramMonitors.includes(type) : !datagramOnlyMonitors.includes(type);
  if (!isFit) {
    const message = `Validation failure: The associated pool protocol is ${protocol}, so only a ${
      isDatagram(protocol) ? datagramMonitors.join(', ') : 'HTTP, HTTPS, PING, TCP, TLS-HELLO'
    } health monitor is supported.`;
    return refuse('invalid', message, 'type');
  }
  if (type !== 'UDP-CONNECT' || delay >= shortestUdpDelay) return undefined;
  const message = `Validation failure: The request delay value ${delay} should be larger than ${shortestUdpDelay} for UDP-CONNECT health monitor type.`;
  return refuse('invalid', message, 'delay');
}
