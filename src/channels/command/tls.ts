// TLS of commands, before a load balancer hears of them: what users leave out is filled in, what the operator does not want is
// refused, and references are looked behind, so that a mistake is answered at once.
import type {
  ListenerAttributes,
  PoolAttributes,
  TlsTerms,
  TlsVersion,
} from '../../domain/load-balancer/attributes.ts';
import { tlsVersions } from '../../domain/load-balancer/attributes.ts';
import type { Patch } from '../../domain/load-balancer/commands.ts';
import { type SecretUse, secretsIn, terminatesTls } from '../../domain/load-balancer/tls.ts';
import type { Views } from '../../domain/views.ts';
import { RpcError } from '../rpc/errors.ts';
import type { ChangeContext } from './dispatch.ts';
import { admitAll, askAgainMs } from './lookups.ts';
import type { Reads } from './ports.ts';
import { inside, type NewTree } from './tree-of.ts';

/** What operators say of TLS. */
export interface TlsPolicy {
  /** For listeners and pools that don't say. */
  readonly listener: TlsTerms;
  readonly pool: TlsTerms;
  readonly minimumVersion: TlsVersion | undefined;
  readonly prohibitedCiphers: readonly string[];
}

export interface TlsPort {
  readonly policy: TlsPolicy;
  /** Why the content behind a reference cannot be served; undefined when it can. Throws when nobody can say now. */
  problemOf(use: SecretUse, asker: SecretAsker, signal: AbortSignal): Promise<string | undefined>;
}

export interface SecretAsker {
  /** Of the load balancer. */
  readonly projectId: string;
  /** Of the user, who must be allowed to read what it refers to; undefined for operators. */
  readonly userToken: string | undefined;
}

interface TlsPorts {
  readonly tls: TlsPort;
  readonly reads: Reads;
}

export interface TlsAdmission {
  /** The listeners and pools as they shall be, checked. @throws RpcError */
  newTree(tree: NewTree, owner: TreeOwner, context: ChangeContext): Promise<NewTree>;
  changedListener(
    id: string,
    patch: Patch<ListenerAttributes>,
    context: ChangeContext,
  ): Promise<Patch<ListenerAttributes>>;
  changedPool(id: string, patch: Patch<PoolAttributes>, context: ChangeContext): Promise<Patch<PoolAttributes>>;
}

/** What tells whose project it is: the first that is given. */
export interface TreeOwner {
  readonly projectId?: string;
  readonly loadBalancerId?: string | null;
  readonly listenerId?: string | null;
}

export function tlsAdmission({ tls, reads }: TlsPorts): TlsAdmission {
  const { policy } = tls;
  const admit = async (uses: readonly SecretUse[], projectId: string | undefined, context: ChangeContext) => {
    // Nobody's load balancer: the command is about to be told so.
    if (projectId === undefined || uses.length === 0) return;
    const asker = { projectId, userToken: context.userToken };
    await admitAll(uses, (use) => refusalOf(tls, use, asker, context.signal), reads, context);
  };
  const projectOf = async (loadBalancerId: string | null | undefined) =>
    loadBalancerId === null || loadBalancerId === undefined
      ? undefined
      : (await reads.findObject('loadBalancer', loadBalancerId))?.projectId;
  const projectOfOwner = async ({ projectId, loadBalancerId, listenerId }: TreeOwner) => {
    if (projectId !== undefined) return projectId;
    if ((loadBalancerId ?? null) !== null) return projectOf(loadBalancerId);
    return projectOf((await reads.findObject('listener', listenerId ?? ''))?.loadBalancerId);
  };
  const changed = async <K extends 'listener' | 'pool'>(
    kind: K,
    id: string,
    patch: Patch<Views[K]>,
    complete: (merged: Views[K]) => Views[K],
    context: ChangeContext,
  ): Promise<Patch<Views[K]>> => {
    if (!Object.keys(patch).some(concernsTls)) return patch;
    const before = await reads.findObject(kind, id);
    if (before === undefined) return patch;
    const after = complete({ ...before, ...patch });
    const terms = termNames.filter((name) => after[name] !== before[name]).map((name) => [name, after[name]]);
    await admit(concerned(after, patch), await projectOf(before.loadBalancerId), context);
    return { ...patch, ...(Object.fromEntries(terms) as Patch<Views[K]>) };
  };
  return {
    async newTree({ fields, ...given }, owner, context) {
      const fieldOf = ({ id }: NewTree['listeners' | 'pools'][number]) => fields.get(id) ?? '';
      const listeners = given.listeners.map((each) => ({
        ...each,
        attributes: within(fieldOf(each), () => completedListener(each.attributes, policy)),
      }));
      const pools = given.pools.map((each) => ({
        ...each,
        attributes: within(fieldOf(each), () => completedPool(each.attributes, policy)),
      }));
      const uses = [...listeners, ...pools].flatMap((each) =>
        secretsIn(each.attributes).map((use) => ({ ...use, field: inside(fieldOf(each), use.field) })),
      );
      if (uses.length > 0) await admit(uses, await projectOfOwner(owner), context);
      return { listeners, pools, fields };
    },
    changedListener: (id, patch, context) =>
      changed('listener', id, patch, (merged) => completedListener(merged, policy), context),
    changedPool: (id, patch, context) => changed('pool', id, patch, (merged) => completedPool(merged, policy), context),
  };
}

