// Acknowledged changes that the end does not show: neither the rows for reading nor the configuration that is served.
import { grouped } from '../grouped.ts';
import type { CommandLog } from '../client.ts';
import type { DatabaseEvidence, Evidence } from '../evidence.ts';
import { type Member, type Model, modelAfter, type Script } from '../model.ts';

export function lost(evidence: Evidence): readonly string[] {
  const logs = grouped(evidence.logs, ({ script }) => script);
  const served = servedConfigurations(evidence);
  return evidence.scripts.flatMap((script) => lostOf(script, logs.get(script.name) ?? [], evidence, served));
}

function lostOf(
  script: Script,
  logs: readonly CommandLog[],
  database: DatabaseEvidence,
  served: ReadonlyMap<string, readonly string[]>,
): readonly string[] {
  const wanted = expectations(logs);
  if (wanted.includes('anything')) return [];
  const rows = database.loadBalancers.filter(({ values }) => values['name'] === script.name);
  const row = rows[0];
  if (row === undefined) {
    return wanted.includes(undefined) ? [] : [`${script.name} was acknowledged and is not there`];
  }
  const [model, ...others] = wanted.filter((one) => one !== undefined && one !== 'anything');
  if (model === undefined) return [`${script.name} (${row.id}) was deleted and is there`];
  const inDatabase = modelInDatabase(database, row.id);
  const inWorld = (served.get(row.id) ?? ['']).map(modelServed);
  const ofDatabase = [model, ...others].some((one) => isSame(one, inDatabase))
    ? []
    : [`${script.name} (${row.id}) is ${shown(inDatabase)} in the database, acknowledged was ${shown(model)}`];
  const ofWorld = inWorld
    .filter((each) => ![model, ...others].some((one) => isSame({ ...one, description: '' }, each)))
    .map((each) => `${script.name} (${row.id}) is served as ${shown(each)}, acknowledged was ${shown(model)}`);
  return [...ofDatabase, ...ofWorld];
}

/** What the load balancer may be: undefined stands for not there. A command without an answer may have happened or not. */
function expectations(logs: readonly CommandLog[]): readonly (Model | undefined | 'anything')[] {
  const isAcknowledged = (log: CommandLog) => log.attempts.some(({ answer }) => answer?.type === 'accepted');
  const acknowledged = logs.filter(isAcknowledged).map(({ operation }) => operation.change);
  const open = logs.filter((log) => !isAcknowledged(log)).map(({ operation }) => operation.change);
  if (open.length > 1) return ['anything'];
  return [modelAfter(acknowledged), ...(open.length === 0 ? [] : [modelAfter([...acknowledged, ...open])])];
}

function modelInDatabase(database: DatabaseEvidence, id: string): Model {
  const valuesOf = (rows: DatabaseEvidence['listeners']) =>
    rows.filter(({ loadBalancerId }) => loadBalancerId === id).map(({ values }) => values);
  return {
    description: String(valuesOf(database.loadBalancers)[0]?.['description']),
    connectionLimit: Number(valuesOf(database.listeners)[0]?.['connection_limit']),
    lbAlgorithm: String(valuesOf(database.pools)[0]?.['lb_algorithm']),
    members: valuesOf(database.members).map(
      (values): Member => ({
        address: String(values['address']),
        protocolPort: Number(values['protocol_port']),
        weight: Number(values['weight']),
      }),
    ),
  };
}

/** Load balancer → what its amphorae serve. That there are as many as should be is for others to judge. */
function servedConfigurations({ world }: Evidence): ReadonlyMap<string, readonly string[]> {
  const all = world.instances
    .filter(({ isUp }) => isUp)
    .flatMap(({ configurations }) => Object.entries(configurations));
  const byId = [...grouped(all, ([id]) => id)];
  return new Map(byId.map(([id, entries]) => [id, entries.map(([, configuration]) => configuration)]));
}

const algorithms: Readonly<Record<string, string>> = {
  roundrobin: 'ROUND_ROBIN',
  leastconn: 'LEAST_CONNECTIONS',
  source: 'SOURCE_IP',
};

/** Read back from a haproxy configuration; the description is not in it. */
function modelServed(configuration: string): Model {
  const servers = configuration.matchAll(/^ +server \S+ (\S+):(\d+) weight (\d+)/gm);
  return {
    description: '',
    connectionLimit: Number(/^ +fullconn (\d+)$/m.exec(configuration)?.[1]),
    lbAlgorithm: algorithms[/^ +balance (\S+)$/m.exec(configuration)?.[1] ?? ''] ?? '',
    members: [...servers].map(([, address = '', port, weight]) => ({
      address,
      protocolPort: Number(port),
      weight: Number(weight),
    })),
  };
}

function isSame(a: Model, b: Model): boolean {
  return shown(a) === shown(b);
}

function shown({ description, connectionLimit, lbAlgorithm, members }: Model): string {
  const places = members.map(({ address, protocolPort, weight }) => `${address}:${protocolPort}*${weight}`).toSorted();
  return JSON.stringify([description, connectionLimit, lbAlgorithm, ...places]);
}
