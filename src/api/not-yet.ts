// What Octavia's API has and this service does not have yet. Attributes are taken at their default and refused (501)
// otherwise, so nothing that is asked for is silently left out; answers show the default. An attribute that the command
// channel learns needs no change here: the entry is passed over from then on, and can go. Single values that are not
// supported yet are named by the channel itself.
import type { ObjectKind } from '../domain/load-balancer/state.ts';

interface NotYet {
  /** Attribute → what it is. Null, and values in `also`, are taken too. */
  readonly attributes: Readonly<Record<string, unknown>>;
  /** Attribute → further values that mean what is served anyway. */
  readonly also?: Readonly<Record<string, readonly unknown[]>>;
  /** Attributes that only answers have. */
  readonly shown?: Readonly<Record<string, unknown>>;
}

export const providerName = 'amphora';
/** Other names for the same provider. */
export const providerAliases = ['octavia'];

export const notYet: Readonly<Partial<Record<ObjectKind, NotYet>>> = {
  loadBalancer: {
    attributes: {
      provider: providerName,
    },
    also: { provider: providerAliases },
    shown: { vip_vnic_type: 'normal' },
  },
  member: { attributes: { request_sriov: false }, shown: { vnic_type: 'normal' } },
};

/** Answers do not show these: they are for creates alone. */
export const onlyInRequests: ReadonlySet<string> = new Set(['default_pool', 'redirect_pool', 'request_sriov']);
