// One HTTPS exchange with an amphora's agent: mutual TLS, checked against the amphora's id rather than its address, with
// time-outs and a bound on what is read. Knows nothing of paths and codes.
import { type ClientRequest, type IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import { type PeerCertificate, type TLSSocket, checkServerIdentity, createSecureContext } from 'node:tls';
import { causesOf, requestIdIn } from '../../../domain/causes.ts';
import type { ControllerCredentials } from '../../certificate/driver.ts';
import type { AmphoraAddress } from '../driver.ts';

export interface TransportOptions {
  readonly credentials: ControllerCredentials;
  /** Until the TLS handshake is done. */
  readonly connectTimeoutMs: number;
  /** From then until the whole answer is there. */
  readonly readTimeoutMs: number;
}

export interface Exchange {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  readonly path: string;
  readonly body?: string | Buffer;
  readonly contentType?: string;
  /** A connection of its own, so that the certificate is the one the agent shows now. */
  readonly fresh?: boolean;
}

export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: Buffer;
  readonly certificate: Pick<PeerCertificate, 'fingerprint256' | 'valid_to'>;
}

const largestAnswer = 16 * 1024 * 1024;

export class Transport {
  readonly #options: TransportOptions;
  readonly #kept: Agent;
  readonly #single: Agent;

  constructor(options: TransportOptions) {
    const { certificatePem, privateKeyPem, serverCaPem } = options.credentials;
    this.#options = options;
    const secrets = { cert: certificatePem, key: privateKeyPem, ca: serverCaPem };
    // Made once: parsing keys and certificates costs more than the rest of a connection's set-up.
    const secureContext = createSecureContext({ ...secrets, minVersion: 'TLSv1.2' });
    // Sessions are not resumed: a handshake shall show the certificate that the agent has now.
    this.#kept = new Agent({ keepAlive: true, maxCachedSessions: 0, secureContext });
    this.#single = new Agent({ keepAlive: false, maxCachedSessions: 0, secureContext });
  }

  /** Rejects with what node:https reports, with a time-out in words, or with the reason of `signal`. */
  exchange({ amphoraId, endpoint }: AmphoraAddress, exchange: Exchange, signal: AbortSignal): Promise<Answer> {
    const { body, contentType, fresh = false } = exchange;
    const requestId = requestIdIn(causesOf(signal));
    return new Promise((resolve, reject) => {
      const request = httpsRequest({
        host: endpoint.host,
        port: endpoint.port,
        method: exchange.method,
        path: exchange.path,
        agent: fresh ? this.#single : this.#kept,
        servername: amphoraId,
        checkServerIdentity: (_host, certificate) => checkServerIdentity(amphoraId, certificate),
        headers: {
          ...(contentType === undefined ? {} : { 'Content-Type': contentType }),
          ...(requestId === undefined ? {} : { 'X-OpenStack-Request-ID': requestId }),
          ...(body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) }),
        },
        signal,
      });
      const stopTimers = this.#limitTime(request);
      request.on('response', (response) => void readAnswer(response).then(resolve, reject));
      // With an abort, node:https reports an error of its own; the reason tells more.
      request.on('error', (error) => reject(signal.aborted ? signal.reason : error));
      request.on('close', stopTimers);
      request.end(body);
    });
  }

  close(): void {
    this.#kept.destroy();
    this.#single.destroy();
  }

  #limitTime(request: ClientRequest): () => void {
    const { connectTimeoutMs, readTimeoutMs } = this.#options;
    const fail = (what: string, ms: number): void => void request.destroy(new Error(`${what} within ${ms} ms`));
    let timer = setTimeout(fail, connectTimeoutMs, 'no connection', connectTimeoutMs);
    const connected = (): void => {
      clearTimeout(timer);
      timer = setTimeout(fail, readTimeoutMs, 'no complete answer', readTimeoutMs);
    };
    request.on('socket', (socket) => {
      if (request.reusedSocket) connected();
      else socket.once('secureConnect', connected);
    });
    return () => clearTimeout(timer);
  }
}

async function readAnswer(response: IncomingMessage): Promise<Answer> {
  // Taken first: the socket lets go of its certificate when it is closed.
  const { fingerprint256, valid_to } = (response.socket as TLSSocket).getPeerCertificate();
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > largestAnswer) throw new Error(`an answer of more than ${largestAnswer} bytes`);
    parts.push(part);
  }
  return {
    status: response.statusCode ?? 0,
    contentType: response.headers['content-type'] ?? '',
    body: Buffer.concat(parts),
    certificate: { fingerprint256, valid_to },
  };
}
