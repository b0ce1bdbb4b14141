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
  };
  /** Heartbeats by what became of them: `accepted`, or why they were dropped. */
  readonly heartbeats: () => Readonly<Record<string, number>>;
}

export function metricsOf(readings: Readings): Registry {
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
  totals(registry, 'amphi_heartbeats_total', 'Heartbeats by what became of them.', 'outcome', readings.heartbeats);
  totals(registry, 'amphi_step_failures_total', 'Steps that failed.', 'kind', () => readings.actors().stepFailures);
  return registry;
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
