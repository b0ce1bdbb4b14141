// Finds the node that something belongs to and asks there, again and again while owners change: a call ends with an answer or
// with its deadline. What is asked here must therefore be repeatable.
import type { Elsewhere } from '../../domain/cluster/messages.ts';
import type { Family } from '../../domain/ownership.ts';
import type { Ownership } from '../runtime/ownership.ts';
import { PeerUnreachableError } from '../../domain/cluster/peers.ts';

const firstPauseMs = 20;
const longestPauseMs = 500;

export interface Place {
  readonly family: Family;
  readonly shard: number;
}

/**
 * @param here asks on this node; gives or throws `elsewhere` when it is not the owner (any more)
 * @param there asks another node
 * @throws the signal's reason when it aborts first, NodeStoppingError, and what `here` and `there` throw for other reasons
 */
export async function askWherever<T extends { readonly type: string }>(
  ownership: Ownership,
  { family, shard }: Place,
  here: () => Promise<T | Elsewhere>,
  there: (node: string) => Promise<T | Elsewhere>,
  signal: AbortSignal,
): Promise<T> {
  for (let pause = firstPauseMs; ; pause = Math.min(pause * 2, longestPauseMs)) {
    signal.throwIfAborted();
    if (ownership.isStopped) throw new NodeStoppingError();
    const owner = ownership.ownerOf(family, shard);
    const answer = await (owner === undefined ? nowhere : owner === ownership.nodeId ? here() : reach(there(owner)));
    if (!isElsewhere(answer)) return answer;
    await abortable(ownership.changed(pause), signal);
  }
}

/** Whoever asks may ask another node. */
export class NodeStoppingError extends Error {
  constructor() {
    super('this node is stopping');
    this.name = 'NodeStoppingError';
  }
}

const nowhere: Promise<Elsewhere> = Promise.resolve({ type: 'elsewhere' });

/** A node that has just died is not the owner for much longer. */
function reach<T>(answer: Promise<T>): Promise<T | Elsewhere> {
  return answer.catch((error: unknown) => {
    if (error instanceof PeerUnreachableError) return nowhere;
    throw error;
  });
}

function isElsewhere(answer: { readonly type: string }): answer is Elsewhere {
  return answer.type === 'elsewhere';
}

function abortable(waiting: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
    signal.addEventListener('abort', onAbort, { once: true });
    void waiting.then(() => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    });
  });
}
