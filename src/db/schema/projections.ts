// Tables for reading: written together with the events they follow from, and never read to decide anything.
import { boolean, doublePrecision, index, integer, jsonb, pgTable, text, timestamp, uuid } from 'drizzle-orm/pg-core';

import { availabilityZones, flavors } from './catalogue.ts';

const moment = (name: string) => timestamp(name, { withTimezone: true, precision: 3 });

const common = () => ({ ...nameless(), name: text().notNull() });

const nameless = () => ({
  id: uuid().primaryKey(),
  adminStateUp: boolean('admin_state_up').notNull(),
  tags: jsonb().$type<readonly string[]>().notNull(),
  provisioningStatus: text('provisioning_status').notNull(),
  /** Why it is in ERROR. */
  errorReason: text('error_reason'),
  createdAt: moment('created_at').notNull(),
  updatedAt: moment('updated_at').notNull(),
});

export const loadBalancers = pgTable(
  'load_balancers',
  {
    ...common(),
    projectId: text('project_id').notNull(),
    description: text().notNull(),
    vipAddress: text('vip_address'),
    vipPortId: text('vip_port_id'),
    vipSubnetId: text('vip_subnet_id').notNull(),
    vipNetworkId: text('vip_network_id').notNull(),
    vipVnicType: text('vip_vnic_type').notNull().default('normal'),
    additionalVips: jsonb('additional_vips').notNull().default([]),
    vipQosPolicyId: uuid('vip_qos_policy_id'),
    vipSgIds: jsonb('vip_sg_ids').$type<readonly string[]>().notNull().default([]),
    topology: text().notNull().default('SINGLE'),
    provider: text().notNull().default('amphora'),
    /** Amphorae's own ports on the VIP's subnet, by amphora. */
    vrrpPorts: jsonb('vrrp_ports').notNull().default({}),
    /** By amphora, a digest of what it has accepted. */
    served: jsonb().notNull().default({}),
    flavorId: uuid('flavor_id').references(() => flavors.id, { onDelete: 'restrict' }),
    availabilityZone: text('availability_zone').references(() => availabilityZones.name, { onDelete: 'restrict' }),
    generation: integer().notNull(),
  },
  (table) => [
    index('load_balancers_project').on(table.projectId),
    // Lists begin with the oldest.
    index('load_balancers_created').on(table.createdAt, table.id),
  ],
);

const child = () => ({
  ...common(),
  loadBalancerId: uuid('load_balancer_id').notNull(),
  /** Place among the load balancer's objects in order of creation. */
  position: integer().notNull(),
});

const tlsTerms = () => ({
  tlsCiphers: text('tls_ciphers'),
  tlsVersions: jsonb('tls_versions').$type<readonly string[]>().notNull().default([]),
  alpnProtocols: jsonb('alpn_protocols').$type<readonly string[]>().notNull().default([]),
});

export const listeners = pgTable(
  'listeners',
  {
    ...child(),
    description: text().notNull(),
    protocol: text().notNull(),
    protocolPort: integer('protocol_port').notNull(),
    defaultPoolId: uuid('default_pool_id'),
    connectionLimit: integer('connection_limit').notNull(),
    timeoutClientData: integer('timeout_client_data').notNull(),
    timeoutMemberConnect: integer('timeout_member_connect').notNull(),
    timeoutMemberData: integer('timeout_member_data').notNull(),
    timeoutTcpInspect: integer('timeout_tcp_inspect').notNull(),
    insertHeaders: jsonb('insert_headers').notNull(),
    allowedCidrs: jsonb('allowed_cidrs').$type<readonly string[]>().notNull().default([]),
    ...tlsTerms(),
    defaultTlsContainerRef: text('default_tls_container_ref'),
    sniContainerRefs: jsonb('sni_container_refs').$type<readonly string[]>().notNull().default([]),
    clientAuthentication: text('client_authentication').notNull().default('NONE'),
    clientCaTlsContainerRef: text('client_ca_tls_container_ref'),
    clientCrlContainerRef: text('client_crl_container_ref'),
    hstsMaxAge: integer('hsts_max_age'),
    hstsIncludeSubdomains: boolean('hsts_include_subdomains').notNull().default(false),
    hstsPreload: boolean('hsts_preload').notNull().default(false),
  },
  (table) => [index('listeners_load_balancer').on(table.loadBalancerId)],
);

