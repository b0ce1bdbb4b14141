// `amphi up`: everything in one process. `amphi run`: a node with chosen roles.
import { type Command, Option } from 'commander';
import { drivers } from '../config/schema.ts';
import type { Act } from './act.ts';
import type { Context } from './context.ts';
import { CliFailure } from './failure.ts';
import { examples } from './help.ts';
import { openLog } from './log.ts';

const driverOption = () => new Option('--driver <name>', 'where amphorae run').choices(drivers);

export function upCommand(program: Command, act: Act): void {
  const command = program
    .command('up')
    .description(
      'Start everything in one process. Without database.url, a PostgreSQL is started in the data folder. The log goes to standard error: lines for people at a terminal, JSON else.',
    )
    .addOption(driverOption())
    .action(act((context, _, options) => serve(context, { driver: options['driver'] })));
  examples(command, 'amphi up', 'amphi up --driver noop', 'AMPHI_CONTROL_PORT=0 amphi --data-dir /tmp/trial up');
}

export function runCommand(program: Command, act: Act): void {
  const command = program
    .command('run')
    .description(
      'Start a node on a database that others use too. Nodes share the work, take each other’s commands, and take over what a ' +
        'dead one had. A node without roles of its own still takes commands.',
    )
    .option('--roles <roles>', 'worker, health, housekeeping, api; separated by commas; the setting `roles` without it')
    .addOption(driverOption())
    .action(
      act((context, _, options) => {
        if (context.settings().config.database.url === undefined) {
          throw new CliFailure('`amphi run` needs a database that nodes share: set database.url (AMPHI_DATABASE_URL)');
        }
        const { driver, roles } = options;
        const chosen = typeof roles === 'string' ? roles.split(',').map((role) => role.trim()) : undefined;
        return serve(context, { driver, ...(chosen === undefined ? {} : { roles: chosen }) });
      }),
    );
  examples(command, 'AMPHI_DATABASE_URL=postgresql://… amphi run --roles worker,health,housekeeping,api');
}

/** Until SIGINT or SIGTERM. A second one ends the process at once. */
async function serve(context: Context, overrides: Readonly<Record<string, unknown>>): Promise<void> {
  const { config } = context.settings(overrides);
  const log = openLog(config.log.level);
  const stopping = untilStopped();
  const node = await context.ports.startNode({ config, log });
  const { control, heartbeat, api } = node.ports;
  const apiScheme = config.api.tls.certificate === undefined ? 'http' : 'https';
  const isTls = config.control.tls.certificate !== undefined;
  const addresses = [
    `command channel  ${isTls ? 'wss' : 'ws'}://${config.control.host}:${control}/command`,
    `web, metrics     ${isTls ? 'https' : 'http'}://${config.control.host}:${control}/`,
    ...(heartbeat === null ? [] : [`heartbeats       udp ${config.heartbeat.host}:${heartbeat}`]),
    ...(api === null ? [] : [`REST API         ${apiScheme}://${config.api.host}:${api}/`]),
    `data folder      ${config.dataDir}`,
  ];
  if (context.output.isJson) context.output.show({ pid: process.pid, ...node.ports, dataDir: config.dataDir });
  else
    for (const line of ['Amphitheatre serves:', ...addresses.map((address) => `  ${address}`)])
      context.output.say(line);
  const signal = await stopping;
  context.output.say(`${signal}: stopping; amphorae go on serving (\`amphi down\` stops them too)`);
  await node.stop();
}

function untilStopped(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let count = 0;
    const onSignal = (signal: NodeJS.Signals) => {
      if (++count > 1) process.exit(1);
      resolve(signal);
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
  });
}
