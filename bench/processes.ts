// CPU time of processes and everything they started, read from /proc.
import { readdirSync, readFileSync } from 'node:fs';

interface Stat {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  /** Own time and that of children that have ended, in clock ticks. */
  readonly ticks: number;
}

/** Linux counts in hundredths of a second for programs, whatever the kernel uses inside (USER_HZ). */
const ticksPerSecond = 100;

/** Milliseconds of CPU that the processes given and all their descendants have used so far. */
export function cpuMsOf(roots: readonly number[]): number {
  const all = stats();
  const wanted = new Set(roots);
  for (let size = 0; size !== wanted.size; ) {
    size = wanted.size;
    for (const { pid, parent } of all) if (wanted.has(parent)) wanted.add(pid);
  }
  const ticks = all.filter(({ pid }) => wanted.has(pid)).reduce((sum, stat) => sum + stat.ticks, 0);
  return (ticks * 1000) / ticksPerSecond;
}

function stats(): readonly Stat[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const text = readFileSync(`/proc/${name}/stat`, 'utf8');
        // The name of the program stands in brackets and may hold blanks.
        const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
        const [utime, stime, cutime, cstime] = fields.slice(11, 15).map(Number);
        const ticks = (utime ?? 0) + (stime ?? 0) + (cutime ?? 0) + (cstime ?? 0);
        return [{ pid: Number(name), parent: Number(fields[1]), group: Number(fields[2]), ticks }];
      } catch {
        return [];
      }
    });
}

/** The value below which that share of the values lies. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
