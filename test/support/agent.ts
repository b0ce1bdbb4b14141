// A real amphora agent in a folder of its own, as the local compute driver starts it.
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { beforeAll, expect } from '@jest/globals';
import { type AmphoraId, deriveId } from '../../src/domain/ids.ts';
import type { AmphoraAddress } from '../../src/drivers/amphora/driver.ts';
import type { CertificateDriver } from '../../src/drivers/certificate/driver.ts';
import { createLocalCertificateDriver } from '../../src/drivers/certificate/local/local.ts';
import { built } from './built.ts';
import { type HeartbeatReceiver, heartbeatReceiver } from './heartbeats.ts';
import { type StartedProcess, isRunning, processes } from './processes.ts';
import { tempFolder } from './temp-folder.ts';
import type { Undo } from './undo.ts';
import { waitFor } from './wait-for.ts';

type Start = (command: string, args: readonly string[]) => StartedProcess;

export interface AgentOptions {
  readonly amphoraId: AmphoraId;
  readonly certificates: CertificateDriver;
  /** Of a heartbeat receiver; without one heartbeats go nowhere. */
  readonly controllerPort?: number;
  readonly heartbeatInterval?: number;
  readonly tlsProtocol?: 'TLSv1.2' | 'TLSv1.3';
}

export interface TestAgent {
  readonly root: string;
  readonly address: AmphoraAddress;
  /** Starts the agent, and waits until it listens. */
  start(): Promise<StartedProcess>;
  /** Ends the one that was started last, and waits for its end. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** One call of the API, without the driver. */
  call(method: string, path: string, body?: string): Promise<RawAnswer>;
  log(): string;
  /** Process ids of haproxy's masters and workers that run in this amphora. */
  haproxies(): readonly number[];
}

export interface RawAnswer {
  readonly status: number;
  readonly etag: string | undefined;
  readonly text: string;
  readonly fingerprint: string;
}

export const heartbeatKey = 'a key for tests';

export interface TestAgents {
  /** What signs for them; there in tests and hooks. */
  readonly certificates: CertificateDriver;
  /** An agent that runs and tells a heartbeat receiver of its own. Both end with the test, and leave no haproxy. */
  start(): Promise<{ readonly agent: TestAgent; readonly heartbeats: HeartbeatReceiver }>;
}

/** Agents for the tests of a file, in a folder of their own. Call it at the top level. */
export function useTestAgents(name: string, undo: Undo[]): TestAgents {
  const folder = tempFolder(name);
  const startProcess = processes();
  let certificates: CertificateDriver | undefined;
  const present = (): CertificateDriver => {
    if (certificates === undefined) throw new Error('the authorities of agents exist in tests and hooks only');
    return certificates;
  };
  beforeAll(async () => {
    const pki = join(folder, 'pki');
    certificates = await createLocalCertificateDriver({ folder: pki, keyType: 'p256', serverCertificateDays: 30 });
  });
  return {
    get certificates() {
      return present();
    },
    start: async () => {
      const heartbeats = await heartbeatReceiver(heartbeatKey);
      undo.push(() => heartbeats.close());
      const agent = await testAgent(folder, startProcess, {
        amphoraId: deriveId(name, Math.random()),
        certificates: present(),
        controllerPort: heartbeats.port,
        heartbeatInterval: 0.1,
      });
      undo.push(async () => {
        await agent.stop();
        expect(agent.haproxies()).toEqual([]);
      });
      await agent.start();
      return { agent, heartbeats };
    },
  };
}

/** Writes the files of the config drive below `folder`. */
export async function testAgent(folder: string, startProcess: Start, options: AgentOptions): Promise<TestAgent> {
  const root = mkdtempSync(join(folder, 'amphora-'));
  const etc = join(root, 'etc/octavia');
  const port = await freePort();
  const { certificatePem, privateKeyPem } = await options.certificates.issue(
    options.amphoraId,
    new AbortController().signal,
  );
  mkdirSync(join(etc, 'certs'), { recursive: true });
  writeFileSync(join(etc, 'certs/server.pem'), certificatePem + privateKeyPem, { mode: 0o600 });
  writeFileSync(join(etc, 'certs/client_ca.pem'), options.certificates.clientCaPem());
  writeFileSync(join(etc, 'amphora-agent.conf'), agentConf(port, options), { mode: 0o600 });
  let running: StartedProcess | undefined;
  return {
    root,
    address: { amphoraId: options.amphoraId, endpoint: { host: '127.0.0.1', port } },
    start: async () => {
      const before = log(root).length;
      const agent = startProcess(process.execPath, [built('agent/main.js'), '--root', root]);
      running = agent;
      await waitFor(() => log(root).slice(before).includes('the agent serves') || !isRunning(agent.pid), {
        describe: `the agent in ${root}, which printed ${agent.output()}`,
      });
      return agent;
    },
    stop: async (signal = 'SIGTERM') => {
      running?.kill(signal);
      await running?.ended;
    },
    call: (method, path, body) => rawCall(options, port, method, path, body),
    log: () => log(root),
    haproxies: () => haproxiesIn(join(root, 'lib/octavia')),
  };
}

function rawCall(
  { amphoraId, certificates }: AgentOptions,
  port: number,
  method: string,
  path: string,
  body: string | undefined,
): Promise<RawAnswer> {
  const { certificatePem: cert, privateKeyPem: key, serverCaPem: ca } = certificates.controllerCredentials();
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, servername: amphoraId, cert, key, ca, method, path, agent: false };
    const call = request(options, (response) => {
      const fingerprint = (response.socket as TLSSocket).getPeerCertificate().fingerprint256;
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, etag: response.headers.etag, text, fingerprint });
      });
    });
    call.on('error', reject);
    call.end(body);
  });
}

function agentConf(port: number, options: AgentOptions): string {
  return `[haproxy_amphora]
bind_host = 127.0.0.1
bind_port = ${port}
[health_manager]
controller_ip_port_list = ${options.controllerPort === undefined ? '' : `127.0.0.1:${options.controllerPort}`}
heartbeat_interval = ${options.heartbeatInterval ?? 10}
heartbeat_key = ${heartbeatKey}
[amphora_agent]
agent_server_ca = certs/client_ca.pem
agent_server_cert = certs/server.pem
amphora_id = ${options.amphoraId}
${options.tlsProtocol === undefined ? '' : `agent_tls_protocol = ${options.tlsProtocol}`}
`;
}

function log(root: string): string {
  try {
    return readFileSync(join(root, 'agent.log'), 'utf8');
  } catch {
    return '';
  }
}

function haproxiesIn(folder: string): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return words[0]?.endsWith('haproxy') === true && readlinkSync(`/proc/${pid}/cwd`) === folder && isRunning(pid);
    } catch {
      return false;
    }
  });
}

/** A port that was free a moment ago. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** An address for a VIP that no other test is likely to have. */
export function randomVip(): string {
  const byte = (): number => 1 + Math.floor(Math.random() * 250);
  return `127.90.${byte()}.${byte()}`;
}
