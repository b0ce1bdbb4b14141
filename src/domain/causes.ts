// Whose commands a call to the outside is made for. Every such call has a signal; the signal carries the ids, so that no
// driver's signature speaks of them, and those that can tell the other side look here.

const causes = new WeakMap<AbortSignal, readonly string[]>();

/** From now on what is done under the signal is done for these commands. */
export function makeFor(signal: AbortSignal, commandIds: readonly string[]): void {
  if (commandIds.length > 0) causes.set(signal, commandIds);
}

/** Ids of commands, newest last; none for what nobody asked for. */
export function causesOf(signal: AbortSignal): readonly string[] {
  return causes.get(signal) ?? none;
}

const none: readonly string[] = [];

/** Id of the newest request of the REST API among the commands, as OpenStack writes it; undefined when none came from there. */
export function requestIdIn(commandIds: readonly string[]): string | undefined {
  for (const id of commandIds.toReversed()) {
    const found = /^(req-[0-9a-f-]{36})\//.exec(id)?.[1];
    if (found !== undefined) return found;
  }
  return undefined;
}
