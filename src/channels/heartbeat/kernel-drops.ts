// What the kernel dropped because the receive buffer was full.
import { readFileSync } from 'node:fs';

/** Datagrams for that UDP port that were dropped since the socket was opened; undefined where the kernel does not tell. */
export function kernelDrops(port: number): number | undefined {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  let drops: number | undefined;
  for (const file of ['/proc/net/udp', '/proc/net/udp6']) {
    let text: string;
    try {
      text = readFileSync(file, 'latin1');
    } catch {
      continue;
    }
    for (const line of text.split('\n')) {
      const fields = line.trim().split(/\s+/);
      if (fields[1]?.endsWith(suffix) === true) drops = (drops ?? 0) + Number(fields.at(-1));
    }
  }
  return drops;
}
