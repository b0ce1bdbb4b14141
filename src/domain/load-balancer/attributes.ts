// What a user may ask of each object: the attributes of the Octavia v2 API in camel case, complete (defaults filled
// in) and already checked for type and range. Times are in the unit the API uses: listener time-outs in
// milliseconds, health monitor times in seconds.
import type { HealthMonitorId, L7PolicyId, L7RuleId, ListenerId, MemberId, PoolId } from '../ids.ts';

/** HTTPS is passed through as it comes, TERMINATED_HTTPS ends here; a PROMETHEUS listener answers `/metrics` itself. */
export type ListenerProtocol = 'TCP' | 'HTTP' | 'HTTPS' | 'TERMINATED_HTTPS' | 'PROMETHEUS' | DatagramProtocol;
export type PoolProtocol = 'TCP' | 'HTTP' | 'HTTPS' | 'PROXY' | 'PROXYV2' | DatagramProtocol;
/** What haproxy does not speak: amphorae balance it in the kernel, by keepalived and LVS. */
export type DatagramProtocol = 'UDP' | 'SCTP';
export type LbAlgorithm = 'ROUND_ROBIN' | 'LEAST_CONNECTIONS' | 'SOURCE_IP';
export type HealthMonitorType = 'HTTP' | 'HTTPS' | 'PING' | 'TCP' | 'TLS-HELLO' | 'UDP-CONNECT' | 'SCTP';
export type HttpMethod = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE' | 'TRACE' | 'OPTIONS' | 'PATCH' | 'CONNECT';

/** What an amphora's port is to the network: one of its own, or a part of the machine's card (SR-IOV). Neutron's words. */
export type VnicType = 'normal' | 'direct';

/** How the network treats the VIP, and how amphorae get to members. */
export interface VipPolicy {
  readonly qosPolicyId: string | null;
  readonly securityGroupIds: readonly string[];
  /** Subnets of members to which amphorae shall have ports of SR-IOV; absent for none. */
  readonly sriovSubnetIds?: readonly string[];
}

export interface LoadBalancerAttributes {
  readonly name: string;
  readonly description: string;
  readonly adminStateUp: boolean;
  readonly tags: readonly string[];
  /** Both are missing in load balancers that are older than flavors and zones. */
  readonly flavorId: string | null;
  readonly availabilityZone: string | null;
  /** Policy of the network that limits the VIP's traffic. This and the next are missing in older load balancers. */
  readonly vipQosPolicyId: string | null;
  /** Security groups of the VIP in place of this service's own. */
  readonly vipSgIds: readonly string[];
}

