// Looks after members: who is down, by their checks.
import type { LvsConfiguration, LvsMember } from './configuration.ts';
import { isWell } from './check.ts';

interface Watch {
  readonly stop: AbortController;
  /** The member and the pace as they were when the watch began. */
  readonly key: string;
  down: boolean;
  timer?: NodeJS.Timeout;
}

function end({ stop, timer }: Watch): void {
  clearTimeout(timer);
  stop.abort();
}

export class MemberHealth {
  readonly #watches = new Map<string, Watch>();
  readonly #onDown: (memberId: string) => void;

  /** `onDown` is called with a member that has just been found down. */
  constructor(onDown: (memberId: string) => void) {
    this.#onDown = onDown;
  }

  isDown(memberId: string): boolean {
    return this.#watches.get(memberId)?.down === true;
  }

  /** Watches the members of this configuration, and no others. What is known of a member stays known. */
  watch({ members, delayMs, retries }: LvsConfiguration): void {
    const wanted = new Map(members.filter(({ check }) => check !== undefined).map((member) => [member.id, member]));
    for (const [id, watch] of this.#watches) {
      if (wanted.has(id)) continue;
      end(watch);
      this.#watches.delete(id);
    }
    for (const member of wanted.values()) this.#begin(member, delayMs, retries);
  }

  stop(): void {
    for (const watch of this.#watches.values()) end(watch);
    this.#watches.clear();
  }

  #begin({ id, check }: LvsMember, delayMs: number, retries: number): void {
    if (check === undefined) return;
    const key = JSON.stringify({ check, delayMs, retries });
    const before = this.#watches.get(id);
    if (before?.key === key) return;
    if (before !== undefined) end(before);
    const stop = new AbortController();
    const watch: Watch = { stop, key, down: before?.down ?? false };
    this.#watches.set(id, watch);
    let failures = 0;
    const look = async (): Promise<void> => {
      const well = await isWell(check, stop.signal);
      if (stop.signal.aborted) return;
      failures = well ? 0 : failures + 1;
      const isNews = !well && !watch.down && failures > retries;
      watch.down = !well && (watch.down || failures > retries);
      if (isNews) this.#onDown(id);
      watch.timer = setTimeout(() => void look(), delayMs);
    };
    void look();
  }
}
