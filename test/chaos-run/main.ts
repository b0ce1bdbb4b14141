// `npm run chaos -- --nodes 3 --load-balancers 200 --kills 20 --seed 1`: prints one line of JSON, and to stderr what is
// behind it. Exit 1 unless the five zeros hold.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { packageRoot } from '../support/built.ts';
import { grouped } from './grouped.ts';
import { faults, type Verdict } from './judge/judge.ts';
import { quantile, type Resume } from './judge/resume.ts';
import { buildRevision } from './previous.ts';
import { type RunResult, runChaos } from './run.ts';

interface Options {
  readonly nodes: number;
  readonly loadBalancers?: number;
  readonly driver: 'noop' | 'local';
  readonly kills: number;
  readonly seed: number;
  readonly clients: number;
  readonly lease: number;
  readonly strict: boolean;
  readonly verbose: boolean;
  readonly keep: boolean;
  /** A revision; true for the one before this. */
  readonly upgrade?: string | true;
}

/** How a run differs from another one of the same call. */
interface Round {
  readonly name: string;
  readonly installations: readonly (readonly string[])[];
  readonly madeBy?: string;
}

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());

const say = (line: string) => void process.stderr.write(`${line}\n`);

async function run(options: Options): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'amphi-chaos-'));
  const startedAt = Date.now();
  const log = (line: string) => {
    if (options.verbose) say(`${((Date.now() - startedAt) / 1_000).toFixed(1)} ${line}`);
  };
  const leaseMs = options.lease * 1_000;
  const loadBalancers = options.loadBalancers ?? (options.driver === 'local' ? 20 : 200);
  const verdicts: Verdict[] = [];
  let isWorthKeeping = options.keep;
  for (const { name, ...round } of await roundsOf(options, folder)) {
    const place = join(folder, name);
    mkdirSync(place, { mode: 0o700 });
    log(name);
    const result = await runChaos({
      ...options,
      ...round,
      loadBalancers,
      leaseMs,
      folder: place,
      log,
      signal: interrupted.signal,
    });
    verdicts.push(result.verdict);
    explain(result);
    for (const [atMs, all] of grouped(result.verdict.resumes, (resume) => resume.atMs)) {
      const longest = rounded(
        quantile(
          all.map(({ ms }) => ms),
          1,
        ),
      );
      log(`${all.length} entities resumed after ${all[0]?.cause} at ${atMs}: longest ${longest} ms`);
    }
    if (!isBroken(result.verdict) && !options.keep) continue;
    isWorthKeeping = true;
    keep(place, result);
  }
  process.stdout.write(`${JSON.stringify(line(verdicts))}\n`);
  const isLate = verdicts.some(({ resumes }) => resumes.some((resume) => resume.ms > mostMs(resume, leaseMs)));
  if (verdicts.some(isBroken) || (options.strict && isLate)) process.exitCode = 1;
  if (!isWorthKeeping) rmSync(folder, { recursive: true, force: true });
}

/**
 * With `--upgrade` two: the previous version works and this one joins, and the other way round on a database that the
 * previous one made. A node comes back from a kill as the other version. Where the previous one can't read what this one writes,
 * there is the first alone, and who comes back as this version stays it.
 */
async function roundsOf({ nodes, upgrade, kills }: Options, folder: string): Promise<readonly Round[]> {
  const each = (turnsOf: (node: number) => readonly string[]) =>
    Array.from({ length: nodes }, (_, node) => turnsOf(node));
  if (upgrade === undefined) return [{ name: 'run', installations: each(() => [packageRoot]) }];
  const previous = buildRevision(upgrade === true ? 'HEAD~1' : upgrade, join(folder, 'previous'));
  if (dataVersionOf(await import(upcastIn(previous))) < dataVersionOf(await import(upcastIn(packageRoot)))) {
    return [
      { name: 'forth', installations: each((node) => (node % 2 === 0 ? [previous, packageRoot] : [packageRoot])) },
    ];
  }
  const turns = (one: string, other: string) =>
    Array.from({ length: kills + 1 }, (_, start) => (start % 2 === 0 ? one : other));
  const alternating = (first: string, second: string) =>
    each((node) => (node % 2 === 0 ? turns(first, second) : turns(second, first)));
  return [
    { name: 'forth', installations: alternating(previous, packageRoot) },
    { name: 'back', installations: alternating(packageRoot, previous), madeBy: previous },
  ];
}

