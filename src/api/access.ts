// Who asks, and what they may: roles of OpenStack, with a project that bounds what is seen.
import { ApiError, forbidden } from './errors.ts';

export interface Caller {
  /** How logs call them; never a secret. */
  readonly name: string;
  readonly projectId: string | null;
  readonly mayRead: boolean;
  readonly mayWrite: boolean;
  /** Objects of every project, and what is for operators. */
  readonly isAdmin: boolean;
  /** Reads objects of every project. */
  readonly seesAll: boolean;
  /** Another service of the cloud: it may list the members of every pool. */
  readonly isService: boolean;
  /** Sees and changes the quotas of every project. */
  readonly isQuotaAdmin: boolean;
  /** Of Keystone: what the caller may use elsewhere in the OpenStack is asked there with it. Kept nowhere. */
  readonly token?: string;
}

export interface Credentials {
  /** Of X-Auth-Token, or of `Authorization: Bearer`. */
  readonly token: string | undefined;
  /** Name (lower case) → value of the request's headers. */
  readonly header: (name: string) => string | undefined;
}

/** Finds out who asks. @throws ApiError 401 */
export type Authenticate = (credentials: Credentials, signal: AbortSignal) => Promise<Caller>;

const admins = ['admin', 'load-balancer_admin'];
const writers = [...admins, 'member', 'load-balancer_member'];
const readers = [...writers, 'reader', 'load-balancer_observer', 'load-balancer_global_observer'];
const allSeeing = [...admins, 'load-balancer_global_observer'];

const services = ['service'];
const quotaAdmin = 'load-balancer_quota_admin';

/** Roles that a token may have. */
export const knownRoles: readonly string[] = [...readers, ...services, quotaAdmin];

export function callerWith(name: string, projectId: string | null, roles: readonly string[]): Caller {
  const has = (wanted: readonly string[]) => roles.some((role) => wanted.includes(role.toLowerCase()));
  return {
    name,
    projectId,
    mayRead: has(readers),
    mayWrite: has(writers),
    isAdmin: has(admins),
    seesAll: has(allSeeing),
    isService: has(services),
    isQuotaAdmin: has([...admins, quotaAdmin]),
  };
}

/** `members` is to read the list of a pool's members. */
export type Access = 'read' | 'members' | 'readQuotas' | 'write' | 'writeQuotas' | 'admin';

/** @throws ApiError 403 */
export function demand(caller: Caller, access: Access): void {
  if (access === 'members' && caller.isService) return;
  if ((access === 'readQuotas' || access === 'writeQuotas') && caller.isQuotaAdmin) return;
  const { mayRead, mayWrite, isAdmin } = caller;
  const reads = { read: mayRead, members: mayRead, readQuotas: mayRead };
  const allowed = { ...reads, write: mayWrite, writeQuotas: isAdmin, admin: isAdmin };
  if (!allowed[access]) throw new ApiError(403, forbidden);
  // Without a project, and not allowed to see all, there is nothing to see.
  if (!caller.seesAll && caller.projectId === null) throw new ApiError(403, forbidden);
}

/** Whether the caller may do that with an object of that project. */
export function sees(caller: Caller, projectId: string, access: Access): boolean {
  if (caller.projectId === projectId) return true;
  if (access === 'members' && caller.isService) return true;
  return access === 'read' || access === 'members' ? caller.seesAll : caller.isAdmin;
}

/**
 * Everybody on this machine is an administrator; the project is what they say, else the one given: OpenStack's command
 * line has no way to name one without a Keystone.
 */
export function nobodyAsked(projectId: string): Authenticate {
  return async ({ header }) => {
    return callerWith('none', header('x-project-id') ?? header('x-tenant-id') ?? projectId, ['admin']);
  };
}

export function unauthorized(message: string, headers: Readonly<Record<string, string>> = {}): ApiError {
  return new ApiError(401, message, { headers });
}
