// Until when this node may act: counted on a monotonic clock from before its renewal was sent, so a clock that jumps, or a
// process that was stopped, cannot prolong it.
import { setMaxListeners } from 'node:events';

export class Lease {
  readonly #ms: number;
  #controller = newController();
  #timer: NodeJS.Timeout | undefined;

  /** @param ms how long each renewal holds */
  constructor(ms: number) {
    this.#ms = ms;
  }

  /** Aborted when it is lost; another one once there is a lease again. */
  get lost(): AbortSignal {
    return this.#controller.signal;
  }

  /** It was renewed. `askedAt`: on the monotonic clock, before the database was asked. */
  prolong(askedAt: number): void {
    if (this.lost.aborted) this.#controller = newController();
    clearTimeout(this.#timer);
    const remaining = Math.max(0, askedAt + this.#ms - performance.now());
    this.#timer = setTimeout(() => this.lose('the lease ran out'), remaining);
  }

  lose(why: string): void {
    clearTimeout(this.#timer);
    if (!this.lost.aborted) this.#controller.abort(new Error(why));
  }
}

/** Every step under way listens to it. */
function newController(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}
