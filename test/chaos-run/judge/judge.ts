// The judgement as a whole: five lists of findings, all empty when the promises held. Pure.
import type { Evidence } from '../evidence.ts';
import { duplicated } from './duplicated.ts';
import { lost } from './lost.ts';
import { orphans } from './orphans.ts';
import { type Resume, resumes } from './resume.ts';
import { stuck } from './stuck.ts';
import { twoOwners } from './two-owners.ts';

/** Each finding is a sentence. */
export interface Verdict {
  /** Commands that clients were told are accepted. */
  readonly acknowledged: number;
  readonly lost: readonly string[];
  readonly duplicated: readonly string[];
  readonly stuck: readonly string[];
  readonly orphans: readonly string[];
  readonly twoOwners: readonly string[];
  readonly resumes: readonly Resume[];
}

export const faults = ['lost', 'duplicated', 'stuck', 'orphans', 'twoOwners'] as const;

export function judge(evidence: Evidence): Verdict {
  return {
    acknowledged: evidence.logs.filter(({ attempts }) => attempts.some(({ answer }) => answer?.type === 'accepted'))
      .length,
    lost: lost(evidence),
    duplicated: duplicated(evidence),
    stuck: stuck(evidence),
    orphans: orphans(evidence),
    twoOwners: twoOwners(evidence),
    resumes: resumes(evidence),
  };
}
