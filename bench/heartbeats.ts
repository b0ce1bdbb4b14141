// What heartbeats cost: a node that has taken a fleet over, PostgreSQL beside it, and a process that sends the heartbeats of all
// amphorae, packets built beforehand. The floor is what signature, inflating and parsing cost alone, in this process.
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import type pg from 'pg';
import { noReadings, readPacket } from '../src/channels/heartbeat/reading.ts';
import { migrate } from '../src/db/migrate.ts';
import { postmaster } from './create.ts';
import { seedFleet } from './heartbeats/fleet.ts';
import { heartbeatKey, messageOf, packetOf, shapes, type Shape } from './heartbeats/packets.ts';
import { type BenchNode, metricsText, startNode } from './node.ts';
import { cpuMsOf, quantile } from './processes.ts';
import { atWorkbench, say } from './workbench.ts';

interface Options {
  readonly amphorae: number;
  readonly rate: string;
  readonly seconds: number;
  readonly large: boolean;
  readonly workers: number;
}

export function heartbeatsCommand(): Command {
  return new Command('heartbeats')
    .description('CPU, losses, lag and memory of a node that hears a fleet')
    .option('--amphorae <n>', 'a load balancer each', Number, 100_000)
    .option('--rate <n>', 'heartbeats a second; max for as many as go', '10000')
    .option('--seconds <n>', 'how long; with max, how many packets there are at 10,000 a second', Number, 30)
    .option('--large', '10 listeners and 100 members each, instead of 1 and 3', false)
    .option('--workers <n>', 'heartbeat.workers', Number, 0)
    .action(async (options: Options) => {
      process.stdout.write(`${JSON.stringify(await measure(options))}\n`);
    });
}

function measure(options: Options): Promise<Record<string, unknown>> {
  return atWorkbench(async ({ url, database, folder, onEnd }) => {
    await migrate(url);
    const port = await freePort();
    const shape = options.large ? shapes.large : shapes.small;
    await seedFleet(database, options.amphorae, shape, `127.0.0.1:${port}`);
    say(`${options.amphorae} amphorae are in the database`);
    const node = await startNode(['run', '--roles', 'worker,health'], folder('node'), {
      AMPHI_DATABASE_URL: url,
      AMPHI_DRIVER: 'noop',
      AMPHI_HEARTBEAT_PORT: String(port),
      AMPHI_HEARTBEAT_KEY: heartbeatKey,
      AMPHI_HEARTBEAT_WORKERS: String(options.workers),
      // What is expected of a fleet whose packets are sent for half a minute: nobody is lost.
      AMPHI_HEARTBEAT_TIMEOUT: '600',
      AMPHI_SPARES_SIZE: '0',
    });
    onEnd(() => node.end('SIGTERM'));
    const sender = await startSender(port, options);
    onEnd(async () => sender.process.kill('SIGKILL'));
    return send(sender, node, database, port, shape, options);
  });
}

interface Sender {
  readonly process: ChildProcess;
  readonly next: () => Promise<string>;
}

