// What every command has at hand: the options that all take, settings, output, and the way to a running controller.
import type { Command } from 'commander';
import { type CommandClient, connectCommandChannel } from '../channels/command/client.ts';
import type { InspectMethods } from '../channels/inspect/methods.ts';
import { type ConnectOptions, RpcClient } from '../channels/rpc/client.ts';
import { loadConfig, type LoadedConfig } from '../config/load.ts';
import { controllerOf } from './controller.ts';
import { type Output, outputTo } from './output.ts';
import type { CliPorts } from './ports.ts';

export interface GlobalOptions {
  readonly config?: string;
  readonly dataDir?: string;
  readonly output: 'table' | 'json';
}

export interface Context {
  readonly options: GlobalOptions;
  readonly output: Output;
  readonly ports: CliPorts;
  /** @throws ConfigError */
  readonly settings: (overrides?: Readonly<Record<string, unknown>>) => LoadedConfig;
  /** The controller was named by its address: what is in folders here may be none of its. */
  readonly isElsewhere: boolean;
  /** Connects, works, and closes. @throws CliFailure when no controller is found */
  readonly withCommand: <T>(work: (client: CommandClient) => Promise<T>) => Promise<T>;
  readonly withInspect: <T>(work: (client: RpcClient<InspectMethods>) => Promise<T>) => Promise<T>;
}

/** The context of a command that was just called. */
export function contextOf(command: Command, ports: CliPorts): Context {
  const options = command.optsWithGlobals<GlobalOptions>();
  const settings: Context['settings'] = (overrides = {}) =>
    loadConfig({
      file: options.config ?? process.env['AMPHI_CONFIG'],
      env: process.env,
      overrides: { dataDir: options.dataDir, ...overrides },
    });
  const work = async <C extends { close(): Promise<void> }, T>(
    connect: (options: ConnectOptions) => Promise<C>,
    path: string,
    use: (client: C) => Promise<T>,
  ): Promise<T> => {
    const controller = controllerOf(process.env, () => settings().config);
    const client = await connect({ ...controller, url: `${controller.url}${path}` });
    try {
      return await use(client);
    } finally {
      await client.close();
    }
  };
  return {
    options,
    output: outputTo((text) => process.stdout.write(text), options.output === 'json'),
    ports,
    settings,
    isElsewhere: (process.env['AMPHI_URL'] ?? '') !== '',
    withCommand: (use) => work(connectCommandChannel, '/command', use),
    withInspect: (use) => work((to) => RpcClient.connect<InspectMethods>(to), '/inspect', use),
  };
}
