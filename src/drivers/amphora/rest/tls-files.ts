// The certificates, keys and lists of a load balancer at its amphorae. They are called after their contents, so those that are
// there are right, and those that no configuration names are in nobody's way: removing them may fail.
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { TlsFile } from '../../../domain/haproxy/tls.ts';
import type { LoadBalancerId } from '../../../domain/ids.ts';
import type { AmphoraAddress } from '../driver.ts';
import type { Caller } from './caller.ts';
import { failureOf, jsonOf } from './failures.ts';
import type { Exchange } from './transport.ts';

const digestBody = z.object({ md5sum: z.string() });

/** Files that one push removes. What is left goes with the load balancer. */
const mostRemoved = 100;

export class TlsFiles {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /** Uploads the file unless it is there. */
  async put(amphora: AmphoraAddress, id: LoadBalancerId, file: TlsFile, signal: AbortSignal): Promise<void> {
    const path = pathOf(id, file.name);
    const look: Exchange = { method: 'GET', path };
    const found = await this.#caller.call(amphora, look, signal);
    if (found.status !== 200 && found.status !== 404) throw failureOf(found, look, amphora);
    const md5 = createHash('md5').update(file.content).digest('hex');
    if (found.status === 200 && digestBody.safeParse(jsonOf(found)).data?.md5sum === md5) return;
    const exchange: Exchange = { method: 'PUT', path, contentType: 'application/x-pem-file', body: file.content };
    const answer = await this.#caller.call(amphora, exchange, signal);
    if (answer.status !== 200) throw failureOf(answer, exchange, amphora);
  }

  /** Never fails: the push is over. */
  async remove(
    amphora: AmphoraAddress,
    id: LoadBalancerId,
    names: readonly string[],
    signal: AbortSignal,
  ): Promise<void> {
    for (const name of names.slice(0, mostRemoved)) {
      if (signal.aborted) return;
      await this.#caller.call(amphora, { method: 'DELETE', path: pathOf(id, name) }, signal).catch(() => undefined);
    }
  }
}

function pathOf(id: LoadBalancerId, name: string): string {
  return `/1.0/loadbalancer/${id}/certificates/${name}`;
}
