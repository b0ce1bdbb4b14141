// The objects of a load balancer as the command channel takes them: defaults, limits and mutability of the Octavia v2
// API (API reference, "Load Balancers" to "L7 Rules"), names in camel case.
import { z } from 'zod';
import type {
  HealthMonitorAttributes,
  InsertHeaders,
  L7PolicyAttributes,
  L7RuleAttributes,
  ListenerAttributes,
  LoadBalancerAttributes,
  MemberAttributes,
  PoolAttributes,
  SessionPersistence,
} from '../../domain/load-balancer/attributes.ts';
import { requestDefaults } from '../../domain/load-balancer/rules.ts';
import { flag, objectId, oneOf, orNull, port, text, textLike, value, wholeNumber } from '../rpc/values.ts';
import { fixed, optional, required, resetsTo, shape } from './attributes.ts';
import { except } from '../rpc/unsupported.ts';
import { listenerTls, poolTls } from './tls-shapes.ts';
import { securityGroups, cidrs, ipAddress, isNetmask, memberAddress, tags } from './values.ts';

/** 24 days, the most that Octavia takes. */
const longestTimeoutMs = 2_073_600_000;
/** The data plane's most; haproxy wants memory and file descriptors for each. */
const mostConnections = 1_000_000;

const named = {
  name: optional(text({ max: 255 }), '', 'A name for people.'),
  // The only attribute that null does not reset to its default.
  adminStateUp: resetsTo(
    false,
    optional(flag(), true, 'Whether it takes part in serving. Null in an update means false.'),
  ),
  tags: optional(tags(), [], 'Words to find it by.'),
};
const described = { ...named, description: optional(text({ max: 255 }), '', 'A description for people.') };

function milliseconds(initial: number, meaning: string) {
  return optional(wholeNumber({ min: 0, max: longestTimeoutMs }), initial, `${meaning} Milliseconds.`);
}

/** Clients of the REST API send words, programs send booleans. */
const headerSwitch = z
  .union([z.boolean(), z.enum(['true', 'false'])])
  .transform((given) => given === true || given === 'true');

const headerNames = [
  'X-Forwarded-For',
  'X-Forwarded-Port',
  'X-Forwarded-Proto',
  'X-SSL-Client-Verify',
  'X-SSL-Client-Has-Cert',
  'X-SSL-Client-DN',
  'X-SSL-Client-CN',
  'X-SSL-Issuer',
  'X-SSL-Client-SHA1',
  'X-SSL-Client-Not-Before',
  'X-SSL-Client-Not-After',
] as const satisfies (keyof InsertHeaders)[];

const insertHeaders = value<InsertHeaders>(
  `An object with any of ${headerNames.join(', ')}, each true or false.`,
  z.partialRecord(z.enum(headerNames), headerSwitch),
);

export const loadBalancerShape = shape<LoadBalancerAttributes>({
  ...described,
  flavorId: fixed(optional(orNull(objectId<string>()), null, 'Flavor that it is made by.')),
  availabilityZone: fixed(optional(orNull(text({ min: 1, max: 255 })), null, 'Availability zone that it is in.')),
  vipQosPolicyId: optional(orNull(objectId<string>()), null, 'QoS policy of the network for the VIP.'),
  vipSgIds: optional(securityGroups(), [], "Security groups of the VIP in place of the service's own."),
});

export const listenerShape = shape<ListenerAttributes>({
  ...described,
  protocol: fixed(
    required(
      oneOf(['TCP', 'HTTP', 'HTTPS', 'TERMINATED_HTTPS', 'PROMETHEUS', 'UDP', 'SCTP']),
      'What it speaks to clients. HTTPS is passed through, TERMINATED_HTTPS is HTTP after that; PROMETHEUS answers /metrics itself and has no pools.',
    ),
  ),
  protocolPort: fixed(required(port(), 'Port of the VIP. Unique within the load balancer.')),
  defaultPoolId: optional(orNull(objectId()), null, 'Pool that takes its connections.'),
  connectionLimit: optional(
    wholeNumber({ min: -1, max: mostConnections }),
    -1,
    'Connections at the same time; -1 for no limit of its own (the data plane then takes 50000).',
  ),
  timeoutClientData: milliseconds(50_000, 'Longest silence of a client.'),
  timeoutMemberConnect: milliseconds(5_000, 'Longest wait for a connection to a member.'),
  timeoutMemberData: milliseconds(50_000, 'Longest silence of a member.'),
  timeoutTcpInspect: milliseconds(0, 'Wait for more data to inspect.'),
  insertHeaders: optional(
    insertHeaders,
    {},
    'Headers added to requests on the way to members (HTTP). Those that begin with X-SSL are for TERMINATED_HTTPS.',
  ),
  allowedCidrs: optional(cidrs(), [], 'Clients that may connect; everybody when empty.'),
  ...listenerTls,
});

