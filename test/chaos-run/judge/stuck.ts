// What is not finished though everything was given time: objects that are not ACTIVE, entities with work left, commands
// without an answer, and commands that were refused though nothing stood in their way.
import type { DatabaseEvidence, Evidence, ObjectRow } from '../evidence.ts';

/** A timer that has passed for longer than this was forgotten. */
const lateMs = 5_000;

export function stuck(evidence: Evidence): readonly string[] {
  return [...unfinished(evidence, evidence.at), ...unanswered(evidence)];
}

/** Also tells whether a run has come to rest. */
export function unfinished(database: DatabaseEvidence, now: number): readonly string[] {
  const { loadBalancers, listeners, pools, members, healthMonitors, amphorae, entities } = database;
  const objects = { 'load balancer': loadBalancers, listener: listeners, pool: pools, member: members };
  const all = Object.entries({ ...objects, 'health monitor': healthMonitors });
  return [
    ...all.flatMap(([kind, rows]) => others(kind, rows, ['ACTIVE'])),
    ...others('amphora', amphorae, ['READY', 'ALLOCATED', 'DELETED']),
    ...entities.flatMap(({ kind, id, hasWork, wakeAt, fault }) => [
      ...(hasWork ? [`${kind} ${id} has work left`] : []),
      ...(wakeAt !== null && wakeAt < now - lateMs ? [`${kind} ${id} was not woken in time`] : []),
      ...(fault === null ? [] : [`${kind} ${id} was given up: ${fault}`]),
    ]),
  ];
}

function others(kind: string, rows: readonly ObjectRow[], rest: readonly string[]): readonly string[] {
  return rows
    .filter(({ status }) => !rest.includes(status))
    .map(({ id, status, values }) => `${kind} ${id} is ${status}: ${JSON.stringify(values['error_reason'])}`);
}

function unanswered({ logs }: Evidence): readonly string[] {
  return logs.flatMap(({ operation: { commandId, change }, attempts }) => {
    const answers = attempts.flatMap(({ answer }) => (answer === null ? [] : [answer]));
    if (answers.length === 0) return [`command ${commandId} (${change.type}) has no answer`];
    const refusal = answers.find((answer) => answer.type === 'refused');
    // The amphora may have been replaced before, and be gone or nobody's.
    const mayBeRefused = change.type === 'replaceAmphora';
    return refusal === undefined || mayBeRefused
      ? []
      : [`command ${commandId} (${change.type}) was refused: ${refusal.message}`];
  });
}
