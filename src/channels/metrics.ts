// Numbers for Prometheus, read when they are asked for: whoever counts keeps plain counters.
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';

/** Totals since the start of the process, and what is the case now. */
export interface Readings {
  readonly journal: () => {
    readonly entries: number;
    readonly statements: number;
    readonly backlog: number;
    readonly oldestWaitMs: number;
  };
  /** Connections to the database, and callers that wait for one. */
  readonly pool: () => { readonly total: number; readonly idle: number; readonly waiting: number };
  readonly actors: () => {
    readonly byKind: ReadonlyMap<string, number>;
    readonly deadLetters: number;
    readonly restarts: number;
    /** Steps that failed since the start, by kind of entity. */
    readonly stepFailures: Readonly<Record<string, number>>;
    /** Certificates of amphorae, by outcome. */
    readonly rotations: Readonly<Record<string, number>>;
  };
  readonly heartbeats: () => {
    /** By what became of them: `accepted`, or why they were dropped; of the accepted, `repeated`, `late` and `unknown`. */
    readonly outcomes: Readonly<Record<string, number>>;
    /** Between arrival and reading, as measured last. */
    readonly lagMs: number;
    readonly bufferBytes: number;
    /** Undefined where the kernel does not tell. */
    readonly kernelDrops: number | undefined;
    /** That did not come, by their numbers. */
    readonly missed: number;
    /** Amphorae that were heard. */
    readonly heard: number;
  };
  readonly failovers: () => {
    /** Amphorae judged by this node whose failover is held, by reason. */
    readonly held: Readonly<Record<string, number>>;
    /** By kind of group. */
    readonly openBreakers: Readonly<Record<string, number>>;
    /** Since the start, by cause. */
    readonly begun: Readonly<Record<string, number>>;
    readonly perMinute: number;
    /** Of the cluster's, in this minute. */
    readonly left: number;
  };
  /** In force. */
  readonly maintenance: () => readonly { readonly scope: string; readonly name: string | null }[];
  /** Rows of statistics, since the start and now. */
  readonly statistics: () => { readonly written: number; readonly waiting: number };
  /** By kind of object; on the node that keeps house only. */
  readonly openAlerts: () => Readonly<Record<string, number>>;
  /** Of amphorae, whether they hold what they have accepted. */
  readonly drift: () => Readonly<Record<'looks' | 'repairs' | 'unreachable', number>>;
  /** When the first certificate of an amphora ends, milliseconds; on the node that keeps house only. */
  readonly certificatesEnd: () => number | undefined;
  /** What others show: the metering driver, the REST API. */
  readonly more: readonly Registry[];
}

export function metricsOf(readings: Readings): Pick<Registry, 'metrics' | 'contentType'> {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry, prefix: 'amphi_process_' });
  total(registry, 'amphi_journal_entries_total', 'Entries sent to the journal.', () => readings.journal().entries);
  total(
    registry,
    'amphi_journal_statements_total',
    'Statements that carried them.',
    () => readings.journal().statements,
  );
  now(registry, 'amphi_journal_backlog', 'Entries that wait for a statement.', () => readings.journal().backlog);
  now(
    registry,
    'amphi_journal_oldest_wait_seconds',
    'How long the oldest entry that is not written yet has been waiting.',
    () => readings.journal().oldestWaitMs / 1000,
  );
  new Gauge({
    name: 'amphi_database_connections',
    help: 'Connections of the pool by what they do.',
    labelNames: ['state'],
    registers,
    collect() {
      const { total: all, idle } = readings.pool();
      this.set({ state: 'busy' }, all - idle);
      this.set({ state: 'idle' }, idle);
    },
  });
  now(
    registry,
    'amphi_database_waiting',
    'Callers that wait for a connection to the database.',
    () => readings.pool().waiting,
  );
  total(registry, 'amphi_dead_letters_total', 'Messages that found no actor.', () => readings.actors().deadLetters);
  new Gauge({
    name: 'amphi_live_actors',
    help: 'Actors in memory.',
    labelNames: ['kind'],
    registers,
    collect() {
      this.reset();
      for (const [kind, count] of readings.actors().byKind) this.set({ kind }, count);
    },
  });
  now(registry, 'amphi_live_actor_restarts', 'Restarts of the actors in memory.', () => readings.actors().restarts);
  heartbeatMetrics(registry, readings.heartbeats);
  failoverMetrics(registry, readings.failovers, readings.maintenance);
  const { statistics } = readings;
  total(registry, 'amphi_statistics_rows_total', 'Rows of statistics written.', () => statistics().written);
  now(registry, 'amphi_statistics_waiting', 'Rows of statistics not written yet.', () => statistics().waiting);
  totals(registry, 'amphi_step_failures_total', 'Steps that failed.', 'kind', () => readings.actors().stepFailures);
  const rotations = () => readings.actors().rotations;
  totals(
    registry,
    'amphi_certificate_rotations_total',
    'Certificates of amphorae replaced, and tries.',
    'outcome',
    rotations,
  );
  const { certificatesEnd } = readings;
  new Gauge({
    name: 'amphi_certificate_earliest_end_seconds',
    help: 'When the first certificate of an amphora ends, in seconds since 1970.',
    registers,
    collect() {
      this.reset();
      const end = certificatesEnd();
      if (end !== undefined) this.set(end / 1000);
    },
  });
  const { drift } = readings;
  const looks = 'Looks whether an amphora holds what it has accepted.';
  total(registry, 'amphi_drift_looks_total', looks, () => drift().looks);
  total(registry, 'amphi_drift_repairs_total', 'Amphorae that did not, and were repaired.', () => drift().repairs);
  nowBy(registry, 'amphi_alerts_open', 'Alerts that are open.', 'kind', readings.openAlerts);
  return Registry.merge([registry, ...readings.more]);
}