/** What a header or a cookie can be called (RFC 9110, "token"). */
const tokenPattern = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;

/** Seconds: LVS takes 31 days. */
const longestPersistence = 2_678_400;

const sessionPersistence = value<SessionPersistence>(
  'An object with type (SOURCE_IP, HTTP_COOKIE or APP_COOKIE) and, for APP_COOKIE, cookieName (a name of 1 to 255 characters); for pools of protocol UDP or SCTP persistenceTimeout (seconds, 1 to 2678400) and persistenceGranularity (a netmask such as 255.255.255.0).',
  z
    .strictObject({
      type: z.enum(['SOURCE_IP', 'HTTP_COOKIE', 'APP_COOKIE']),
      cookieName: z.string().max(255).regex(tokenPattern).nullish(),
      persistenceTimeout: z.number().int().min(1).max(longestPersistence).nullish(),
      persistenceGranularity: z.string().refine(isNetmask).nullish(),
    })
    .transform(({ type, cookieName = null, persistenceTimeout = null, persistenceGranularity = null }) => {
      const forDatagrams = { persistenceTimeout, persistenceGranularity };
      const isForDatagrams = persistenceTimeout !== null || persistenceGranularity !== null;
      return { type, cookieName, ...(isForDatagrams ? forDatagrams : {}) };
    }),
);

export const poolShape = shape<PoolAttributes>({
  ...described,
  protocol: fixed(
    required(oneOf(['TCP', 'HTTP', 'HTTPS', 'PROXY', 'PROXYV2', 'UDP', 'SCTP']), 'What it speaks to members.'),
  ),
  lbAlgorithm: required(
    except(oneOf(['ROUND_ROBIN', 'LEAST_CONNECTIONS', 'SOURCE_IP']), {
      SOURCE_IP_PORT: 'Amphorae do not support the algorithm SOURCE_IP_PORT.',
    }),
    'How a member is chosen.',
  ),
  sessionPersistence: optional(
    orNull(sessionPersistence),
    null,
    'How a client comes back to the member that it had: by its address, by a cookie of haproxy, or by one of the members.',
  ),
  ...poolTls,
});

export const memberShape = shape<MemberAttributes>({
  ...named,
  address: fixed(required(memberAddress(), 'Where it is. Address and port are unique within the pool.')),
  protocolPort: fixed(required(port(), 'Port that it serves on.')),
  subnetId: fixed(optional(orNull(text({ min: 1, max: 36 })), null, 'Subnet that it is reached through.')),
  weight: optional(wholeNumber({ min: 0, max: 256 }), 1, 'Its share of requests; 0 drains it.'),
  backup: optional(flag(), false, 'Serves only when all others are down; in a pool of UDP or SCTP, like the others.'),
  monitorAddress: optional(orNull(ipAddress()), null, 'Address that is checked instead of its own.'),
  monitorPort: optional(orNull(port()), null, 'Port that is checked instead of its own.'),
  requestSriov: fixed(
    optional(flag(), false, 'Whether amphorae shall reach it by a port of SR-IOV; its flavor must allow that.'),
  ),
});

