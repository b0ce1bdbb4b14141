// What others are asked before a load balancer hears of a command: the network, the certificate manager. The first refusal
// counts, and none does for a command that was answered before.
import type { RpcError } from '../rpc/errors.ts';
import type { ChangeContext } from './dispatch.ts';
import type { Reads } from './ports.ts';

/** Questions that are asked at the same time. */
const mostAtOnce = 8;

/** How long a client waits before it repeats what nobody could be asked about. */
export const askAgainMs = 1_000;

/**
 * Asks about one after the other, a few at the same time, until one is refused.
 *
 * @throws RpcError the first refusal in the order of the request. What was taken before is answered as it was then, whatever
 *   has become of what it names, and also when nobody can be asked.
 */
export async function admitAll<T>(
  all: readonly T[],
  refusalOf: (one: T) => Promise<RpcError | undefined>,
  reads: Pick<Reads, 'findAnswer'>,
  { command }: Pick<ChangeContext, 'command'>,
): Promise<void> {
  for (let begin = 0; begin < all.length; begin += mostAtOnce) {
    const refusals = await Promise.all(all.slice(begin, begin + mostAtOnce).map(refusalOf));
    const first = refusals.find((refusal) => refusal !== undefined);
    if (first === undefined) continue;
    if ((await reads.findAnswer(command.id)) === undefined) throw first;
    return;
  }
}
