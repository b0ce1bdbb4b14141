// Calls with retries: what may pass by itself is tried again with growing pauses until the tries are used up or the
// caller's signal says stop.
import pRetry from 'p-retry';
import { PermanentFailure, TransientFailure } from '../../failure.ts';
import type { AmphoraAddress } from '../driver.ts';
import { callName, exchangeFailure, failureOf, isNotReady } from './failures.ts';
import type { Answer, Exchange, Transport } from './transport.ts';

export interface RetryOptions {
  /** After the first try. */
  readonly retries: number;
  readonly firstDelayMs: number;
  readonly longestDelayMs: number;
}

export class Caller {
  readonly #transport: Transport;
  readonly #retry: RetryOptions;

  constructor(transport: Transport, retry: RetryOptions) {
    this.#transport = transport;
    this.#retry = retry;
  }

  /**
   * The agent's answer, whatever its code; only a 404 that passes by itself counts as no answer. Throws TransientFailure,
   * or PermanentFailure when one side does not accept the other's certificate.
   */
  async call(amphora: AmphoraAddress, exchange: Exchange, signal: AbortSignal): Promise<Answer> {
    let last: Error | undefined;
    try {
      return await pRetry(() => this.#try(amphora, exchange, signal), {
        retries: this.#retry.retries,
        minTimeout: this.#retry.firstDelayMs,
        maxTimeout: this.#retry.longestDelayMs,
        randomize: true,
        signal,
        // What the signal itself brought about tells nothing.
        onFailedAttempt: ({ error }) => void (last = signal.aborted ? last : error),
        shouldRetry: ({ error }) => error instanceof TransientFailure,
      });
    } catch (error) {
      if (error instanceof PermanentFailure) throw error;
      if (!signal.aborted) throw last ?? error;
      const call = callName(exchange, amphora);
      throw new TransientFailure(`${call}: stopped${last === undefined ? '' : `; before, ${last.message}`}`, {
        call,
        cause: signal.reason,
      });
    }
  }

  async #try(amphora: AmphoraAddress, exchange: Exchange, signal: AbortSignal): Promise<Answer> {
    const answer = await this.#transport.exchange(amphora, exchange, signal).catch((error: unknown) => {
      throw exchangeFailure(error, exchange, amphora);
    });
    if (isNotReady(answer)) throw failureOf(answer, exchange, amphora);
    return answer;
  }
}