async function startSender(port: number, { amphorae, rate, seconds, large }: Options): Promise<Sender> {
  const perSecond = rate === 'max' ? 10_000 : Number(rate);
  const main = fileURLToPath(new URL('heartbeats/sender.js', import.meta.url));
  const args = [
    port,
    amphorae,
    large ? 'large' : 'small',
    Math.round(perSecond * seconds),
    rate === 'max' ? 0 : perSecond,
  ];
  const child = spawn(process.execPath, ['--max-old-space-size=2048', main, ...args.map(String)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => String((await lines.next()).value);
  await next();
  say('all packets are built');
  return { process: child, next };
}

async function send(
  sender: Sender,
  node: BenchNode,
  database: pg.Client,
  port: number,
  shape: Shape,
  options: Options,
): Promise<Record<string, unknown>> {
  const roots = [node.run.pid, await postmaster(database)];
  const before = { cpuMs: cpuMsOf(roots), nodeMs: cpuMsOf(roots.slice(0, 1)), writes: await writes(node) };
  const lags: number[] = [];
  let isSending = true;
  const watch = (async () => {
    for (; isSending; await wait(500)) lags.push(await metric(node, 'amphi_heartbeat_lag_seconds'));
  })();
  sender.process.stdin?.write('go\n');
  const { sent, seconds, cpuS } = JSON.parse(await sender.next()) as { sent: number; seconds: number; cpuS: number };
  const received = await settled(node);
  isSending = false;
  await watch;
  // The last statistics.
  while ((await metric(node, 'amphi_statistics_waiting')) > 0) await wait(200);
  const cpuMs = cpuMsOf(roots) - before.cpuMs;
  const nodeMs = cpuMsOf(roots.slice(0, 1)) - before.nodeMs;
  const outcome = (name: string) => metric(node, `amphi_heartbeats_total{outcome="${name}"}`);
  const verified = await outcome('accepted');
  const status = readFileSync(`/proc/${node.run.pid}/status`, 'utf8');
  const mib = (field: string) => Math.round(Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1]) / 1024);
  const floor = floorUs(shape);
  const round = (value: number, digits = 3) => Number(value.toFixed(digits));
  return {
    amphorae: options.amphorae,
    size: options.large ? 'large' : 'small',
    packet_bytes: packetOf(messageOf(0, 7, shape)).length,
    workers: options.workers,
    rate: round(sent / seconds, 0),
    sent,
    received,
    verified,
    lost: sent - verified,
    kernel_drops: await metric(node, 'amphi_heartbeat_kernel_drops_total'),
    unknown: await outcome('unknown'),
    repeated: await outcome('repeated'),
    cpu_s_per_1000: round(cpuMs / verified),
    node_cpu_us: round((nodeMs * 1000) / verified, 1),
    postgres_cpu_us: round(((cpuMs - nodeMs) * 1000) / verified, 1),
    sender_cpu_us: round((cpuS * 1e6) / sent, 1),
    floor_cpu_us: round(floor, 1),
    floor_per_s_on_a_core: round(1e6 / floor, 0),
    db_writes_per_1000: round(((await writes(node)) - before.writes) / (verified / 1000), 1),
    lag_ms: { p50: round(quantile(lags, 0.5) * 1000, 1), max: round(Math.max(...lags) * 1000, 1) },
    rss_mib: mib('VmRSS'),
    rss_peak_mib: mib('VmHWM'),
    heap_used_mib: round((await metric(node, 'amphi_process_nodejs_heap_size_used_bytes')) / 2 ** 20, 0),
    heap_total_mib: round((await metric(node, 'amphi_process_nodejs_heap_size_total_bytes')) / 2 ** 20, 0),
    external_mib: round((await metric(node, 'amphi_process_nodejs_external_memory_bytes')) / 2 ** 20, 0),
    rcvbuf: await metric(node, 'amphi_heartbeat_buffer_bytes'),
    port,
  };
}

/** How many have come, once no more come. */
async function settled(node: BenchNode): Promise<number> {
  const outcomes = ['accepted', 'badSignature', 'badCompression', 'badMessage', 'overflowed'];
  const sum = async () => {
    const text = await metricsText(node);
    return outcomes.reduce((total, name) => total + valueIn(text, `amphi_heartbeats_total{outcome="${name}"}`), 0);
  };
  for (let last = -1; ; ) {
    const now = await sum();
    if (now === last) return now;
    last = now;
    await wait(500);
  }
}

/** Microseconds of CPU that signature, inflating and parsing take, of one packet. */
function floorUs(shape: Shape): number {
  const packets = Array.from({ length: 500 }, (_, index) => packetOf(messageOf(index, 7, shape)));
  const counters = noReadings();
  const read = () => {
    for (const packet of packets) readPacket(packet, [heartbeatKey], counters);
  };
  for (let round = 0; round < 20; round++) read();
  const before = process.cpuUsage();
  for (let round = 0; round < 20; round++) read();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / (20 * packets.length);
}

async function metric(node: BenchNode, name: string): Promise<number> {
  return valueIn(await metricsText(node), name);
}

function valueIn(text: string, name: string): number {
  const line = text.split('\n').find((one) => one.startsWith(`${name} `));
  return line === undefined ? 0 : Number(line.slice(name.length + 1));
}

/** Rows of statistics and entries of the journal that the node has written so far. */
async function writes(node: BenchNode): Promise<number> {
  const text = await metricsText(node);
  return valueIn(text, 'amphi_statistics_rows_total') + valueIn(text, 'amphi_journal_entries_total');
}

async function freePort(): Promise<number> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  await new Promise<void>((closed) => void socket.close(() => closed()));
  return port;
}
