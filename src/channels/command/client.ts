// A client of the command channel.
import type { AlertChange } from '../../domain/alert-views.ts';
import type { StatusChange } from '../../domain/views.ts';
import { type ConnectOptions, RpcClient } from '../rpc/client.ts';
import type { CommandMethods } from './methods.ts';

export type CommandClient = RpcClient<CommandMethods>;

/** @throws ConnectionError naming the address and the reason */
export function connectCommandChannel(options: ConnectOptions): Promise<CommandClient> {
  return RpcClient.connect<CommandMethods>(options);
}

/** Hears of alerts from now on, of one load balancer or of all. Returns how to stop listening. */
export async function subscribeAlerts(
  client: CommandClient,
  listener: (change: AlertChange) => void,
  loadBalancerId?: string,
): Promise<() => void> {
  const stop = client.onNotification((method, params) => {
    if (method === 'alerts.changed') listener(params as AlertChange);
  });
  await client.call('alerts.subscribe', loadBalancerId === undefined ? {} : { loadBalancerId });
  return stop;
}

/** Hears of changes of statuses from now on, of one load balancer or of all. Returns how to stop listening. */
export async function subscribeStatus(
  client: CommandClient,
  listener: (change: StatusChange) => void,
  loadBalancerId?: string,
): Promise<() => void> {
  const stop = client.onNotification((method, params) => {
    if (method === 'status.changed') listener(params as StatusChange);
  });
  await client.call('status.subscribe', loadBalancerId === undefined ? {} : { loadBalancerId });
  return stop;
}