function heartbeatMetrics(registry: Registry, read: Readings['heartbeats']): void {
  totals(registry, 'amphi_heartbeats_total', 'Heartbeats by what became of them.', 'outcome', () => read().outcomes);
  const seconds = () => read().lagMs / 1000;
  now(registry, 'amphi_heartbeat_lag_seconds', 'Between the arrival of a heartbeat and its reading.', seconds);
  const bytes = () => read().bufferBytes;
  now(registry, 'amphi_heartbeat_buffer_bytes', 'What the kernel keeps of heartbeats that were not read yet.', bytes);
  const drops = () => read().kernelDrops ?? 0;
  total(registry, 'amphi_heartbeat_kernel_drops_total', 'Heartbeats dropped because that buffer was full.', drops);
  now(registry, 'amphi_heartbeats_missed', 'Heartbeats that did not come, by their numbers.', () => read().missed);
  now(registry, 'amphi_amphorae_heard', 'Amphorae that were heard by this node.', () => read().heard);
}

function failoverMetrics(registry: Registry, read: Readings['failovers'], maintenance: Readings['maintenance']): void {
  totals(registry, 'amphi_failovers_total', 'Failovers begun by this node unasked.', 'cause', () => read().begun);
  const held = 'Silent amphorae, judged by this node, that are not failed over.';
  nowBy(registry, 'amphi_failovers_held', held, 'reason', () => read().held);
  now(registry, 'amphi_failover_budget', 'Failovers that the cluster begins in a minute.', () => read().perMinute);
  now(registry, 'amphi_failover_budget_left', 'Of these, what is left of this minute.', () => read().left);
  const open = 'Groups of amphorae so many of which are silent at once that they are not failed over.';
  nowBy(registry, 'amphi_failover_breakers_open', open, 'group', () => read().openBreakers);
  new Gauge({
    name: 'amphi_maintenance',
    help: 'Maintenance that operators have put in force: 1 for the fleet (zone empty), and for each such zone.',
    labelNames: ['zone'],
    registers: [registry],
    collect() {
      this.reset();
      this.set({ zone: '' }, 0);
      for (const { name } of maintenance()) this.set({ zone: name ?? '' }, 1);
    },
  });
}

function total(registry: Registry, name: string, help: string, read: () => number): void {
  new Counter({
    name,
    help,
    registers: [registry],
    collect() {
      this.reset();
      this.inc(read());
    },
  });
}

function now(registry: Registry, name: string, help: string, read: () => number): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(read());
    },
  });
}

function nowBy(
  registry: Registry,
  name: string,
  help: string,
  label: string,
  read: () => Readonly<Record<string, number>>,
): void {
  new Gauge({
    name,
    help,
    labelNames: [label],
    registers: [registry],
    collect() {
      this.reset();
      for (const [value, count] of Object.entries(read())) this.set({ [label]: value }, count);
    },
  });
}

function totals(
  registry: Registry,
  name: string,
  help: string,
  label: string,
  read: () => Readonly<Record<string, number>>,
): void {
  new Counter({
    name,
    help,
    labelNames: [label],
    registers: [registry],
    collect() {
      this.reset();
      for (const [value, count] of Object.entries(read())) this.inc({ [label]: value }, count);
    },
  });
}
