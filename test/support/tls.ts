// Certificates for TLS that users terminate, and requests that look at it.
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import type { IncomingHttpHeaders } from 'node:http';
import { type ConnectionOptions, type PeerCertificate, type TLSSocket } from 'node:tls';
import type { PemFiles } from './certificates.ts';

/** Certificate and key in one text, as `file:` references have it. */
export function pemOf({ certificate, key }: PemFiles): string {
  return `${readFileSync(certificate, 'utf8')}${readFileSync(key, 'utf8')}`;
}

export interface TlsAsk extends ConnectionOptions {
  readonly host: string;
  readonly port: number;
  /** The name that the client asks for; none when empty. */
  readonly name?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface TlsAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** Common name of the certificate that was shown. */
  readonly shown: string;
  readonly protocol: string | null;
  readonly alpn: string | false | null;
}

/** One request on a connection of its own, whoever signed the certificate. @throws when the handshake fails */
export function askTls({ name = '', path = '/', headers = {}, ...options }: TlsAsk): Promise<TlsAnswer> {
  return new Promise((resolve, reject) => {
    const call = request(
      {
        agent: false,
        rejectUnauthorized: false,
        servername: name,
        path,
        headers: { host: name || 'none', ...headers },
        ...options,
      },
      (response) => {
        const socket = response.socket as TLSSocket;
        const { subject } = socket.getPeerCertificate() as Partial<PeerCertificate>;
        const [protocol, alpn] = [socket.getProtocol(), socket.alpnProtocol];
        let body = '';
        response.setEncoding('utf8').on('data', (part: string) => (body += part));
        response.on('error', reject);
        response.on('end', () => {
          const { statusCode: status = 0, headers } = response;
          const shown = String(subject?.CN ?? '');
          resolve({ status, headers, body, shown, protocol, alpn });
        });
      },
    );
    call.on('error', reject);
    call.end();
  });
}
