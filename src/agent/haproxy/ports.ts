// Asks the system whether the addresses that a configuration binds are free, before haproxy tries. A haproxy that
// finds a port taken makes its old worker stop listening and tries again for two seconds, in which every other
// listener of the load balancer refuses connections; so a reload that is bound to fail is better not begun.
import { createServer } from 'node:net';

/** The `address:port` pairs of a configuration's `bind` lines. */
export function bindsOf(configuration: string): ReadonlySet<string> {
  const matches = configuration.matchAll(/^\s+bind\s+(\S+:\d+)\b/gm);
  return new Set(Array.from(matches, (match) => match[1] ?? ''));
}

/** One line, worded as haproxy words it, for each address of `next` that is neither free nor already held by `current`. */
export async function portsInUse(next: string, current: string): Promise<string[]> {
  const held = bindsOf(current);
  const wanted = Array.from(bindsOf(next)).filter((address) => !held.has(address));
  const errors = await Promise.all(wanted.map(async (address) => ({ address, error: await bindError(address) })));
  return errors
    .filter(({ error }) => error !== undefined)
    .map(({ address, error }) => `[ALERT] cannot bind socket (${error}) for [${address}]`);
}

function bindError(address: string): Promise<string | undefined> {
  const end = address.lastIndexOf(':');
  const host = address.slice(0, end).replace(/^\[|\]$/g, '');
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      // Anything else is for haproxy to say.
      resolve(error.code === 'EADDRINUSE' ? 'Address already in use' : undefined);
    });
    server.listen({ host, port: Number(address.slice(end + 1)), exclusive: true }, () => {
      server.close(() => resolve(undefined));
    });
  });
}
