// What every command has at hand: the options that all take, settings, output, and the way to a running controller.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { type CommandClient, connectCommandChannel } from '../channels/command/client.ts';
import type { InspectMethods } from '../channels/inspect/methods.ts';
import { RpcClient } from '../channels/rpc/client.ts';
import { isRunning, readRunFile } from '../config/data-folder.ts';
import { loadConfig, type LoadedConfig } from '../config/load.ts';
import { CliFailure } from './failure.ts';
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
    connect: (options: { url: string; token: string | undefined }) => Promise<C>,
    path: string,
    use: (client: C) => Promise<T>,
  ): Promise<T> => {
    const { url, token } = controllerOf(settings);
    const client = await connect({ url: `${url}${path}`, token });
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
    withCommand: (use) => work(connectCommandChannel, '/command', use),
    withInspect: (use) => work((to) => RpcClient.connect<InspectMethods>(to), '/inspect', use),
  };
}

/** Of the running controller: AMPHI_URL and AMPHI_TOKEN, else what it wrote into its data folder. */
function controllerOf(settings: Context['settings']): { readonly url: string; readonly token: string | undefined } {
  const { AMPHI_URL: url, AMPHI_TOKEN: token } = process.env;
  if (url !== undefined && url !== '') return { url: webSocketUrl(url), token };
  const { dataDir } = settings().config;
  const run = readRunFile(dataDir);
  if (run === undefined || !isRunning(run)) {
    const sought = join(dataDir, 'run.json');
    const found = run === undefined ? `there is no ${sought}` : `${sought} names process ${run.pid}, which has ended`;
    throw new CliFailure(
      `no controller runs with this data folder: ${found}. Start one with \`amphi up\`, or name one with AMPHI_URL and AMPHI_TOKEN.`,
    );
  }
  return { url: `ws://${hostOf(settings)}:${run.controlPort}`, token: token ?? tokenIn(dataDir) };
}

/** A controller that listens everywhere listens on loopback too. */
function hostOf(settings: Context['settings']): string {
  const { host } = settings().config.control;
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}

function tokenIn(dataDir: string): string {
  const file = join(dataDir, 'control.token');
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new CliFailure(`the token of the controller cannot be read: ${(error as Error).message}`, error);
  }
}

function webSocketUrl(given: string): string {
  const url = given
    .replace(/^http/, 'ws')
    .replace(/\/+$/, '')
    .replace(/\/(command|inspect)$/, '');
  if (/^wss?:\/\/[^/]+$/.test(url)) return url;
  throw new CliFailure(`AMPHI_URL: expected something like ws://127.0.0.1:9877, got ${given}`);
}
