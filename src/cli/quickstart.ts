// `amphi quickstart`: the whole service on this machine, shown to a newcomer. bin/quickstart installs what it needs.
import { spawn } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { CommandClient } from '../channels/command/client.ts';
import { isRunning, readRunFile } from '../config/data-folder.ts';
import type { Act } from './act.ts';
import { treeLines } from './actors.ts';
import type { Context } from './context.ts';
import { stopEverything } from './down.ts';
import { CliFailure } from './failure.ts';
import { examples } from './help.ts';
import { untilGone } from './waiting.ts';

export function quickstartCommand(program: Command, act: Act): void {
  const command = program
    .command('quickstart')
    .description('Start everything, balance traffic over two demo backends, and show it.')
    .option('--once', 'end after the requests', false)
    .action(act((context, _, { once }) => quickstart(context, once === true)));
  examples(command, 'amphi quickstart', 'amphi quickstart --once');
}

const name = 'quickstart';
const listenerPort = 8080;
const startSeconds = 120;
const onlineSeconds = 120;
const requests = 10;

async function quickstart(context: Context, once: boolean): Promise<void> {
  const { dataDir } = context.settings().config;
  refuseSecond(dataDir);
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupted.abort());
  const backends: Server[] = [];
  let controller: Controller | undefined;
  try {
    controller = await startController(context, dataDir, interrupted.signal);
    backends.push(await startBackend('blue'), await startBackend('green'));
    await context.withCommand((client) => demonstrate(context, client, backends, interrupted.signal));
    await showTree(context);
    if (once) return;
    showNext(context);
    await Promise.race([aborted(interrupted.signal), controller.ended]);
    if (!interrupted.signal.aborted) throw new CliFailure(`the controller ended:\n${controller.lastWords()}`);
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
  } finally {
    context.output.say('\nStopping');
    for (const backend of backends) backend.closeAllConnections();
    for (const backend of backends) backend.close();
    if (controller !== undefined) await tidyUp(context);
    await stopEverything(dataDir);
    await controller?.ended;
    context.output.say('Everything that was started has ended. The data stays in ' + dataDir);
  }
}

function refuseSecond(dataDir: string): void {
  const run = readRunFile(dataDir);
  if (run === undefined || !isRunning(run)) return;
  throw new CliFailure(`a controller runs in ${dataDir} already (process ${run.pid}): stop it with \`amphi down\``);
}

interface Controller {
  readonly ended: Promise<void>;
  /** The end of what it printed. */
  lastWords(): string;
}

/** In a session of its own: Ctrl-C reaches this program, which then stops everything in order. */
async function startController({ output }: Context, dataDir: string, signal: AbortSignal): Promise<Controller> {
  output.say('Starting the controller and its PostgreSQL');
  const program = process.argv[1] ?? '';
  const child = spawn(process.execPath, [program, ...controllerArguments(), 'up'], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (printed = (printed + text).slice(-8_000)));
  }
  let hasEnded = false;
  const ended = new Promise<void>((resolve) => {
    child.once('error', () => resolve());
    child.once('exit', () => resolve());
  }).then(() => void (hasEnded = true));
  // What it says of its own end is what people need; lines of its log are the next best.
  const lastWords = () => {
    const lines = printed.trim().split('\n');
    const reason = lines.findLastIndex((line) => line.startsWith('amphi: '));
    return lines
      .slice(reason === -1 ? -6 : reason)
      .join('\n')
      .replace(/^amphi: /, '');
  };
  for (const deadline = Date.now() + startSeconds * 1000; ; await sleep(100)) {
    signal.throwIfAborted();
    if (hasEnded) throw new CliFailure(`the controller does not start:\n${lastWords()}`);
    if (readRunFile(dataDir)?.pid === child.pid) break;
    if (Date.now() > deadline) {
      process.kill(child.pid ?? 0, 'SIGTERM');
      throw new CliFailure(`the controller did not serve within ${startSeconds} s:\n${lastWords()}`);
    }
  }
  output.say(`  process ${child.pid}, command channel on port ${readRunFile(dataDir)?.controlPort}`);
  return { ended, lastWords };
}

/** The options before the command are the controller's as well. */
function controllerArguments(): readonly string[] {
  const given = process.argv.slice(2);
  return given.slice(0, given.indexOf('quickstart'));
}

