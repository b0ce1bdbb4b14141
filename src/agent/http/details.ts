// What the agent tells about itself and its host. Types are mixed as in OpenStack's agent, whose readers expect them so.
import { cpus, freemem, hostname, loadavg, totalmem } from 'node:os';
import { statfs } from 'node:fs/promises';
import type { Amphora } from '../amphora.ts';

export interface Facts {
  readonly haproxyVersion: string;
}

/** GET /1.0/info */
export function info({ haproxyVersion }: Facts): object {
  return {
    hostname: hostname(),
    haproxy_version: haproxyVersion,
    api_version: '1.0',
    keepalived_version: 'not installed',
    ipvsadm_version: 'not installed',
  };
}

/** GET /1.0/details: memory in kB, disk in bytes. */
export async function details(facts: Facts, amphora: Amphora): Promise<object> {
  const disk = await statfs('.');
  const running = amphora.loadBalancers().filter((loadBalancer) => loadBalancer.isRunning());
  return {
    ...info(facts),
    networks: {},
    active: true,
    haproxy_count: running.length,
    cpu_count: cpus().length,
    cpu: cpu(),
    memory: { total: Math.round(totalmem() / 1024), free: Math.round(freemem() / 1024) },
    disk: { used: (disk.blocks - disk.bfree) * disk.bsize, available: disk.bavail * disk.bsize },
    load: loadavg().map((value) => value.toFixed(2)),
    topology: 'SINGLE',
    topology_status: 'OK',
    listeners: (await listeners(amphora)).map(({ uuid }) => uuid),
    packages: {},
    lvs_listener_process_count: amphora.lvsListeners().filter((listener) => listener.isRunning()).length,
    active_tuned_profiles: '',
  };
}

/** In hundredths of a second, as /proc/stat counts. */
function cpu(): object {
  const sum = (
    pick: (times: { user: number; sys: number; irq: number; idle: number; nice: number }) => number,
  ): number => Math.round(cpus().reduce((total, { times }) => total + pick(times), 0) / 10);
  return {
    total: sum(({ user, sys, irq, idle, nice }) => user + sys + irq + idle + nice),
    user: String(sum(({ user }) => user)),
    system: String(sum(({ sys }) => sys)),
    soft_irq: String(sum(({ irq }) => irq)),
  };
}

export interface ListenerEntry {
  readonly status: 'ACTIVE' | 'OFFLINE';
  readonly uuid: string;
  readonly type: string;
}

/**
 * GET /1.0/listeners: read from haproxy's configurations, as `frontend <id>`, its `bind` and the `mode` that follows; then
 * those of UDP.
 */
export async function listeners(amphora: Amphora): Promise<readonly ListenerEntry[]> {
  const lists = await Promise.all(
    amphora.loadBalancers().map(async (loadBalancer) => {
      const configuration = (await loadBalancer.configuration())?.toString('utf8') ?? '';
      const status = loadBalancer.isRunning() ? 'ACTIVE' : 'OFFLINE';
      const frontends = configuration.matchAll(/^frontend (\S+)$([^]*?)^\s+mode (\S+)/gm);
      return Array.from(frontends, ([, uuid = '', head = '', mode = '']) => {
        const isTls = /^\s+bind \S+ ssl crt-list /m.test(head);
        return { status, uuid, type: isTls ? 'TERMINATED_HTTPS' : mode.toUpperCase() } as const;
      });
    }),
  );
  const ofLvs = amphora
    .lvsListeners()
    .map((one) => ({ status: one.isRunning() ? 'ACTIVE' : 'OFFLINE', uuid: one.id, type: 'UDP' }) as const);
  return [...lists.flat(), ...ofLvs];
}
