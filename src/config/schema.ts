// Every setting there is: its name, kind, default and meaning. The single source for loading, `amphi config show` and
// the documentation.
import { z } from 'zod';
import { antiAffinities } from '../domain/amphora/kind.ts';
import { alpnProtocols, tlsVersions } from '../domain/load-balancer/attributes.ts';
import {
  addresses,
  choice,
  count,
  flag,
  listOf,
  loopbackSubnet,
  maybe,
  port,
  seconds,
  secret,
  share,
  text,
  texts,
  withDefault,
} from './setting.ts';

export const drivers = ['local', 'noop'] as const;
export const roles = ['worker', 'health', 'housekeeping', 'api', 'proxy'] as const;

const day = 86_400;

function quota(what: string) {
  return withDefault(count(what, { min: -1, max: 2_000_000_000 }), -1).describe(
    `Most ${what} of a project that has no quota of its own; -1 for no limit.`,
  );
}

function allowance(what: string) {
  return withDefault(flag(), true).describe(`Whether users of the REST API may ${what}.`);
}

const cipherName = /^[A-Za-z0-9_-]{1,64}$/;

function cipherString() {
  return text('an OpenSSL cipher string of at most 2048 characters', /^[A-Za-z0-9+!:@=_.-]{1,2048}$/);
}

/** OWASP's list B, as Octavia has it. */
const goodCiphers = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
  'DHE-RSA-AES128-GCM-SHA256',
  'DHE-RSA-AES256-GCM-SHA384',
  'DHE-RSA-CHACHA20-POLY1305',
].join(':');