/** Answers with its colour. */
async function startBackend(colour: string): Promise<Server> {
  const server = createServer((_, response) => {
    response.end(`${colour}\n`);
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  return server;
}

async function demonstrate(
  { output }: Context,
  client: CommandClient,
  backends: readonly Server[],
  signal: AbortSignal,
): Promise<void> {
  await removeLeftOver(client);
  const subnet = (await client.call('subnet.list')).items[0];
  if (subnet === undefined) throw new CliFailure('there is no subnet for a VIP');
  output.say('Creating a load balancer: an HTTP listener, a pool, two members, an HTTP health monitor');
  const members = backends.map((backend, index) => ({
    name: index === 0 ? 'blue' : 'green',
    address: '127.0.0.1',
    protocolPort: (backend.address() as AddressInfo).port,
  }));
  const healthMonitor = { type: 'HTTP', delay: 1, timeout: 1, maxRetries: 1, urlPath: '/' };
  const pool = { name: 'colours', protocol: 'HTTP', lbAlgorithm: 'ROUND_ROBIN', members, healthMonitor };
  const { loadBalancer } = await client.call('loadBalancer.create', {
    name,
    projectId: 'quickstart',
    vipSubnetId: subnet.id,
    listeners: [{ name: 'http', protocol: 'HTTP', protocolPort: listenerPort, defaultPool: pool }],
  });
  const id = loadBalancer?.id ?? '';
  const url = await untilOnline(output, client, id, signal);
  output.say(`Sending ${requests} requests to ${url}`);
  for (let count = 1; count <= requests; count++) {
    const response = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(10_000)]) });
    const member = (await response.text()).trim();
    if (response.status !== 200) throw new CliFailure(`request ${count} was answered with status ${response.status}`);
    output.say(`  request ${String(count).padStart(2)}: member ${member}`);
  }
}

/** Of a run that was cut off. */
async function removeLeftOver(client: CommandClient): Promise<void> {
  const { items } = await client.call('loadBalancer.list', { projectId: 'quickstart' });
  for (const { id } of items) {
    await client.call('loadBalancer.delete', { id, cascade: true });
    await untilGone(client, id, onlineSeconds);
  }
}

/** Until it is ACTIVE and ONLINE; says each new status. Gives the URL of its listener. */
async function untilOnline(
  output: Context['output'],
  client: CommandClient,
  id: string,
  signal: AbortSignal,
): Promise<string> {
  const began = Date.now();
  for (let shown = ''; ; await sleep(100)) {
    signal.throwIfAborted();
    const view = await client.call('loadBalancer.show', { id });
    const { provisioningStatus, operatingStatus, vipAddress } = view;
    const seconds = (Date.now() - began) / 1000;
    const status = `${provisioningStatus}, ${operatingStatus}${vipAddress === null ? '' : `, VIP ${vipAddress}`}`;
    if (status !== shown) output.say(`  ${seconds.toFixed(1).padStart(5)} s  ${status}`);
    shown = status;
    if (provisioningStatus === 'ACTIVE' && operatingStatus === 'ONLINE') return `http://${vipAddress}:${listenerPort}/`;
    if (provisioningStatus === 'ERROR' || seconds > onlineSeconds) {
      const { why } = await client.call('loadBalancer.explain', { id });
      throw new CliFailure([`the load balancer is ${status} after ${seconds.toFixed(0)} s:`, ...why].join('\n  '));
    }
  }
}

async function showTree({ output, withInspect }: Context): Promise<void> {
  const { actors } = await withInspect((client) => client.call('actors.tree'));
  output.say('\nThe actors at work');
  for (const line of treeLines(actors)) output.say(`  ${line}`);
}

function showNext({ output, settings }: Context): void {
  const { dataDir } = settings().config;
  const run = `${process.argv[1]} --data-dir ${dataDir}`;
  output.say(`
Try in another terminal
  ${run} lb show ${name}
  ${run} lb explain ${name}
  ${run} amphora ls          then kill -9 the amphora that serves, and watch the VIP answer again
  ${run} actors tree
  ${run} lb create --help

Ctrl-C stops everything.`);
}

/** Deletes what was made, so that nothing waits for amphorae that are gone when it is started again. */
async function tidyUp({ withCommand }: Context): Promise<void> {
  await withCommand(removeLeftOver).catch(() => undefined);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