/** No white space, no control characters: it becomes part of a line of configuration. */
const urlPath = textLike('A path of at most 255 characters that begins with "/", without blanks.', /^\/[\x21-\x7e]*$/);
const expectedCodes = textLike(
  'A status code, a list such as 200,202 or a range such as 200-204.',
  /^\d{3}(\s*,\s*\d{3})*$|^\d{3}\s*-\s*\d{3}$/,
  64,
);
const domainName = textLike(
  'A host name of 1 to 255 characters.',
  /^[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?(\.[A-Za-z0-9_-]+)*\.?$/,
);

export const healthMonitorShape = shape<HealthMonitorAttributes>({
  ...named,
  type: fixed(
    required(
      oneOf(['HTTP', 'HTTPS', 'PING', 'TCP', 'TLS-HELLO', 'UDP-CONNECT', 'SCTP']),
      'How members are checked. UDP-CONNECT and SCTP are for pools of these protocols, which also take TCP and HTTP.',
    ),
  ),
  delay: required(wholeNumber({ min: 1, max: 2_147_483_647 }), 'Seconds between two checks.'),
  timeout: required(wholeNumber({ min: 0, max: 2_147_483_647 }), 'Seconds a check may take.'),
  maxRetries: required(wholeNumber({ min: 1, max: 10 }), 'Successes before a member is ONLINE.'),
  maxRetriesDown: optional(wholeNumber({ min: 1, max: 10 }), 3, 'Failures before a member is ERROR.'),
  httpMethod: optional(
    oneOf(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'TRACE', 'OPTIONS', 'PATCH', 'CONNECT']),
    requestDefaults.httpMethod,
    'Method of the request (HTTP).',
  ),
  urlPath: optional(urlPath, requestDefaults.urlPath, 'Path of the request (HTTP).'),
  expectedCodes: optional(expectedCodes, requestDefaults.expectedCodes, 'Status codes of a healthy member (HTTP).'),
  httpVersion: optional(oneOf([1.0, 1.1]), requestDefaults.httpVersion, 'HTTP version of the request (HTTP).'),
  domainName: optional(
    orNull(domainName),
    requestDefaults.domainName,
    'Host header of the request; needs httpVersion 1.1 (HTTP).',
  ),
});

/** The most that Octavia takes; anything beyond the last policy means the end. */
const lastPosition = 2_147_483_647;

const redirectUrl = textLike(
  'A URL with http or https and a host, of at most 255 characters, without blanks.',
  /^https?:\/\/[^\s\0-\x20\x7f/?#]+[^\s\0-\x20\x7f]*$/iu,
);

export const l7PolicyShape = shape<L7PolicyAttributes>({
  ...described,
  action: required(
    oneOf(['REJECT', 'REDIRECT_TO_POOL', 'REDIRECT_TO_URL', 'REDIRECT_PREFIX']),
    'What becomes of requests that all its rules match. Rejections come before redirections, these before pools.',
  ),
  redirectPoolId: optional(orNull(objectId()), null, 'Pool that takes the requests (REDIRECT_TO_POOL).'),
  redirectUrl: optional(orNull(redirectUrl), null, 'Where clients are sent (REDIRECT_TO_URL).'),
  redirectPrefix: optional(orNull(redirectUrl), null, 'Goes before the path of the request (REDIRECT_PREFIX).'),
  redirectHttpCode: optional(
    orNull(oneOf([301, 302, 303, 307, 308])),
    null,
    'Status code of a redirection of clients; 302 when not given.',
  ),
  position: optional(
    wholeNumber({ min: 1, max: lastPosition }),
    lastPosition,
    'Place among the policies of its listener, counted from 1; the others move. Beyond the last means the end.',
  ),
});

const token = textLike('A name of a header or cookie of 1 to 255 characters.', tokenPattern);
const comparedValue = textLike('A string of 1 to 255 characters, without control characters.', /^[^\p{Cc}\p{Cs}]+$/u);

export const l7RuleShape = shape<L7RuleAttributes>({
  adminStateUp: named.adminStateUp,
  tags: named.tags,
  type: required(
    oneOf([
      'HOST_NAME',
      'PATH',
      'FILE_TYPE',
      'HEADER',
      'COOKIE',
      'SSL_CONN_HAS_CERT',
      'SSL_VERIFY_RESULT',
      'SSL_DN_FIELD',
    ]),
    'What of the request is compared. The last three are for listeners of protocol TERMINATED_HTTPS.',
  ),
  compareType: required(
    oneOf(['REGEX', 'STARTS_WITH', 'ENDS_WITH', 'CONTAINS', 'EQUAL_TO']),
    'How it is compared. A FILE_TYPE by EQUAL_TO or REGEX only.',
  ),
  key: optional(
    orNull(token),
    null,
    'Name of the header, the cookie or the field of a distinguished name such as CN (HEADER, COOKIE, SSL_DN_FIELD; needed there).',
  ),
  value: required(
    comparedValue,
    'What it is compared with. SSL_CONN_HAS_CERT: true. SSL_VERIFY_RESULT: a number of OpenSSL.',
  ),
  invert: optional(flag(), false, 'Matches where it would not.'),
});