export const schema = z.strictObject({
  dataDir: withDefault(text('the path of a folder'), './data').describe(
    'Folder for what a node keeps outside the database: keys, tokens, the embedded PostgreSQL, local amphorae. Relative to the current folder.',
  ),
  secretsDir: maybe(text('the path of a folder')).describe(
    'Folder for what all nodes of a cluster must have alike: heartbeat.key, certificates/ with the authorities, tls/ with certificates of users. The data folder unless given.',
  ),
  roles: withDefault(listOf(roles), [...roles]).describe(
    'What this node does. `amphi up` does everything. `proxy` is kept for a later version: it does nothing yet.',
  ),
  driver: withDefault(choice(drivers), 'local').describe(
    'Where amphorae run. `local`: child processes on loopback addresses. `noop`: an imagined world, for tests of scale and chaos.',
  ),
  database: z.strictObject({
    url: maybe(
      secret(
        text('a URL such as postgresql://user:password@host:5432/database', /^postgres(ql)?:\/\/\S+$/),
        'password',
      ),
    ).describe(
      'PostgreSQL to use. DATABASE_URL is honoured too. Without it, an embedded PostgreSQL is started in the data folder.',
    ),
    poolSize: withDefault(count('connections', { min: 2, max: 200 }), 8).describe(
      'Connections to PostgreSQL that a node may hold.',
    ),
  }),
  api: z.strictObject({
    host: withDefault(text('an IP address or a host name'), '127.0.0.1').describe(
      'Address of the REST API. Beyond loopback it needs api.tls, and an api.auth other than none.',
    ),
    port: withDefault(port(), 9876).describe('TCP port of the REST API.'),
    baseUrl: maybe(text('a URL such as https://lb.example.org:9876', /^https?:\/\/\S+$/)).describe(
      'What links in answers begin with. What the client called the server unless given.',
    ),
    tls: z.strictObject({
      certificate: maybe(text('the path of a file')).describe(
        'Certificate of the REST API, PEM, with intermediate ones behind it. With it the port speaks TLS.',
      ),
      key: maybe(text('the path of a file')).describe('Private key of that certificate, PEM.'),
    }),
    auth: withDefault(choice(['none', 'token', 'keystone']), 'none').describe(
      'Who may use the REST API. `none`: every program on this machine, as an administrator; on loopback only. `token`: api.tokens. `keystone`: tokens of an OpenStack.',
    ),
    project: withDefault(text('1 to 36 characters', /^\S{1,36}$/), 'default').describe(
      'Project of what is created without naming one (api.auth none).',
    ),
    tokens: maybe(
      secret(
        texts(
          'a list of <SHA-256 of the token, hex>:<project>:<role>, several roles joined by +',
          /^[0-9a-f]{64}:[^:\s]{1,36}:(admin|member|reader|load-balancer_[a-z_]+)(\+(admin|member|reader|load-balancer_[a-z_]+))*$/,
        ),
      ),
    ).describe(
      'Tokens for api.auth token, as <SHA-256 of the token, hex>:<project>:<role>, several roles joined by +.',
    ),
    keystone: z.strictObject({
      url: maybe(text('a URL such as https://keystone.example.org/v3', /^https?:\/\/\S+$/)).describe(
        'Keystone that knows the tokens of clients (api.auth keystone), with or without /v3.',
      ),
      user: withDefault(text('the name of a user'), 'octavia').describe('User of this service in Keystone.'),
      password: maybe(secret(text('a password'))).describe('Password of that user.'),
      userDomain: withDefault(text('the name of a domain'), 'Default').describe('Domain of that user.'),
      project: withDefault(text('the name of a project'), 'service').describe('Project of that user.'),
      projectDomain: withDefault(text('the name of a domain'), 'Default').describe('Domain of that project.'),
      cacheSeconds: withDefault(seconds({ min: 0, max: 3600 }), 60).describe(
        'Seconds for which a token that Keystone confirmed is not asked about again. A revoked token works that long.',
      ),
    }),
    changes: withDefault(choice(['queue', 'reject']), 'queue').describe(
      'What becomes of a change to a load balancer that is being changed. `queue`: taken, and carried out in turn. `reject`: refused with 409, as Octavia does.',
    ),
    foreign: withDefault(choice(['hidden', 'forbidden']), 'hidden').describe(
      'What a request for an object of another project is answered. `hidden`: 404, as if it were not there. `forbidden`: 403, as Octavia does.',
    ),
    deadline: withDefault(seconds({ min: 1, max: 600 }), 30).describe(
      'Seconds within which a request is answered. Until then a change is tried again while its owner is changing.',
    ),
    allowTlsTerminatedListeners: allowance('create listeners that end TLS'),
    allowPrometheusListeners: allowance('create listeners of protocol PROMETHEUS'),
    allowPingHealthMonitors: allowance('create health monitors of type PING'),
    allowVipNetworkId: allowance('say by vip_network_id where a VIP shall be'),
    allowVipSubnetId: allowance('say by vip_subnet_id where a VIP shall be'),
    allowVipPortId: allowance('say by vip_port_id where a VIP shall be'),
    maxBodyBytes: withDefault(count('bytes', { min: 1024, max: 64 * 1024 * 1024 }), 1024 * 1024).describe(
      'Largest body of a request.',
    ),
    maxPageSize: withDefault(count('objects', { min: 1, max: 10_000 }), 1000).describe(
      'Most objects on a page of a list.',
    ),
    requestsPerSecond: withDefault(count('requests', { min: 0, max: 1_000_000 }), 1000).describe(
      'Requests per second that each client address may make, with bursts of twice as many; 0 for no limit.',
    ),
  }),
  control: z.strictObject({
    host: withDefault(text('an IP address or a host name'), '127.0.0.1').describe(
      'Address of the command channel, inspection, metrics and web view.',
    ),
    port: withDefault(port(), 9877).describe('TCP port of the command channel, inspection, metrics and web view.'),
    tls: z.strictObject({
      certificate: maybe(text('the path of a file')).describe(
        'Certificate of the control port, PEM, with intermediate ones behind it. With it the port speaks TLS; beyond loopback it must.',
      ),
      key: maybe(text('the path of a file')).describe('Private key of that certificate, PEM.'),
      clientCa: maybe(text('the path of a file')).describe(
        'Authority, PEM: a client with a certificate signed by it needs no token.',
      ),
    }),
  }),
  heartbeat: z.strictObject({
    host: withDefault(text('an IP address or a host name'), '127.0.0.1').describe(
      'Address that listens for heartbeats; amphorae send them there.',
    ),
    port: withDefault(port(), 5555).describe('UDP port that listens for heartbeats.'),
    key: maybe(secret(text('at least 16 characters without blanks', /^\S{16,}$/))).describe(
      'Secret that signs heartbeats, equal on all nodes. Without it, one is made in the data folder.',
    ),
    otherKey: maybe(secret(text('at least 16 characters without blanks', /^\S{16,}$/))).describe(
      'A second secret that is accepted beside heartbeat.key, while the key is being replaced.',
    ),
    workers: withDefault(count('threads', { min: 0, max: 64 }), 0).describe(
      'Threads that read heartbeats, for more than one core can read; 0: the main thread reads them.',
    ),
    controllers: maybe(addresses()).describe(
      'Addresses (host:port) that amphorae send heartbeats to, where they are not those of the nodes.',
    ),
    interval: seconds({ min: 0.1, max: 3600 }).describe('Seconds between two heartbeats of an amphora.'),
    timeout: seconds({ min: 0.5, max: day }).describe('Seconds of silence after which an amphora is replaced.'),
  }),
  failover: z.strictObject({
    perMinute: withDefault(count('failovers', { min: 1, max: 1_000_000 }), 60).describe(
      'Failovers of silent amphorae that the cluster begins in a minute.',
    ),
    fleetShare: withDefault(share(), 0.5).describe(
      'Share of the fleet above which silent amphorae are not failed over before an operator says so; 1: always failed over.',
    ),
    fleetMinimum: withDefault(count('amphorae', { min: 1, max: 1_000_000 }), 8).describe(
      'Fewer silent amphorae than that are failed over, whatever their share of the fleet.',
    ),
    zoneShare: withDefault(share(), 0.5).describe(
      'The same share for the amphorae of an availability zone; 1: always failed over.',
    ),
    zoneMinimum: withDefault(count('amphorae', { min: 1, max: 1_000_000 }), 8).describe(
      'Fewer silent amphorae of a zone than that are failed over, whatever their share.',
    ),
    hostShare: withDefault(share(), 1).describe(
      'The same share for the amphorae of a machine; 1: always failed over, because machines do die.',
    ),
    hostMinimum: withDefault(count('amphorae', { min: 1, max: 1_000_000 }), 8).describe(
      'Fewer silent amphorae of a machine than that are failed over, whatever their share.',
    ),
  }),
  loadBalancers: z.strictObject({
    topology: withDefault(choice(['SINGLE', 'ACTIVE_STANDBY']), 'SINGLE').describe(
      'Amphorae of a load balancer whose flavor does not say: `SINGLE`, one, replaced when it is lost; `ACTIVE_STANDBY`, a pair of which the other takes over within seconds.',
    ),
    antiAffinity: withDefault(choice(antiAffinities), 'off').describe(
      'Whether the two amphorae of a pair are on different machines: `hard`, they must be; `soft`, where there are enough. Not with driver `local`.',
    ),
  }),
  statistics: z.strictObject({
    interval: withDefault(seconds({ min: 0.1, max: 3600 }), 30).describe(
      'Seconds between two writings of what amphorae have counted. What a node has heard since is lost when it is killed.',
    ),
    metering: withDefault(choice(['postgres', 'prometheus', 'log']), 'postgres').describe(
      'Who is told what projects use. `postgres`: the table usage_hours. `prometheus`: counters at /metrics, by project. `log`: lines of the log.',
    ),
    usageDays: withDefault(count('days', { min: 1, max: 36_500 }), 400).describe('Days for which usage_hours is kept.'),
  }),
  spares: z.strictObject({
    size: withDefault(count('amphorae', { min: 0, max: 10_000 }), 1).describe(
      'Booted amphorae kept ready for the next load balancer or failover.',
    ),
    maxBooting: withDefault(count('amphorae', { min: 1, max: 1000 }), 4).describe(
      'Spares that may boot at the same time.',
    ),
  }),
  cluster: z.strictObject({
    host: maybe(text('an IP address or a host name')).describe(
      'Address by which other nodes reach the control port of this one. `control.host` unless given.',
    ),
    drainTimeout: withDefault(seconds({ min: 0, max: 3600 }), 20).describe(
      'Seconds that a node takes at most, when it is stopped, to hand its work over to the others.',
    ),
  }),
  lease: z.strictObject({
    duration: withDefault(seconds({ min: 2, max: 300 }), 10).describe(
      'Seconds for which a node owns its shards without renewing. A node that hangs is replaced after this time.',
    ),
  }),
  steps: z.strictObject({
    timeout: withDefault(seconds({ min: 0.5, max: 250 }), 6).describe(
      'Seconds that one step, such as a push to an amphora, may take. Must lie within the lease.',
    ),
    bootTimeout: withDefault(seconds({ min: 1, max: 3600 }), 120).describe(
      'Seconds that an amphora may take to boot, and a load balancer may wait for one.',
    ),
  }),
  retry: z.strictObject({
    firstDelay: withDefault(seconds({ min: 0.01, max: 60 }), 0.5).describe(
      'Seconds before a failed step is tried again; doubled each time.',
    ),
    cap: withDefault(seconds({ min: 0.1, max: 3600 }), 15).describe('Most seconds between two tries.'),
    attempts: withDefault(count('tries', { min: 1, max: 1000 }), 8).describe(
      'Tries before the load balancer goes to ERROR with the reason.',
    ),
    errorInterval: withDefault(seconds({ min: 1, max: day }), 60).describe('Seconds between two tries after that.'),
  }),
  alerts: z.strictObject({
    settle: withDefault(seconds({ min: 0.1, max: day }), 30).describe(
      'Seconds that an object must be well before its alert is cleared. One that flaps has one alert.',
    ),
    retentionDays: withDefault(count('days', { min: 1, max: 36_500 }), 30).describe(
      'Days for which alerts that were cleared are kept.',
    ),
  }),
  drift: z.strictObject({
    interval: withDefault(seconds({ min: 0, max: day }), 600).describe(
      'Seconds in which every amphora is looked at once, whether it holds what it has accepted; one that does not is given it again. 0: none is looked at.',
    ),
  }),
  sweep: z.strictObject({
    grace: withDefault(seconds({ min: 0, max: day }), 600).describe(
      'Seconds between the first sight of an instance that no amphora knows and its removal.',
    ),
    interval: withDefault(seconds({ min: 1, max: day }), 300).describe('Seconds between two looks for such instances.'),
  }),
  journal: z.strictObject({
    retentionDays: withDefault(count('days', { min: 1, max: 36_500 }), 90).describe('Days for which events are kept.'),
  }),
  commands: z.strictObject({
    retentionHours: withDefault(count('hours', { min: 1, max: 8760 }), 24).describe(
      'Hours for which a command can be repeated with the same id and gets the same answer.',
    ),
  }),
  snapshots: z.strictObject({
    every: withDefault(count('events', { min: 1, max: 100_000 }), 100).describe(
      'Events of an entity between two snapshots of it.',
    ),
  }),
  quota: z.strictObject({
    loadBalancer: quota('load balancers'),
    listener: quota('listeners'),
    pool: quota('pools'),
    member: quota('members'),
    healthMonitor: quota('health monitors'),
    l7Policy: quota('L7 policies'),
    l7Rule: quota('L7 rules'),
  }),
  actors: z.strictObject({
    idleSeconds: withDefault(seconds({ min: 1, max: day }), 300).describe(
      'Seconds after which an idle actor leaves memory.',
    ),
    mailboxLimit: withDefault(count('messages', { min: 1, max: 1_000_000 }), 1000).describe(
      'Messages an actor may have waiting before commands are answered with "busy".',
    ),
  }),
  command: z.strictObject({
    maxMessageBytes: withDefault(count('bytes', { min: 1024, max: 64 * 1024 * 1024 }), 1024 * 1024).describe(
      'Largest message on the command channel.',
    ),
    maxInFlight: withDefault(count('messages', { min: 1, max: 100_000 }), 128).describe(
      'Commands of one connection that may wait for their answer.',
    ),
    maxConnections: withDefault(count('connections', { min: 1, max: 100_000 }), 256).describe(
      'Connections to the command channel.',
    ),
  }),
  tls: z.strictObject({
    folder: maybe(text('the path of a folder')).describe(
      'Folder with the certificates that `file:<name>` refers to, as <project>/<name>.pem. `tls` in secretsDir unless given.',
    ),
    barbican: maybe(text('a URL such as https://barbican.example.org:9311', /^https?:\/\/\S+$/)).describe(
      'Barbican that keeps certificates, asked as the user of api.keystone. References to it are refused without.',
    ),
    minimumVersion: maybe(choice(tlsVersions)).describe('Oldest version of TLS that listeners and pools may be given.'),
    prohibitedCiphers: maybe(texts('a list of names of ciphers', cipherName)).describe(
      'Ciphers that listeners and pools may not be given.',
    ),
    listenerCiphers: withDefault(cipherString(), goodCiphers).describe('Ciphers of listeners that name none.'),
    listenerVersions: withDefault(listOf(tlsVersions), ['TLSv1.2', 'TLSv1.3']).describe(
      'Versions of TLS of listeners that name none.',
    ),
    listenerAlpn: withDefault(listOf(alpnProtocols), [...alpnProtocols]).describe(
      'Protocols that listeners offer by ALPN when they name none.',
    ),
    poolCiphers: withDefault(cipherString(), goodCiphers).describe('Ciphers of pools that speak TLS and name none.'),
    poolVersions: withDefault(listOf(tlsVersions), ['TLSv1.2', 'TLSv1.3']).describe(
      'Versions of TLS of pools that speak TLS and name none.',
    ),
    poolAlpn: withDefault(listOf(alpnProtocols), [...alpnProtocols]).describe(
      'Protocols that pools offer by ALPN when they name none.',
    ),
  }),
  certificate: z.strictObject({
    keyType: withDefault(choice(['p256', 'rsa']), 'p256').describe('Keys of amphorae: P-256, or RSA of 2048 bits.'),
    serverDays: withDefault(count('days', { min: 1, max: 825 }), 30).describe(
      "Days for which an amphora's certificate is valid.",
    ),
    rotateDays: maybe(count('days', { min: 1, max: 824 })).describe(
      "Days before its end at which an amphora's certificate is replaced; a third of certificate.serverDays unless given.",
    ),
    rotateAtOnce: withDefault(count('certificates', { min: 0, max: 1000 }), 4).describe(
      'Certificates that are replaced at the same time, within ten seconds; 0: none is replaced unasked.',
    ),
  }),
  local: z.strictObject({
    subnet: withDefault(loopbackSubnet(), '127.88.0.0/16').describe('Loopback addresses for VIPs (driver `local`).'),
    additionalSubnet: withDefault(loopbackSubnet(), '127.87.0.0/16').describe(
      'Loopback addresses for additional VIPs (driver `local`).',
    ),
    managementSubnet: withDefault(loopbackSubnet(), '127.89.0.0/16').describe(
      "Loopback addresses for amphorae's agents (driver `local`).",
    ),
    vrrpSubnet: withDefault(loopbackSubnet(), '127.90.0.0/16').describe(
      "Loopback addresses for amphorae's own ends of a pair, as large as local.managementSubnet (driver `local`).",
    ),
    haproxy: withDefault(text('the path or name of an executable'), 'haproxy').describe(
      'haproxy that local amphorae run.',
    ),
  }),
  noop: z.strictObject({
    world: maybe(text('host:port', /^\S+:\d{1,5}$/)).describe(
      'Process that plays the world (driver `noop`). Without it, the node starts one of its own.',
    ),
    subnets: withDefault(choice(['own', 'any']), 'own').describe(
      'Subnets of the world that the node starts (driver `noop`). `own`: two of its own. `any`: also each that is named, of whichever network, as with the no-op driver of Octavia; for test suites that make ids up.',
    ),
  }),
  log: z.strictObject({
    level: withDefault(choice(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']), 'info').describe(
      'Least level of log lines that are written.',
    ),
  }),
});

/** Defaults that depend on the driver: a local amphora must be replaced within seconds, a virtual machine must not. */
export const driverDefaults: Readonly<Record<(typeof drivers)[number], Readonly<Record<string, number>>>> = {
  local: { 'heartbeat.interval': 1, 'heartbeat.timeout': 3 },
  noop: { 'heartbeat.interval': 10, 'heartbeat.timeout': 60 },
};

type Frozen<T> = T extends readonly (infer E)[]
  ? readonly E[]
  : T extends object
    ? { readonly [K in keyof T]: Frozen<T[K]> }
    : T;

/** The settings of a node, checked and complete. Cannot be changed. */
export type Config = Frozen<z.infer<typeof schema>>;
