// Keeps the table of held failovers as this node sees the amphorae that it judges, for whoever reads: lists, explanations, the REST
// API of any node. Written when something changes; what others have left there of amphorae that are judged here now is put right.
import type { Logger } from 'pino';
import type { HeldAmphora, Hold } from '../../domain/health/watchdog.ts';
import type { AmphoraId } from '../../domain/ids.ts';

export interface HeldFailoversOptions {
  readonly read: () => Promise<readonly HeldAmphora[]>;
  readonly write: (put: readonly HeldAmphora[], drop: readonly AmphoraId[]) => Promise<void>;
  readonly isJudge: (id: AmphoraId) => boolean;
  /** Milliseconds on a monotonic clock. */
  readonly now: () => number;
  readonly log: Logger;
}

/** Numbers in reasons change all the time. */
const rewordMs = 10_000;
const rereadMs = 30_000;

export class HeldFailovers {
  readonly #options: HeldFailoversOptions;
  /** What the table says of amphorae that are judged here; undefined when that is not known. */
  #written: Map<AmphoraId, Hold & { readonly at: number }> | undefined;
  #readAt = 0;
  #isBusy = false;

  constructor(options: HeldFailoversOptions) {
    this.#options = options;
  }

  /** Other amphorae are judged here than before. */
  forget(): void {
    this.#written = undefined;
  }

  /** All that is held here now. What cannot be written just now is at the next time. */
  update(held: ReadonlyMap<AmphoraId, Hold>): void {
    if (this.#isBusy) return;
    this.#isBusy = true;
    this.#update(held)
      .catch((error: unknown) => {
        this.#written = undefined;
        this.#options.log.debug({ err: error }, 'held failovers could not be written');
      })
      .finally(() => (this.#isBusy = false));
  }

  async #update(held: ReadonlyMap<AmphoraId, Hold>): Promise<void> {
    const { read, write, isJudge, now } = this.#options;
    if (this.#written === undefined || now() - this.#readAt > rereadMs) {
      const rows = (await read()).filter(({ amphoraId }) => isJudge(amphoraId));
      this.#readAt = now();
      this.#written = new Map(rows.map(({ amphoraId, kind, why }) => [amphoraId, { kind, why, at: now() }]));
    }
    const written = this.#written;
    const put: HeldAmphora[] = [];
    for (const [amphoraId, { kind, why }] of held) {
      const known = written.get(amphoraId);
      const isSame = known?.kind === kind && (known.why === why || now() - known.at < rewordMs);
      if (!isSame) put.push({ amphoraId, kind, why });
    }
    const drop = [...written.keys()].filter((id) => !held.has(id) && isJudge(id));
    if (put.length + drop.length === 0) return;
    await write(put, drop);
    for (const { amphoraId, kind, why } of put) written.set(amphoraId, { kind, why, at: now() });
    for (const id of drop) written.delete(id);
  }
}
