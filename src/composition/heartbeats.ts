// The heartbeat channel of a node.
import type { Heartbeats } from '../actors/health-watchdog/heartbeats.ts';
import { type HeartbeatReceiver, startHeartbeatReceiver } from '../channels/heartbeat/receiver.ts';
import { rememberedPort, rememberPort } from '../config/data-folder.ts';
import type { Config } from '../config/schema.ts';
import type { Logger } from 'pino';

/** Heartbeats by what became of them; none without the role `health`. */
export function outcomesOf(counters: HeartbeatReceiver['counters'] | undefined): Readonly<Record<string, number>> {
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
