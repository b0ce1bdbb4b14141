// What a node has started, and how to undo it.
import type { Logger } from 'pino';

/** Undoes what was started, last first; a start that fails half-way leaves nothing behind. */
export class Started {
  readonly #undo: (() => Promise<unknown> | void)[] = [];

  add(undo: () => Promise<unknown> | void): void {
    this.#undo.push(undo);
  }

  async stop(log: Logger): Promise<void> {
    for (let undo = this.#undo.pop(); undo !== undefined; undo = this.#undo.pop()) {
      try {
        await undo();
      } catch (error) {
        log.warn({ err: error }, 'something did not stop cleanly');
      }
    }
  }
}