function upcastIn(installation: string): string {
  return join(installation, 'dist/domain/upcast.js');
}

function dataVersionOf(upcast: unknown): number {
  return (upcast as { readonly dataVersion: number }).dataVersion;
}

function isBroken(verdict: Verdict): boolean {
  return faults.some((fault) => verdict[fault].length > 0);
}

function line(verdicts: readonly Verdict[]) {
  const resumes = verdicts.flatMap((verdict) => verdict.resumes);
  const times = resumes.filter(({ cause }) => cause !== 'cut').map(({ ms }) => ms);
  const count = (fault: (typeof faults)[number]) => verdicts.reduce((sum, verdict) => sum + verdict[fault].length, 0);
  return {
    acknowledged: verdicts.reduce((sum, { acknowledged }) => sum + acknowledged, 0),
    lost: count('lost'),
    duplicated: count('duplicated'),
    stuck: count('stuck'),
    orphans: count('orphans'),
    two_owners: count('twoOwners'),
    resume_ms: { p50: rounded(quantile(times, 0.5)), max: rounded(quantile(times, 1)) },
  };
}

/** A process that is gone is noticed at once, one that says nothing by its lease. */
function mostMs({ cause }: Resume, leaseMs: number): number {
  return cause === 'kill' || cause === 'cut' ? 2_000 : leaseMs + 2_000;
}

function explain({ verdict, evidence }: RunResult): void {
  for (const fault of faults) for (const finding of verdict[fault]) say(`${fault}: ${finding}`);
  for (const [cause, resumes] of grouped(verdict.resumes, (resume) => resume.cause)) {
    const times = resumes.map(({ ms }) => ms);
    const [median, longest] = [rounded(quantile(times, 0.5)), rounded(quantile(times, 1))];
    say(`${times.length} entities resumed after ${cause}: median ${median} ms, longest ${longest} ms`);
  }
  const events = evidence.journal.flatMap((row) => row.events);
  const replaced = events.filter(({ type, why }) => type === 'amphoraLeaving' && why === 'lost').length;
  if (replaced > 0) say(`${replaced} amphorae were replaced as lost, though nothing had happened to them`);
}

function keep(folder: string, { evidence }: RunResult): void {
  const { answers, ...rest } = evidence;
  const text = JSON.stringify({ ...rest, answers: Object.fromEntries(answers) });
  writeFileSync(join(folder, 'evidence.json'), text, { mode: 0o600 });
  say(`logs of nodes and world, and evidence.json, are in ${folder}`);
}

function rounded(value: number | null): number | null {
  return value === null ? null : Math.round(value);
}

function wholeNumber(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError('expected a whole number from 1.');
  return Number(text);
}

await new Command('chaos')
  .description('Disturbs a cluster of real nodes under load, and judges whether it kept its promises')
  .option('--nodes <n>', 'node processes', wholeNumber, 3)
  .option(
    '--load-balancers <n>',
    'that clients create, change and delete; 200 unless given, 20 with real haproxy',
    wholeNumber,
  )
  .addOption(new Option('--driver <name>', '`local`: real haproxy').choices(['noop', 'local']).default('noop'))
  .option(
    '--kills <n>',
    'disturbances: SIGKILL, SIGSTOP, cut and silent connections, restarts of PostgreSQL',
    wholeNumber,
    20,
  )
  .option('--seed <n>', 'of the schedule', wholeNumber, 1)
  .option('--clients <n>', 'clients that share the load balancers', wholeNumber, 8)
  .option('--lease <seconds>', 'lease.duration of the nodes', wholeNumber, 10)
  .option(
    '--upgrade [revision]',
    'nodes of that revision too, of the previous commit unless given; two runs where both read the same data',
  )
  .option('--strict', 'fail also when work was resumed too late', false)
  .option('--verbose', 'say what happens, as it happens', false)
  .option('--keep', 'keep logs and evidence also of a run without findings', false)
  .action(run)
  .parseAsync()
  .catch((error: unknown) => {
    say(error instanceof Error ? error.message : String(error));
    process.exit(1);
  });
