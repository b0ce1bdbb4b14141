// Replies: every message that wants an answer names where it goes.

export interface ReplyTo<T> {
  tell(answer: T): void;
}

/** Where answers go that nobody waits for. */
export const nobody: ReplyTo<unknown> = { tell: () => undefined };

/**
 * Sends a message and waits for its answer.
 *
 * @throws the signal's reason when it aborts first
 */
export function ask<T>(send: (replyTo: ReplyTo<T>) => void, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(abortReason(signal));
    const onAbort = () => reject(abortReason(signal));
    signal.addEventListener('abort', onAbort, { once: true });
    send({
      tell: (answer) => {
        signal.removeEventListener('abort', onAbort);
        resolve(answer);
      },
    });
  });
}

function abortReason(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error('aborted');
}
