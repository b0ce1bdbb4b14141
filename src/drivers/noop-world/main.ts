// The process in which a noop world lives: `main.js [--port n] [--log file] [--detached] [--boundless]`. Prints its address as a JSON
// line. Ends when its standard input closes, so with the process that started it, unless it is detached.
import { parseArgs } from 'node:util';
import { serveWorld } from './server.ts';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    log: { type: 'string' },
    detached: { type: 'boolean', default: false },
    boundless: { type: 'boolean', default: false },
  },
});

const server = await serveWorld({ port: Number(values.port), logFile: values.log, isBoundless: values.boundless });
process.stdout.write(`${JSON.stringify({ address: server.address, pid: process.pid })}\n`);

if (!values.detached) {
  process.stdin.resume().on('end', end).on('error', end);
  // Ctrl-C reaches the whole group; the starter may still have something to say to the world.
  process.on('SIGINT', () => undefined);
}
process.on('SIGTERM', end);

function end(): void {
  process.exit(0);
}
