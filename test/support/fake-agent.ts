// An HTTPS server in this process that plays an agent as badly as a test wants it to.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Server, createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { AmphoraId } from '../../src/domain/ids.ts';
import type { AmphoraAddress } from '../../src/drivers/amphora/driver.ts';
import type { CertificateDriver } from '../../src/drivers/certificate/driver.ts';

export interface FakeAnswer {
  readonly status?: number;
  readonly json?: unknown;
  readonly text?: string;
}

/** What to answer; `never` lets the caller wait, `drop` ends the connection, a function has the response to itself. */
export type Behaviour = FakeAnswer | 'never' | 'drop' | ((response: ServerResponse) => void);

export interface FakeAgent {
  readonly address: AmphoraAddress;
  /** `METHOD path` of every request, in order. */
  readonly calls: readonly string[];
  /** Ids of requests that the calls were said to be for. */
  readonly requestIds: ReadonlySet<unknown>;
  close(): Promise<void>;
}

export async function fakeAgent(
  certificates: CertificateDriver,
  amphoraId: AmphoraId,
  behave: (call: string, body: string, count: number) => Behaviour,
): Promise<FakeAgent> {
  const { certificatePem: cert, privateKeyPem: key } = await certificates.issue(amphoraId, AbortSignal.timeout(5000));
  const calls: string[] = [];
  const requestIds = new Set<unknown>();
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const call = `${request.method} ${request.url}`;
    const count = calls.push(call);
    requestIds.add(request.headers['x-openstack-request-id']);
    const behaviour = behave(call, await text(request), count);
    if (behaviour === 'drop') response.destroy();
    else if (typeof behaviour === 'function') behaviour(response);
    else if (behaviour !== 'never') reply(response, behaviour);
  };
  const options = { cert, key, ca: certificates.clientCaPem(), requestCert: true };
  const server: Server = createServer(options, (request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    address: { amphoraId, endpoint: { host: '127.0.0.1', port } },
    calls,
    requestIds,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => void server.close(() => resolve()));
    },
  };
}

function reply(response: ServerResponse, { status = 200, json, text: plain }: FakeAnswer): void {
  response.writeHead(status, { 'Content-Type': json === undefined ? 'text/plain; charset=utf-8' : 'application/json' });
  response.end(json === undefined ? plain : JSON.stringify(json));
}