export const pools = pgTable(
  'pools',
  {
    ...child(),
    description: text().notNull(),
    protocol: text().notNull(),
    lbAlgorithm: text('lb_algorithm').notNull(),
    sessionPersistence: jsonb('session_persistence'),
    ...tlsTerms(),
    tlsEnabled: boolean('tls_enabled').notNull().default(false),
    tlsContainerRef: text('tls_container_ref'),
    caTlsContainerRef: text('ca_tls_container_ref'),
    crlContainerRef: text('crl_container_ref'),
  },
  (table) => [index('pools_load_balancer').on(table.loadBalancerId)],
);

export const members = pgTable(
  'members',
  {
    ...child(),
    poolId: uuid('pool_id').notNull(),
    address: text().notNull(),
    protocolPort: integer('protocol_port').notNull(),
    subnetId: text('subnet_id'),
    weight: integer().notNull(),
    backup: boolean().notNull(),
    monitorAddress: text('monitor_address'),
    monitorPort: integer('monitor_port'),
    vnicType: text('vnic_type').notNull().default('normal'),
  },
  (table) => [index('members_load_balancer').on(table.loadBalancerId), index('members_pool').on(table.poolId)],
);

export const healthMonitors = pgTable(
  'health_monitors',
  {
    ...child(),
    poolId: uuid('pool_id').notNull(),
    type: text().notNull(),
    delay: integer().notNull(),
    timeout: integer().notNull(),
    maxRetries: integer('max_retries').notNull(),
    maxRetriesDown: integer('max_retries_down').notNull(),
    httpMethod: text('http_method').notNull(),
    urlPath: text('url_path').notNull(),
    expectedCodes: text('expected_codes').notNull(),
    httpVersion: doublePrecision('http_version').notNull(),
    domainName: text('domain_name'),
  },
  (table) => [index('health_monitors_load_balancer').on(table.loadBalancerId)],
);

export const l7Policies = pgTable(
  'l7_policies',
  {
    ...common(),
    loadBalancerId: uuid('load_balancer_id').notNull(),
    listenerId: uuid('listener_id').notNull(),
    description: text().notNull(),
    action: text().notNull(),
    redirectPoolId: uuid('redirect_pool_id'),
    redirectUrl: text('redirect_url'),
    redirectPrefix: text('redirect_prefix'),
    redirectHttpCode: integer('redirect_http_code'),
    /** Place within the listener, as users see it. */
    position: integer().notNull(),
  },
  (table) => [
    index('l7_policies_load_balancer').on(table.loadBalancerId),
    index('l7_policies_listener').on(table.listenerId),
  ],
);

export const l7Rules = pgTable(
  'l7_rules',
  {
    ...nameless(),
    loadBalancerId: uuid('load_balancer_id').notNull(),
    position: integer().notNull(),
    l7PolicyId: uuid('l7_policy_id').notNull(),
    type: text().notNull(),
    compareType: text('compare_type').notNull(),
    key: text(),
    value: text().notNull(),
    invert: boolean().notNull(),
  },
  (table) => [index('l7_rules_load_balancer').on(table.loadBalancerId), index('l7_rules_policy').on(table.l7PolicyId)],
);

export const amphorae = pgTable(
  'amphorae',
  {
    id: uuid().primaryKey(),
    /** The first of those that share it. */
    loadBalancerId: uuid('load_balancer_id'),
    /** The others that share it. */
    otherLoadBalancerIds: uuid('other_load_balancer_ids').array().notNull().default([]),
    /** Who may join them; null when nobody may. */
    sharing: jsonb(),
    status: text().notNull(),
    role: text(),
    computeId: text('compute_id'),
    agentHost: text('agent_host'),
    agentPort: integer('agent_port'),
    /** host:port of every node that it sends heartbeats to. */
    controllers: jsonb().$type<readonly string[]>().notNull().default([]),
    /** Null when it is plain. */
    kind: jsonb(),
    computeFlavor: text('compute_flavor'),
    imageId: text('image_id'),
    cachedZone: text('cached_zone'),
    host: text(),
    haproxyVersion: text('haproxy_version'),
    certificateFingerprint: text('certificate_fingerprint'),
    certificateBusy: boolean('certificate_busy').notNull().default(false),
    certificateExpiresAt: moment('certificate_expires_at'),
    errorReason: text('error_reason'),
    createdAt: moment('created_at').notNull(),
    updatedAt: moment('updated_at').notNull(),
  },
  (table) => [
    index('amphorae_load_balancer').on(table.loadBalancerId),
    index('amphorae_other_load_balancers').using('gin', table.otherLoadBalancerIds),
  ],
);

/** The tables an append may write. Keys are the names that entries use. */
export const projections = {
  loadBalancers,
  listeners,
  pools,
  members,
  healthMonitors,
  l7Policies,
  l7Rules,
  amphorae,
};
export type ProjectionName = keyof typeof projections;