/** From the oldest to the newest. */
export const tlsVersions = ['SSLv3', 'TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const;
export type TlsVersion = (typeof tlsVersions)[number];
export const alpnProtocols = ['h2', 'http/1.1', 'http/1.0'] as const;
export type AlpnProtocol = (typeof alpnProtocols)[number];
export type ClientAuthentication = 'NONE' | 'OPTIONAL' | 'MANDATORY';

/** How either side of a load balancer speaks TLS. Where it speaks none, there are no ciphers and the lists are empty. */
export interface TlsTerms {
  /** An OpenSSL cipher string, names of TLS 1.3 among them. */
  readonly tlsCiphers: string | null;
  readonly tlsVersions: readonly TlsVersion[];
  readonly alpnProtocols: readonly AlpnProtocol[];
}

/** References name what a certificate manager keeps; the content is fetched when it is served, and never kept here. */
export interface ListenerTls extends TlsTerms {
  readonly defaultTlsContainerRef: string | null;
  readonly sniContainerRefs: readonly string[];
  readonly clientAuthentication: ClientAuthentication;
  readonly clientCaTlsContainerRef: string | null;
  readonly clientCrlContainerRef: string | null;
  /** Seconds for which browsers come by HTTPS only; null sends no such header. */
  readonly hstsMaxAge: number | null;
  readonly hstsIncludeSubdomains: boolean;
  readonly hstsPreload: boolean;
}

export interface PoolTls extends TlsTerms {
  readonly tlsEnabled: boolean;
  /** What haproxy shows to members. */
  readonly tlsContainerRef: string | null;
  /** Members must show a certificate signed by one of these; any will do without. */
  readonly caTlsContainerRef: string | null;
  readonly crlContainerRef: string | null;
}

export interface ListenerAttributes extends ListenerTls {
  readonly name: string;
  readonly description: string;
  readonly adminStateUp: boolean;
  readonly tags: readonly string[];
  readonly protocol: ListenerProtocol;
  readonly protocolPort: number;
  readonly defaultPoolId: PoolId | null;
  /** -1 means unlimited; the data plane then takes 50,000. */
  readonly connectionLimit: number;
  /** Milliseconds. */
  readonly timeoutClientData: number;
  readonly timeoutMemberConnect: number;
  readonly timeoutMemberData: number;
  readonly timeoutTcpInspect: number;
  readonly insertHeaders: InsertHeaders;
  /** Clients that may connect, as addresses or ranges such as `10.0.0.0/8`; everybody when empty. */
  readonly allowedCidrs: readonly string[];
}

export interface InsertHeaders {
  readonly 'X-Forwarded-For'?: boolean | undefined;
  readonly 'X-Forwarded-Port'?: boolean | undefined;
  readonly 'X-Forwarded-Proto'?: boolean | undefined;
  /** From here on, of the client's certificate. */
  readonly 'X-SSL-Client-Verify'?: boolean | undefined;
  readonly 'X-SSL-Client-Has-Cert'?: boolean | undefined;
  readonly 'X-SSL-Client-DN'?: boolean | undefined;
  readonly 'X-SSL-Client-CN'?: boolean | undefined;
  readonly 'X-SSL-Issuer'?: boolean | undefined;
  readonly 'X-SSL-Client-SHA1'?: boolean | undefined;
  readonly 'X-SSL-Client-Not-Before'?: boolean | undefined;
  readonly 'X-SSL-Client-Not-After'?: boolean | undefined;
}

export interface PoolAttributes extends PoolTls {
  readonly name: string;
  readonly description: string;
  readonly adminStateUp: boolean;
  readonly tags: readonly string[];
  readonly protocol: PoolProtocol;
  readonly lbAlgorithm: LbAlgorithm;
  readonly sessionPersistence: SessionPersistence | null;
}

export type SessionPersistenceType = 'SOURCE_IP' | 'HTTP_COOKIE' | 'APP_COOKIE';

/** How a client comes back to the member that it had. */
export interface SessionPersistence {
  readonly type: SessionPersistenceType;
  /** The members' own cookie (APP_COOKIE); null for other types. */
  readonly cookieName: string | null;
  /** Seconds that a client is remembered (UDP and SCTP); null for what the data plane does. Missing in older journals. */
  readonly persistenceTimeout?: number | null;
  /** Netmask, or length of a prefix of IPv6: clients that differ behind it only are one (UDP and SCTP). */
  readonly persistenceGranularity?: string | null;
}

export interface MemberAttributes {
  readonly name: string;
  readonly adminStateUp: boolean;
  readonly tags: readonly string[];
  readonly address: string;
  readonly protocolPort: number;
  readonly subnetId: string | null;
  /** 0 to 256; 0 drains the member. */
  readonly weight: number;
  readonly backup: boolean;
  readonly monitorAddress: string | null;
  readonly monitorPort: number | null;
  /** Amphorae shall reach it by a port of SR-IOV on its subnet. Missing in older members. */
  readonly requestSriov: boolean;
}

export interface HealthMonitorAttributes {
  readonly name: string;
  readonly adminStateUp: boolean;
  readonly tags: readonly string[];
  readonly type: HealthMonitorType;
  /** Seconds between two checks. */
  readonly delay: number;
  /** Seconds a check may take. */
  readonly timeout: number;
  /** Successes before a member is ONLINE. */
  readonly maxRetries: number;
  /** Failures before a member is ERROR. */
  readonly maxRetriesDown: number;
  readonly httpMethod: HttpMethod;
  readonly urlPath: string;
  /** A code, a comma-separated list, or a range: `200`, `200,202`, `200-204`. */
  readonly expectedCodes: string;
  readonly httpVersion: 1.0 | 1.1;
  readonly domainName: string | null;
}

export type L7PolicyAction = 'REJECT' | 'REDIRECT_TO_POOL' | 'REDIRECT_TO_URL' | 'REDIRECT_PREFIX';
export type RedirectCode = 301 | 302 | 303 | 307 | 308;

export interface L7PolicyAttributes {
  readonly name: string;
  readonly description: string;
  readonly adminStateUp: boolean;
  readonly tags: readonly string[];
  readonly action: L7PolicyAction;
  /** Of the targets, the one that the action needs; the others are null. */
  readonly redirectPoolId: PoolId | null;
  readonly redirectUrl: string | null;
  /** Goes before the path of the request. */
  readonly redirectPrefix: string | null;
  /** Null for actions that don't redirect the client. */
  readonly redirectHttpCode: RedirectCode | null;
  /** Place within the listener: 1, 2, 3 … without gaps. In a request, any number beyond the end means the end. */
  readonly position: number;
}

export type L7RuleType = 'HOST_NAME' | 'PATH' | 'FILE_TYPE' | 'HEADER' | 'COOKIE' | SslRuleType;
export type SslRuleType = 'SSL_CONN_HAS_CERT' | 'SSL_VERIFY_RESULT' | 'SSL_DN_FIELD';
export type L7RuleCompareType = 'REGEX' | 'STARTS_WITH' | 'ENDS_WITH' | 'CONTAINS' | 'EQUAL_TO';

export interface L7RuleAttributes {
  readonly adminStateUp: boolean;
  readonly tags: readonly string[];
  readonly type: L7RuleType;
  readonly compareType: L7RuleCompareType;
  /** Name of the header, cookie or field of a distinguished name; null for other types. */
  readonly key: string | null;
  readonly value: string;
  readonly invert: boolean;
}

/** A load balancer's tree as one amphora shall serve it: what `domain/haproxy` renders. Order is order of creation. */
export interface ServedTree {
  readonly loadBalancerId: string;
  readonly projectId: string;
  readonly vipAddresses: readonly string[];
  /** Of the VIP's port. */
  readonly vipPolicy: VipPolicy;
  readonly adminStateUp: boolean;
  readonly listeners: readonly ServedListener[];
  readonly pools: readonly ServedPool[];
}

export interface ServedListener extends ListenerAttributes {
  readonly id: ListenerId;
  /** In order of position. */
  readonly l7Policies: readonly ServedL7Policy[];
}

export interface ServedL7Policy extends L7PolicyAttributes {
  readonly id: L7PolicyId;
  readonly rules: readonly ({ readonly id: L7RuleId } & L7RuleAttributes)[];
}

export interface ServedPool extends PoolAttributes {
  readonly id: PoolId;
  readonly members: readonly ({ readonly id: MemberId } & MemberAttributes)[];
  readonly healthMonitor: ({ readonly id: HealthMonitorId } & HealthMonitorAttributes) | undefined;
}
