// What an amphora of the noop world reports of the configurations it was given: everything in them is well. Reads the few
// lines that matter: of haproxy's frontends, backends and servers, of keepalived's comments and real servers.
import type { ListenerReport, PoolReport } from '../../domain/health/message.ts';

export interface Report {
  readonly listeners: Readonly<Record<string, ListenerReport>>;
  readonly pools: Readonly<Record<string, PoolReport>>;
}

const idle = { tx: 0, rx: 0, conns: 0, totconns: 0, ereq: 0 };

/** Listeners OPEN, pools UP, members UP, `MAINT` when disabled, `DRAIN` when of weight 0, `no check` without a monitor. */
export function reportOf(configurations: Iterable<string>, lvs: Iterable<string> = []): Report {
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
  for (const configuration of lvs) {
    const listenerId = /^# Configuration for Listener (\S+)$/m.exec(configuration)?.[1];
    if (listenerId !== undefined) listeners[listenerId] = { status: 'OPEN', stats: idle };
    const poolId = /^ *# Configuration for Pool (\S+)$/m.exec(configuration)?.[1];
    if (poolId !== undefined) pools[poolId] = { status: 'UP', members: lvsMembers(configuration) };
  }
  return { listeners, pools };
}

function lvsMembers(configuration: string): Record<string, string> {
  const members: Record<string, string> = {};
  for (const [, id = '', isDisabled] of configuration.matchAll(
    /# (?:Configuration for )?Member (\S+)( is disabled)?$/gm,
  )) {
    members[id] = isDisabled === undefined ? 'UP' : 'MAINT';
  }
  for (const [, id = '', body = ''] of configuration.matchAll(/# Configuration for Member (\S+)\n([^#]*)/g)) {
    if (/weight 0$/m.test(body)) members[id] = 'DRAIN';
    else if (!/_CHECK \{|HTTP_GET \{/.test(body)) members[id] = 'no check';
  }
  return members;
}

function wordFor(options: readonly string[]): string {
  if (options.includes('disabled')) return 'MAINT';
  if (options[options.indexOf('weight') + 1] === '0' && options.includes('weight')) return 'DRAIN';
  return options.includes('check') ? 'UP' : 'no check';
}
