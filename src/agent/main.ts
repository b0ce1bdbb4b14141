// The amphora agent of the `local` compute driver: a small, real amphora as one process with haproxy as its child. It speaks
// what OpenStack's agent speaks, so controllers treat both alike. Run as `node main.js --root <dir>`; everything it knows
// stands in `<dir>/etc/octavia`, everything it has in `<dir>/lib/octavia`.
import { createSecureContext } from 'node:tls';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Amphora } from './amphora.ts';
import { HeartbeatSender } from './health/heartbeat-sender.ts';
import { haproxyVersion } from './haproxy/check.ts';
import { routesOf } from './http/routes.ts';
import { createAgentServer, secureOptions } from './http/server.ts';
import { openLog } from './log.ts';
import { type AgentSettings, keepPlace, readSettings, settingsFile } from './settings.ts';

/** What every haproxy here begins with. One thread moves more than a gigabit, and a host runs many amphorae. */
function commonConfiguration(): string {
  const group = process.getuid?.() === 0 ? ['    gid 65534'] : [];
  return ['global', '    nbthread 1', ...group, ''].join('\n');
}

/** The limit of open files that haproxy will inherit, and raise to the hard limit. */
function openFiles(): number {
  const limit = /^Max open files\s+\S+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
  return limit === undefined ? 1_000_000 : Number(limit);
}

async function replaceFile(path: string, content: string | Buffer): Promise<void> {
  await writeFile(`${path}.new`, content, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

async function run(root: string): Promise<void> {
  let settings: AgentSettings = readSettings(readFileSync(settingsFile(root), 'utf8'), root);
  mkdirSync(settings.basePath, { recursive: true, mode: 0o700 });
  // Unix socket paths must be shorter than 108 bytes wherever the root lies: all paths below are relative.
  process.chdir(settings.basePath);
  writeFileSync('haproxy-common.conf', commonConfiguration(), { mode: 0o600 });
  const log = openLog(join(root, 'agent.log'), settings.amphoraId);

  const amphora = new Amphora({
    amphoraId: settings.amphoraId,
    haproxyCommand: settings.haproxyCommand,
    openFiles: openFiles(),
    commonConfiguration: 'haproxy-common.conf',
    log,
  });
  const heartbeats = new HeartbeatSender(() => amphora.heartbeat(), settings, log);
  const facts = { haproxyVersion: await haproxyVersion(settings.haproxyCommand) };
  const routes = routesOf({
    amphora,
    facts,
    configure: async (text) => {
      const kept = keepPlace(text, settings);
      const next = readSettings(kept, root);
      await replaceFile(settingsFile(root), kept);
      settings = next;
      heartbeats.start(next);
    },
    certify: async (pem) => {
      createSecureContext({ key: pem, cert: pem });
      await replaceFile(settings.serverCertificate, pem);
      server.setSecureContext(secureOptions(settings));
    },
  });
  const server = createAgentServer(settings, routes, log);

  let stopping = false;
  const stop = async (signal: string): Promise<void> => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, 'the agent stops');
    heartbeats.stop();
    server.close();
    server.closeAllConnections();
    await amphora.stop();
    process.exit(0);
  };
  process.on('SIGTERM', (signal) => void stop(signal));
  process.on('SIGINT', (signal) => void stop(signal));

  await new Promise<void>((listening, failed) => {
    server.once('error', failed);
    server.listen(settings.bindPort, settings.bindHost, listening);
  });
  // Not before the port is ours: an agent that can't listen must not leave a haproxy behind.
  await amphora.resume();
  heartbeats.start();
  log.info({ host: settings.bindHost, address: server.address() }, 'the agent serves');
}

const { values } = parseArgs({ options: { root: { type: 'string' } } });
if (values.root === undefined) {
  process.stderr.write('usage: main.js --root <folder>\n');
  process.exit(2);
}
run(resolve(values.root)).catch((error: unknown) => {
  process.stderr.write(`the agent could not start: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
