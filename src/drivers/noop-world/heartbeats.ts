// Heartbeats of the noop world's amphorae: real signed datagrams to the controllers that their configuration names.
import { createSocket, type Socket } from 'node:dgram';
import { deflateSync } from 'node:zlib';
import { encodeMessage, messageVersion } from '../../domain/health/message.ts';
import { sealPacket } from '../../domain/health/packet.ts';
import { drawLatency, randomFrom } from './behaviour.ts';
import type { WorldControls } from './protocol.ts';
import { type Report, reportOf } from './reports.ts';
import type { WorldInstance } from './world.ts';

interface Sender {
  readonly timer: NodeJS.Timeout;
  report: Report;
}

interface HeartbeatSettings {
  readonly controllers: readonly { readonly host: string; readonly port: number }[];
  readonly key: string;
  readonly intervalMs: number;
}

export class Heartbeats {
  readonly #socket: Socket = createSocket('udp4');
  readonly #senders = new Map<string, Sender>();
  readonly #random = randomFrom(1);
  readonly #underWay = new Set<NodeJS.Timeout>();
  #way: WorldControls['carryHeartbeats']['params'] = { delay: 0, loss: 0 };

  constructor() {
    // A controller that is away answers with ICMP; the next beat may find it.
    this.#socket.on('error', () => undefined);
    this.#socket.unref();
  }

  /** Begins to send, every interval from now on, when the instance's files say where to. */
  start(instance: WorldInstance): void {
    const settings = heartbeatSettings(instance.files['amphora-agent.conf'] ?? '');
    if (settings === undefined) return;
    let sequence = 0;
    const beat = (): void => {
      if (instance.silent || Date.now() < instance.bootedAt) return;
      const controller = settings.controllers[sequence % settings.controllers.length];
      if (controller !== undefined) this.#send(instance.amphoraId, sequence++, settings.key, controller);
    };
    const timer = setInterval(beat, settings.intervalMs);
    this.#senders.set(instance.amphoraId, { timer, report: reportOf([]) });
    setImmediate(beat);
  }

  /** Sends to where its files say now, and goes on with what it reports. */
  restart(instance: WorldInstance): void {
    this.stop(instance);
    this.start(instance);
    this.update(instance);
  }

  /** From now on those that are sent take so long, and are lost so often. */
  carry(way: WorldControls['carryHeartbeats']['params']): void {
    this.#way = way;
  }

  /** From now on reports what the instance serves. */
  update(instance: WorldInstance): void {
    const sender = this.#senders.get(instance.amphoraId);
    if (sender !== undefined)
      sender.report = reportOf(instance.configurations.values(), [...instance.lvs.values()].flat());
  }

  stop(instance: WorldInstance): void {
    clearInterval(this.#senders.get(instance.amphoraId)?.timer);
    this.#senders.delete(instance.amphoraId);
  }

  close(): void {
    for (const { timer } of this.#senders.values()) clearInterval(timer);
    for (const timer of this.#underWay) clearTimeout(timer);
    this.#senders.clear();
    this.#socket.close();
  }

  #send(id: string, seq: number, key: string, { host, port }: { readonly host: string; readonly port: number }): void {
    const report = this.#senders.get(id)?.report;
    if (report === undefined) return;
    const text = encodeMessage({ id, seq, ...report, ver: messageVersion });
    const { delay, loss } = this.#way;
    if (loss > 0 && this.#random() < loss) return;
    const packet = sealPacket(deflateSync(text, { level: 9 }), key);
    const send = () => this.#socket.send(packet, port, host, () => undefined);
    const delayMs = drawLatency(delay, this.#random);
    if (delayMs === 0) return send();
    const timer = setTimeout(() => {
      this.#underWay.delete(timer);
      send();
    }, delayMs);
    this.#underWay.add(timer);
  }
}

/** Section `health_manager` of amphora-agent.conf; undefined when it names no controller or no key. */
export function heartbeatSettings(conf: string): HeartbeatSettings | undefined {
  const section = /^\[health_manager\]$([^[]*)/m.exec(conf)?.[1] ?? '';
  const valueOf = (key: string): string => new RegExp(`^\\s*${key}\\s*=\\s*(.*?)\\s*$`, 'm').exec(section)?.[1] ?? '';
  const controllers = valueOf('controller_ip_port_list')
    .split(',')
    .map((item) => /^(.+):(\d+)$/.exec(item.trim()))
    .flatMap((match) => (match === null ? [] : [{ host: match[1] ?? '', port: Number(match[2]) }]));
  const key = valueOf('heartbeat_key');
  if (controllers.length === 0 || key === '') return undefined;
  return { controllers, key, intervalMs: Math.max(50, Number(valueOf('heartbeat_interval') || 10) * 1000) };
}
