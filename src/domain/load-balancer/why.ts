// Why a load balancer is not ACTIVE, in sentences, from what its explanation holds. The same for every reader: command
// line, web view, programs.
import type { ExplainedStep, ExplanationView, UnsettledObject } from '../operator-views.ts';
import { kindNames } from './rules.ts';
import { stepKeys } from './steps.ts';

/** The most telling first. Never empty. */
export function whyNotActive(view: Omit<ExplanationView, 'why'>): readonly string[] {
  const { id, fault, owner, steps, unsettled, errorReason, provisioningStatus } = view;
  const reasons = [
    ...(fault === null
      ? []
      : [`its actor was given up: ${gist(fault)}; go on with \`amphi actors restart load-balancers/lb-${id}\``]),
    ...heldFailovers(view),
    ...(owner === null ? ['no node owns it: none runs, or one is about to take it over'] : []),
    ...replacements(view),
    ...steps.map(ofStep),
    ...waits(view),
    ...unsettled.filter((object) => object.provisioningStatus === 'ERROR').map(ofRefused),
  ];
  if (reasons.length > 0) return reasons;
  if (errorReason !== null) return [gist(errorReason)];
  if (provisioningStatus === 'ACTIVE') return ['it is ACTIVE, and nothing is left to do', ...aside(view)];
  return [`it is ${provisioningStatus}, and nothing is under way: it goes on with the next event`];
}

/** What people ask about next. */
function aside(view: Omit<ExplanationView, 'why'>): readonly string[] {
  const { operatingStatus } = view;
  return [
    ...(operatingStatus === 'ONLINE' || operatingStatus === 'OFFLINE'
      ? []
      : [
          `its operating status ${operatingStatus} is what amphorae report of its members: see \`amphi lb show ${view.id}\`, and why \`amphi alerts --lb ${view.id}\``,
        ]),
    ...departures(view)
      .filter(({ goneAt, why }) => goneAt !== null && why === 'lost')
      .map(
        ({ amphoraId, goneAt, reason }) => `amphora ${amphoraId} was lost and is replaced since ${goneAt}: ${reason}`,
      ),
  ];
}

/** Amphorae that are silent and must not be replaced now. */
function heldFailovers({ amphorae }: Pick<ExplanationView, 'amphorae'>): readonly string[] {
  return amphorae.flatMap(({ id, failoverHeld }) =>
    failoverHeld === null ? [] : [`amphora ${id} is silent, and its failover is held: ${failoverHeld}`],
  );
}

/** Amphorae on their way out. */
function replacements(view: Pick<ExplanationView, 'history'>): readonly string[] {
  return departures(view)
    .filter(({ goneAt }) => goneAt === null)
    .map(({ amphoraId, why, reason }) => {
      return `amphora ${amphoraId} ${why === 'lost' ? 'is lost' : 'is being replaced'}: ${reason}`;
    });
}

/** Steps that were interrupted are not begun anew, nor what would contradict them, before they are certain to be over. */
function waits({ steps, wakeAt, provisioningStatus }: Omit<ExplanationView, 'why'>): readonly string[] {
  const isIdle = steps.length === 0 && provisioningStatus.startsWith('PENDING');
  return isIdle && wakeAt !== null
    ? [`it waits until ${wakeAt}: a call that was interrupted may still have an effect before`]
    : [];
}

interface Departure {
  readonly amphoraId: string;
  readonly why: string;
  readonly reason: string;
  /** Null while it is on its way. */
  readonly goneAt: string | null;
}

/** As far as the newest history tells. */
function departures({ history }: Pick<ExplanationView, 'history'>): readonly Departure[] {
  const found = new Map<string, Departure>();
  for (const { at, events } of history.toReversed()) {
    for (const { type, amphoraId, why, reason } of events as readonly Partial<LeavingEvent>[]) {
      if (amphoraId === undefined) continue;
      const known = found.get(amphoraId);
      if (type === 'replacementDue')
        found.set(amphoraId, { amphoraId, why: 'replaced', reason: reason ?? '', goneAt: null });
      if (type === 'amphoraLeaving')
        found.set(amphoraId, { amphoraId, why: why ?? '', reason: reason ?? '', goneAt: null });
      if (type === 'amphoraRetired' && known !== undefined) found.set(amphoraId, { ...known, goneAt: at });
    }
  }
  return [...found.values()];
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
  if (stepKeys.isPlug(key)) return `it gives amphora ${about} a port beside the VIP`;
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
