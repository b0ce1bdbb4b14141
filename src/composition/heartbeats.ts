// The heartbeat channel of a node.
import type { Heartbeats } from '../actors/health-watchdog/heartbeats.ts';
import { kernelDrops } from '../channels/heartbeat/kernel-drops.ts';
import { type HeartbeatReceiver, startHeartbeatReceiver } from '../channels/heartbeat/receiver.ts';
import { rememberedPort, rememberPort } from '../config/data-folder.ts';
import type { Config } from '../config/schema.ts';
import type { Listening } from '../domain/health/reporting.ts';
import type { ClusterView } from '../domain/ownership.ts';
import type { Logger } from 'pino';

/** What the channel says of itself; without the role `health` there is none. */
export function heartbeatFigures(receiver: HeartbeatReceiver | undefined) {
  return {
    outcomes: outcomesOf(receiver?.counters),
    lagMs: receiver?.lagMs() ?? 0,
    bufferBytes: receiver?.bufferBytes ?? 0,
    kernelDrops: receiver && kernelDrops(receiver.port),
  };
}

/** Heartbeats by what became of them. */
function outcomesOf(counters: HeartbeatReceiver['counters'] | undefined): Readonly<Record<string, number>> {
  if (counters === undefined) return {};
  const { received: _, ...outcomes } = counters;
  return outcomes;
}

const heartbeatPortFile = 'heartbeat.port';

/**
 * Amphorae know the port by their files: one that was free last time is taken again. What was seen of amphorae that other nodes
 * judge is told to them every `flushMs`.
 */
export async function startHeartbeats(
  config: Config,
  key: string,
  heartbeats: Heartbeats,
  flushMs: number,
  log: Logger,
): Promise<HeartbeatReceiver> {
  const { host, port, otherKey, workers } = config.heartbeat;
  const remembered = port === 0 ? rememberedPort(config.dataDir, heartbeatPortFile) : undefined;
  const listen = (chosen: number) =>
    startHeartbeatReceiver({
      host,
      port: chosen,
      keys: [key, ...(otherKey === undefined ? [] : [otherKey])],
      workers,
      onMessage: (message, print) => heartbeats.receive(message, print),
      onSmallBuffer: (got, asked) =>
        log.warn(
          `heartbeats: the kernel gives ${got} bytes of receive buffer, not ${asked}: sysctl -w net.core.rmem_max=${asked}`,
        ),
      onWorkerFailed: (error) => log.fatal({ err: error }, 'a thread that reads heartbeats has ended'),
    });
  const receiver = remembered === undefined ? await listen(port) : await listen(remembered).catch(() => listen(port));
  rememberPort(config.dataDir, heartbeatPortFile, receiver.port);
  const flush = setInterval(() => heartbeats.flush(), flushMs);
  return {
    ...receiver,
    close: () => {
      clearInterval(flush);
      return receiver.close();
    },
  };
}

/** A node that hangs, or is cut off from this one, keeps what it hears to itself. Behind fixed addresses somebody always listens. */
export function listeningAddresses(
  { heartbeat }: Config,
  { nodes }: ClusterView,
  heardSince: (node: string) => number | undefined,
): Listening {
  if (heartbeat.controllers !== undefined) return new Map(heartbeat.controllers.map((address) => [address, -Infinity]));
  const listening = new Map<string, number>();
  for (const { id, heartbeatAddress } of nodes) {
    const since = heardSince(id);
    if (heartbeatAddress !== null && since !== undefined) listening.set(heartbeatAddress, since);
  }
  return listening;
}
