// How long what a victim left unfinished waited for its next owner.
import { grouped } from '../grouped.ts';
import type { Sample } from '../cluster.ts';
import type { Evidence, JournalRow } from '../evidence.ts';

export interface Resume {
  readonly cause: string;
  /** Of the disturbance in the schedule: tells those of one cause apart. */
  readonly atMs: number;
  readonly entity: string;
  /** Since the disturbance, or the database's return if that was later. */
  readonly ms: number;
}

/**
 * One for each entity that had work left when its owner was killed, stopped or cut off, and was taken up under a later
 * epoch. Left out is what the victim's last statement, already on its way, finished: nobody had to take it up, and what
 * is asked of the entity later says nothing of a resume.
 */
export function resumes({ samples, journal, databaseReturns }: Evidence): readonly Resume[] {
  const histories = grouped(journal, ({ kind, id }) => `${kind}/${id}`);
  return samples.flatMap((sample) =>
    sample.work.flatMap(({ kind, id, epoch }) => {
      const entity = `${kind}/${id}`;
      const next = nextEntry(histories.get(entity) ?? [], sample, epoch);
      if (next === undefined) return [];
      const returns = databaseReturns.filter((at) => at >= sample.at && at <= next.at);
      const { kind: cause, atMs } = sample.disturbance;
      return [{ cause, atMs, entity, ms: next.at - Math.max(sample.at, ...returns) }];
    }),
  );
}

function nextEntry(history: readonly JournalRow[], { at, disturbance }: Sample, epoch: number): JournalRow | undefined {
  const after = history.filter((row) => row.at >= at);
  const next = after.find((row) => row.epoch > epoch);
  if (after.some((row) => row.epoch === epoch)) return undefined;
  // A node whose connections were cut goes on with the steps it has; any other one starts them anew.
  const isResume = disturbance.kind === 'cut' || next?.events.some(({ type }) => type === 'stepsInterrupted');
  return isResume === true ? next : undefined;
}

/** The value below which that share of the values lies; null when there is none. */
export function quantile(values: readonly number[], share: number): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? null;
}
