// Status words as Octavia spells them (API reference, "Operating status codes" and "Provisioning status codes").

export type ProvisioningStatus =
  | 'PENDING_CREATE'
  | 'PENDING_UPDATE'
  | 'PENDING_DELETE'
  | 'ACTIVE'
  | 'ERROR'
  | 'DELETED';

export type OperatingStatus = 'ONLINE' | 'OFFLINE' | 'DEGRADED' | 'ERROR' | 'DRAINING' | 'NO_MONITOR';

/** `READY` is a booted spare that belongs to no load balancer. */
export type AmphoraStatus = 'BOOTING' | 'READY' | 'ALLOCATED' | 'PENDING_DELETE' | 'DELETED' | 'ERROR';

/** How many amphorae serve a load balancer: one, or a pair of which one has the VIP. Fixed at its creation. */
export type Topology = 'SINGLE' | 'ACTIVE_STANDBY';

/** `STANDALONE` serves alone; `MASTER` and `BACKUP` are a pair. */
export type AmphoraRole = 'STANDALONE' | 'MASTER' | 'BACKUP';
