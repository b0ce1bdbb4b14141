// Commands with more than one effect, or more than one answer.
import { grouped } from '../grouped.ts';
import type { Answer, CommandLog } from '../client.ts';
import type { Evidence } from '../evidence.ts';

export function duplicated(evidence: Evidence): readonly string[] {
  return [...effects(evidence), ...evidence.logs.flatMap((log) => answers(log, evidence))];
}

function effects({ loadBalancers, members, journal, listeners, pools, healthMonitors }: Evidence): readonly string[] {
  const created = journal.filter(({ events }) => events.some(({ type }) => type === 'loadBalancerCreated'));
  return [
    ...repeated(loadBalancers, ({ values }) => values['name'], 'load balancers are named'),
    ...repeated(
      created.filter(({ commandId }) => commandId !== null),
      ({ commandId }) => commandId,
      'load balancers came of command',
    ),
    ...repeated(
      journal.filter(({ commandId }) => commandId !== null),
      ({ commandId }) => commandId,
      'journal entries are of command',
    ),
    ...repeated(
      members,
      ({ values }) => [values['pool_id'], values['address'], values['protocol_port']].join(' '),
      'members are',
    ),
    ...[...new Map(Object.entries({ listeners, pools, healthMonitors }))].flatMap(([kind, rows]) =>
      repeated(rows, ({ loadBalancerId }) => loadBalancerId, `${kind} are of load balancer`),
    ),
  ];
}

function repeated<T>(all: readonly T[], keyOf: (one: T) => unknown, are: string): readonly string[] {
  return [...grouped(all, keyOf)]
    .filter(([, same]) => same.length > 1)
    .map(([key, same]) => `${same.length} ${are} ${String(key)}`);
}

/** Every answer to a command says the same, whenever it came and whoever gave it, and the database agrees. */
function answers({ operation, attempts }: CommandLog, { answers: stored }: Evidence): readonly string[] {
  const given = attempts.flatMap(({ answer }) => (answer === null ? [] : [answer]));
  // An object that is gone when its command is repeated is not in the answer any more.
  const different = new Set(given.filter((answer) => !isBlank(answer)).map(meaning));
  const inDatabase = stored.get(operation.commandId);
  const isDenied = inDatabase === 'ok' && given.some(({ type }) => type === 'refused');
  return [
    ...(different.size > 1 ? [`command ${operation.commandId} was answered ${[...different].join(' and ')}`] : []),
    ...(isDenied ? [`command ${operation.commandId} is accepted in the database and was refused to its client`] : []),
  ];
}

function isBlank(answer: Answer): boolean {
  return answer.type === 'accepted' && answer.id === null;
}

function meaning(answer: Answer): string {
  return answer.type === 'accepted' ? `accepted ${answer.id}` : `refused ${answer.code}: ${answer.message}`;
}
