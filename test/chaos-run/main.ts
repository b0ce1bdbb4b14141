// `npm run chaos -- --nodes 3 --load-balancers 200 --kills 20 --seed 1`: prints one line of JSON, and to stderr what is
// behind it. Exit 1 unless the five zeros hold.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { packageRoot } from '../support/built.ts';
import { grouped } from './grouped.ts';
import { faults, type Verdict } from './judge/judge.ts';
import { quantile, type Resume } from './judge/resume.ts';
import { type RunResult, runChaos } from './run.ts';

interface Options {
  readonly nodes: number;
  readonly loadBalancers: number;
  readonly kills: number;
  readonly seed: number;
  readonly clients: number;
  readonly lease: number;
  readonly strict: boolean;
  readonly verbose: boolean;
  readonly keep: boolean;
}

const say = (line: string) => void process.stderr.write(`${line}\n`);

async function run(options: Options): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'amphi-chaos-'));
  const startedAt = Date.now();
  const log = (line: string) => {
    if (options.verbose) say(`${((Date.now() - startedAt) / 1_000).toFixed(1)} ${line}`);
  };
  const leaseMs = options.lease * 1_000;
  const installations = Array.from({ length: options.nodes }, () => packageRoot);
  const result = await runChaos({ ...options, leaseMs, installations, folder, log });
  const { verdict } = result;
  explain(verdict);
  process.stdout.write(`${JSON.stringify(line(verdict))}\n`);
  const isBroken = faults.some((fault) => verdict[fault].length > 0);
  const isLate = options.strict && verdict.resumes.some((resume) => resume.ms > mostMs(resume, leaseMs));
  if (isBroken || isLate) process.exitCode = 1;
  if (isBroken || options.keep) keep(folder, result);
  else rmSync(folder, { recursive: true, force: true });
}

function line({ acknowledged, lost, duplicated, stuck, orphans, twoOwners, resumes }: Verdict) {
  const times = resumes.filter(({ cause }) => cause !== 'cut').map(({ ms }) => ms);
  return {
    acknowledged,
    lost: lost.length,
    duplicated: duplicated.length,
    stuck: stuck.length,
    orphans: orphans.length,
    two_owners: twoOwners.length,
    resume_ms: { p50: rounded(quantile(times, 0.5)), max: rounded(quantile(times, 1)) },
  };
}

/** A process that is gone is noticed at once, one that says nothing by its lease. */
function mostMs({ cause }: Resume, leaseMs: number): number {
  return cause === 'kill' || cause === 'cut' ? 2_000 : leaseMs + 2_000;
}

function explain(verdict: Verdict): void {
  for (const fault of faults) for (const finding of verdict[fault]) say(`${fault}: ${finding}`);
  for (const [cause, resumes] of grouped(verdict.resumes, (resume) => resume.cause)) {
    const times = resumes.map(({ ms }) => ms);
    const [median, longest] = [rounded(quantile(times, 0.5)), rounded(quantile(times, 1))];
    say(`${times.length} entities resumed after ${cause}: median ${median} ms, longest ${longest} ms`);
  }
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
  .option('--load-balancers <n>', 'load balancers that clients create, change and delete', wholeNumber, 200)
  .option(
    '--kills <n>',
    'disturbances: SIGKILL, SIGSTOP, cut and silent connections, restarts of PostgreSQL',
    wholeNumber,
    20,
  )
  .option('--seed <n>', 'of the schedule', wholeNumber, 1)
  .option('--clients <n>', 'clients that share the load balancers', wholeNumber, 8)
  .option('--lease <seconds>', 'lease.duration of the nodes', wholeNumber, 10)
  .option('--strict', 'fail also when work was resumed too late', false)
  .option('--verbose', 'say what happens, as it happens', false)
  .option('--keep', 'keep logs and evidence also of a run without findings', false)
  .action(run)
  .parseAsync();
