// The command line as a whole: options that all commands take, the commands, and what the program's status means.
import { Command, CommanderError, Option } from 'commander';
import { ConnectionError } from '../channels/rpc/client.ts';
import { RpcError } from '../channels/rpc/errors.ts';
import { ConfigError } from '../config/load.ts';
import type { Act } from './act.ts';
import { actorsCommand } from './actors.ts';
import { alertsCommand } from './alerts.ts';
import { amphoraCommand } from './amphora.ts';
import { availabilityZoneCommand, flavorCommand } from './catalogue.ts';
import { certificateCommand } from './certificate.ts';
import { configCommand } from './config.ts';
import { contextOf } from './context.ts';
import { dbCommand } from './db.ts';
import { deadLettersCommand } from './dead-letters.ts';
import { downCommand } from './down.ts';
import { failoversCommand } from './failovers.ts';
import { examples } from './help.ts';
import { housekeepingCommand } from './housekeeping.ts';
import { lbCommand } from './lb.ts';
import { maintenanceCommand } from './maintenance.ts';
import { nodesCommand } from './nodes.ts';
import type { CliPorts } from './ports.ts';
import { quickstartCommand } from './quickstart.ts';
import { sparesCommand } from './spares.ts';
import { runCommand, upCommand } from './up.ts';

/** Status 0: done. 1: it failed. 2: the command line makes no sense. */
export async function runCli(args: readonly string[], ports: CliPorts): Promise<number> {
  const program = buildProgram(ports);
  try {
    await program.parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    process.stderr.write(`amphi: ${sentenceOf(error)}\n`);
    return 1;
  }
}

export function buildProgram(ports: CliPorts): Command {
  const program = new Command('amphi')
    .description('The controller of a load-balancing service, and the tool to work with it.')
    .version(ports.version)
    .option('--config <file>', 'YAML file with settings (AMPHI_CONFIG)')
    .option('--data-dir <folder>', 'data folder of the controller (AMPHI_DATA_DIR)')
    .addOption(new Option('-o, --output <format>', 'how answers look').choices(['table', 'json']).default('table'))
    .exitOverride()
    .showHelpAfterError('(add --help for usage and examples)');
  examples(program, 'amphi up --driver local', 'amphi lb ls', 'amphi lb explain <id or name>');
  // Commander hands over the arguments, then the options, then the command.
  const act: Act =
    (work) =>
    (...given) => {
      const command = given.at(-1) as Command;
      return work(contextOf(command, ports), given.slice(0, -2) as string[], command.opts());
    };
  for (const add of commands) add(program, act);
  return program;
}

const commands = [
  upCommand,
  downCommand,
  runCommand,
  lbCommand,
  amphoraCommand,
  flavorCommand,
  availabilityZoneCommand,
  alertsCommand,
  sparesCommand,
  housekeepingCommand,
  actorsCommand,
  nodesCommand,
  maintenanceCommand,
  failoversCommand,
  deadLettersCommand,
  certificateCommand,
  dbCommand,
  configCommand,
  quickstartCommand,
];

function sentenceOf(error: unknown): string {
  if (error instanceof RpcError) {
    const repeat = error.code === 'unavailable' && error.data.commandId !== undefined;
    return repeat ? `${error.message} (repeat with --command-id ${error.data.commandId})` : error.message;
  }
  if (error instanceof ConfigError) return `settings cannot be used:\n  ${error.problems.join('\n  ')}`;
  if (error instanceof ConnectionError) return error.message;
  return error instanceof Error ? error.message : String(error);
}
