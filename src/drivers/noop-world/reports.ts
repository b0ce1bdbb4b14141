// What an amphora of the noop world reports of a configuration it was given: everything in it is well. Reads the few
// lines that matter: frontends, backends and servers.
import type { ListenerReport, PoolReport } from '../../domain/health/message.ts';

export interface Report {
  readonly listeners: Readonly<Record<string, ListenerReport>>;
  readonly pools: Readonly<Record<string, PoolReport>>;
}

const idle = { tx: 0, rx: 0, conns: 0, totconns: 0, ereq: 0 };

/** Listeners OPEN, pools UP, members UP, `MAINT` when disabled, `DRAIN` when of weight 0, `no check` without a monitor. */
export function reportOf(configurations: Iterable<string>): Report {
  const listeners: Record<string, ListenerReport> = {};
  const pools: Record<string, PoolReport & { members: Record<string, string> }> = {};
  for (const configuration of configurations) {
    let members: Record<string, string> = {};
    for (const line of configuration.split('\n')) {
      const [keyword, name, ...rest] = line.trim().split(/\s+/);
      if (name === undefined) continue;
      if (keyword === 'frontend') listeners[name] = { status: 'OPEN', stats: idle };
      if (keyword === 'backend') {
        members = {};
        pools[name] = { status: 'UP', members };
      }
      if (keyword === 'server') members[name] = wordFor(rest);
    }
  }
  return { listeners, pools };
}

function wordFor(options: readonly string[]): string {
  if (options.includes('disabled')) return 'MAINT';
  if (options[options.indexOf('weight') + 1] === '0' && options.includes('weight')) return 'DRAIN';
  return options.includes('check') ? 'UP' : 'no check';
}
