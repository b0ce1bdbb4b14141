// Why a load balancer is not ACTIVE, in sentences, from what its explanation holds. The same for every reader: command
// line, web view, programs.
import type { ExplainedStep, ExplanationView, UnsettledObject } from '../views.ts';
import { kindNames } from './rules.ts';
import { stepKeys } from './steps.ts';

/** The most telling first. Never empty. */
export function whyNotActive(view: Omit<ExplanationView, 'why'>): readonly string[] {
  const { id, fault, owner, steps, unsettled, errorReason, provisioningStatus } = view;
  const reasons = [
    ...(fault === null
      ? []
      : [`its actor was given up: ${gist(fault)}; go on with \`amphi actors restart load-balancers/lb-${id}\``]),
    ...(owner === null ? ['no node owns it: none runs, or one is about to take it over'] : []),
    ...replacements(view),
    ...steps.map(ofStep),
    ...unsettled.filter((object) => object.provisioningStatus === 'ERROR').map(ofRefused),
  ];
  if (reasons.length > 0) return reasons;
  if (errorReason !== null) return [gist(errorReason)];
  if (provisioningStatus === 'ACTIVE') return ['it is ACTIVE, and nothing is left to do'];
  return [`it is ${provisioningStatus}, and nothing is under way: it goes on with the next event`];
}

/** Amphorae on their way out, and why, as far as the newest history tells. */
function replacements({ history }: Pick<ExplanationView, 'history'>): readonly string[] {
  const events = history.toReversed().flatMap((entry) => entry.events) as readonly Partial<LeavingEvent>[];
  const leaving = new Map<string, string>();
  for (const { type, amphoraId, why, reason } of events) {
    if (amphoraId === undefined) continue;
    if (type === 'amphoraLeaving') {
      leaving.set(amphoraId, `amphora ${amphoraId} ${why === 'lost' ? 'is lost' : 'is being replaced'}: ${reason}`);
    }
    if (type === 'amphoraRetired') leaving.delete(amphoraId);
  }
  return [...leaving.values()];
}

interface LeavingEvent {
  readonly type: string;
  readonly amphoraId: string;
  readonly why: string;
  readonly reason: string;
}

function ofStep({ key, state, startedAt, failures, retryAt, lastError, call }: ExplainedStep): string {
  const times = failures === 1 ? 'once' : `${failures} times`;
  const words = [
    state === 'running' ? `${doing(key)} since ${startedAt}` : `${doing(key)}: next try at ${retryAt}`,
    ...(failures === 0 ? [] : [`failed ${times}${call === null ? '' : ` in ${call}`}`]),
    ...(lastError === null ? [] : [`last error: ${gist(lastError)}`]),
  ];
  return words.join('; ');
}

function doing(key: string): string {
  const about = key.slice(key.indexOf(':') + 1);
  if (key === stepKeys.vip) return 'it asks for an address for its VIP';
  if (key === stepKeys.releaseVip) return 'it gives the address of its VIP back';
  if (stepKeys.isClaim(key)) return `it waits for an amphora (${about})`;
  if (stepKeys.isDeploy(key)) return `it brings its configuration to amphora ${about}`;
  return `it removes amphora ${about}`;
}

function ofRefused({ kind, id, name, errorReason }: UnsettledObject): string {
  const what = `${kindNames[kind]} ${name || id}`;
  const reason = errorReason === null ? '' : `: ${gist(errorReason)}`;
  return `${what} was refused and is left as it was before${reason}; changed again, it is tried again`;
}

/** The line that says it: haproxy surrounds its alert with notices. */
export function gist(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const alert = lines.find((line) => line.includes('[ALERT]'));
  return (alert?.replace(/^.*\[ALERT\]\s*(\(\d+\))?\s*:\s*/, '') ?? lines[0] ?? '').trim();
}
