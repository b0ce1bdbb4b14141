// `npm run simulate -- --seed N` repeats a schedule; `--seeds N` tries so many; `--bugs` plants each bug in turn and says
// which seed finds it first.
import { Command, InvalidArgumentError } from 'commander';
import { type Bug, bugs } from './bugs.ts';
import type { NewEntry } from './journal.ts';
import { simulate } from './simulation.ts';

interface Options {
  readonly seed?: number;
  readonly seeds: number;
  readonly plant?: Bug;
  readonly bugs: boolean;
  readonly trace: boolean;
}

const say = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);

function firstFailure(seeds: number, planted: ReadonlySet<Bug>) {
  for (let seed = 1; seed <= seeds; seed++) {
    const verdict = simulate(seed, planted);
    if (verdict.broken.length > 0) return verdict;
  }
  return undefined;
}

function traced({ key, epoch, seq, commandId, events }: NewEntry): void {
  say({ key, epoch, seq, commandId, events });
}

function run({ seed, seeds, plant, bugs: plantAll, trace }: Options): void {
  const planted = new Set(plant === undefined ? [] : [plant]);
  if (plantAll) {
    for (const bug of Object.keys(bugs) as Bug[]) {
      const found = firstFailure(seeds, new Set([bug]));
      say({ bug, means: bugs[bug], seed: found?.seed ?? null, broken: found?.broken.slice(0, 2) ?? [] });
      if (found === undefined) process.exitCode = 1;
    }
    return;
  }
  const startedAt = performance.now();
  const verdict =
    seed === undefined ? firstFailure(seeds, planted) : simulate(seed, planted, trace ? traced : undefined);
  const perSecond = Math.round(seeds / ((performance.now() - startedAt) / 1000));
  say(verdict ?? { seeds, broken: [], schedules_per_s: perSecond });
  if (verdict !== undefined && verdict.broken.length > 0) process.exitCode = 1;
}

function wholeNumber(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError('expected a whole number from 1.');
  return Number(text);
}

new Command('simulate')
  .description('Runs controllers that crash under a fake clock, journal and world, and says which promise was broken')
  .option('--seed <n>', 'the one schedule to repeat', wholeNumber)
  .option('--seeds <n>', 'how many schedules to try', wholeNumber, 10_000)
  .option('--plant <bug>', `a bug to plant: ${Object.keys(bugs).join(', ')}`)
  .option('--bugs', 'plant each in turn', false)
  .option('--trace', 'with --seed: print every journal entry', false)
  .action(run)
  .parse();
