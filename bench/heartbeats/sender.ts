// The amphorae of the benchmark, in a process of their own: builds all packets, says so, waits for a line, and sends them at a
// steady rate. Arguments: port, amphorae, size (small, large), packets, packets per second (0: as fast as it goes).
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { messageOf, packetOf, shapes } from './packets.ts';

const [port = 0, amphorae = 0, , count = 0, rate = 0] = process.argv.slice(2).map(Number);
const shape = process.argv[4] === 'large' ? shapes.large : shapes.small;
/** An amphora sends from one of them, always the same. */
const sockets = Array.from({ length: 64 }, () => createSocket('udp4'));

const packets = Array.from({ length: count }, (_, index) =>
  packetOf(messageOf(index % amphorae, Math.floor(index / amphorae), shape)),
);
await Promise.all(sockets.map((socket) => new Promise<void>((bound) => socket.bind(0, '127.0.0.1', bound))));
// Connected sockets ask nobody for the address again.
await Promise.all(
  sockets.map((socket) => new Promise<void>((connected) => socket.connect(port, '127.0.0.1', connected))),
);
process.stdout.write('ready\n');
await once(process.stdin, 'data');

const startedAt = performance.now();
const before = process.cpuUsage();
let sent = 0;
let underWay = 0;
/** Packets given to the kernel in one go. */
const burst = 50;
/** Without a rate: packets whose sending is not confirmed yet. */
const mostUnderWay = 512;
const done = new Promise<void>((resolve) => {
  const send = (): void => {
    const due = rate === 0 ? count : Math.min(count, Math.floor(((performance.now() - startedAt) / 1000) * rate));
    for (let index = 0; index < burst && sent < due && underWay < mostUnderWay; index++) {
      const packet = packets[sent] ?? Buffer.alloc(0);
      const socket = sockets[(sent % amphorae) % sockets.length];
      sent++;
      underWay++;
      socket?.send(packet, () => underWay--);
    }
    if (sent >= count) resolve();
    else if (sent < due) setImmediate(send);
    else setTimeout(send, 1);
  };
  send();
});
await done;
const { user, system } = process.cpuUsage(before);
const seconds = (performance.now() - startedAt) / 1000;
process.stdout.write(`${JSON.stringify({ sent, seconds, cpuS: (user + system) / 1e6 })}\n`);
for (const socket of sockets) socket.close();
process.stdin.destroy();
