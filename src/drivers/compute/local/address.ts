// Management addresses of local amphorae: loopback addresses, all with the same port.
import { createHash } from 'node:crypto';
import { createServer } from 'node:net';
import { rangeOf, toAddress } from '../../network/subnet.ts';

export const agentPort = 9443;
const mostTries = 64;

/**
 * An address of the subnet on which nobody listens at the agent's port: the first free one of a sequence that follows
 * from the amphora's id. Undefined when the first 64 are all in use.
 */
export async function freeAddress(
  amphoraId: string,
  subnet: string,
  isReserved: (address: string) => boolean,
): Promise<string | undefined> {
  const { first, last } = rangeOf(subnet);
  for (let tried = 0; tried < mostTries; tried++) {
    const hash = createHash('sha1').update(`${amphoraId}/${tried}`).digest().readUInt32BE();
    const address = toAddress(first + 1 + (hash % (last - first - 1)));
    if (!isReserved(address) && (await isFree(address))) return address;
  }
  return undefined;
}

async function isFree(host: string): Promise<boolean> {
  const probe = createServer();
  try {
    await new Promise<void>((listening, failed) => probe.once('error', failed).listen(agentPort, host, listening));
    return true;
  } catch {
    return false;
  } finally {
    await new Promise((closed) => probe.close(closed));
  }
}