const termNames = ['tlsCiphers', 'tlsVersions', 'alpnProtocols'] as const satisfies (keyof TlsTerms)[];

/** The references that a change names, and revocations whose authorities it names. */
function concerned(after: object, patch: object): readonly SecretUse[] {
  const isNamed = (field: string | undefined) => field !== undefined && Object.hasOwn(patch, field);
  return secretsIn(after).filter(({ field, authority }) => isNamed(field) || isNamed(authority?.field));
}

function concernsTls(name: string): boolean {
  return name === 'tlsEnabled' || termNames.some((term) => term === name) || /ContainerRefs?$/.test(name);
}

function completedListener<A extends ListenerAttributes>(attributes: A, policy: TlsPolicy): A {
  return terminatesTls(attributes) ? completed(attributes, policy.listener, policy) : attributes;
}

function completedPool<A extends PoolAttributes>(attributes: A, policy: TlsPolicy): A {
  return attributes.tlsEnabled ? completed(attributes, policy.pool, policy) : attributes;
}

function completed<A extends TlsTerms>(given: A, initial: TlsTerms, policy: TlsPolicy): A {
  const complete = {
    ...given,
    tlsCiphers: given.tlsCiphers ?? initial.tlsCiphers,
    tlsVersions: given.tlsVersions.length === 0 ? initial.tlsVersions : given.tlsVersions,
    alpnProtocols: given.alpnProtocols.length === 0 ? initial.alpnProtocols : given.alpnProtocols,
  };
  refuseUnwanted(complete, policy);
  return complete;
}

/** @throws RpcError in Octavia's words */
function refuseUnwanted(terms: TlsTerms, { minimumVersion, prohibitedCiphers }: TlsPolicy): void {
  const prohibited = (terms.tlsCiphers ?? '').split(':').filter((name) => prohibitedCiphers.includes(name));
  if (prohibited.length > 0) {
    const what = `The following ciphers have been prohibited by an administrator: ${prohibited.join(', ')}`;
    throw new RpcError('invalid', `Validation failure: ${what}`, { field: 'tlsCiphers' });
  }
  if (minimumVersion === undefined) return;
  const least = tlsVersions.indexOf(minimumVersion);
  const old = terms.tlsVersions.filter((version) => tlsVersions.indexOf(version) < least);
  if (old.length === 0) return;
  const what = `Requested TLS versions are less than the minimum: ${old.join(', ')} < ${minimumVersion}`;
  throw new RpcError('invalid', `Validation failure: ${what}`, { field: 'tlsVersions' });
}

function within<T>(place: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof RpcError) || error.data.field === undefined) throw error;
    throw new RpcError(error.code, error.message, { ...error.data, field: inside(place, error.data.field) });
  }
}

async function refusalOf(
  tls: TlsPort,
  use: SecretUse,
  asker: SecretAsker,
  signal: AbortSignal,
): Promise<RpcError | undefined> {
  const { field, ref } = use;
  try {
    const problem = await tls.problemOf(use, asker, signal);
    if (problem === undefined) return undefined;
    const said = problem.startsWith(ref) ? problem : `${ref}: ${problem}`;
    const message = `Validation failure: Could not retrieve certificate: ${said}`;
    return new RpcError('invalid', message, { field });
  } catch (error) {
    const message = `The certificate manager cannot be asked about ${ref}: ${(error as Error).message}`;
    return new RpcError('unavailable', message, { field, retryAfterMs: askAgainMs });
  }
}
