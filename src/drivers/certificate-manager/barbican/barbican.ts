// Certificates in OpenStack's Barbican, as Octavia's users keep them: a secret with a PKCS12 bundle or with PEM, or a container of
// type `certificate` with a secret each for the certificate, its key, the chain (which may be a PKCS7 bundle) and the passphrase of
// the key.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { z } from 'zod';
import type { SecretKind } from '../../../domain/load-balancer/tls.ts';
import { PermanentFailure, TransientFailure } from '../../failure.ts';
import type { ServiceToken } from '../../keystone/service-token.ts';
import type { CertificateManager, SecretRequest } from '../driver.ts';
import { servable, UnfitSecretError } from '../pem.ts';
import { pkcs7ToPem } from '../pkcs7.ts';
import { type AskBarbican, type BarbicanAnswer, BarbicanClient } from './client.ts';
import { pkcs12ToPem } from './pkcs12.ts';

export interface BarbicanOptions {
  readonly url: string;
  readonly service: ServiceToken;
}

const json = 'application/json';
const secretBody = z.object({ status: z.string(), content_types: z.record(z.string(), z.string()).nullish() });
const containerBody = z.object({
  type: z.string(),
  secret_refs: z.array(z.object({ name: z.string().nullish(), secret_ref: z.string() })),
});

export function barbicanCertificateManager({ url, service }: BarbicanOptions): CertificateManager {
  const client = new BarbicanClient(url, service);
  return {
    name: 'barbican',
    async fetch(request, signal) {
      const { userToken } = request;
      // Who refers to something must be allowed to read it: this service may read what others have shared with it.
      if (userToken !== undefined) await new Reading(request, client.as(userToken), 'the user', signal).content();
      const ask = userToken === undefined ? client.asService : sharing(client, userToken);
      return new Reading(request, ask, 'this service', signal).content();
    },
    close: async () => undefined,
  };
}

/** As this service, to which the user gives leave where it is missing, as Octavia has its users do. */
function sharing(client: BarbicanClient, userToken: string): AskBarbican {
  return async (path, accept, signal) => {
    const answer = await client.asService(path, accept, signal);
    if (answer.status !== 403) return answer;
    const isShared = await client.grant(path.replace(/\/payload$/, ''), userToken, signal);
    return isShared ? client.asService(path, accept, signal) : answer;
  };
}

/** One reference read by one reader. */
class Reading {
  readonly #request: SecretRequest;
  readonly #ask: AskBarbican;
  readonly #reader: string;
  readonly #signal: AbortSignal;

  constructor(request: SecretRequest, ask: AskBarbican, reader: string, signal: AbortSignal) {
    this.#request = request;
    this.#ask = ask;
    this.#reader = reader;
    this.#signal = signal;
  }

  async content(): Promise<string> {
    const { ref, kind } = this.#request;
    try {
      const path = pathOf(ref);
      return servable(kind, path.startsWith('/secrets/') ? await this.#bundle(path) : await this.#container(path));
    } catch (error) {
      if (error instanceof UnfitSecretError) throw this.#permanent(error.message);
      throw error;
    }
  }

  async #bundle(path: string): Promise<string> {
    return asPem(this.#request.kind, await this.#payload(path));
  }

  async #container(path: string): Promise<string> {
    const answer = await this.#get(path, json);
    const { type, secret_refs: secrets } = this.#parsed(containerBody, answer);
    if (type !== 'certificate' || this.#request.kind !== 'certificate') {
      throw new UnfitSecretError(`is a container of type ${type}; expected a ${this.#request.kind}`);
    }
    const partOf = async (name: string) => {
      const secret = secrets.find((candidate) => candidate.name === name);
      return secret && (await this.#payload(pathOf(secret.secret_ref)));
    };
    const names = ['certificate', 'private_key', 'intermediates', 'private_key_passphrase'];
    const [certificate, key, intermediates, passphrase] = await Promise.all(names.map(partOf));
    if (certificate === undefined || key === undefined) {
      throw new UnfitSecretError('is a container without a certificate or a private_key');
    }
    const keyPem = passphrase === undefined ? key.toString('utf8') : opened(key, passphrase);
    const chain = intermediates === undefined ? '' : asPem('authority', intermediates);
    return [asPem('authority', certificate), keyPem, chain].join('\n');
  }

  async #payload(path: string): Promise<Buffer> {
    const { status, content_types: types } = this.#parsed(secretBody, await this.#get(path, json));
    const type = types?.['default'];
    if (status !== 'ACTIVE' || type === undefined) throw new UnfitSecretError('is a secret without a payload');
    return (await this.#get(`${path}/payload`, type)).body;
  }

  async #get(path: string, accept: string): Promise<BarbicanAnswer> {
    const answer = await this.#ask(path, accept, this.#signal);
    const { status } = answer;
    if (status === 200) return answer;
    const what = `Barbican answered ${status} to ${this.#reader}`;
    if (status >= 500 || status === 429) {
      throw new TransientFailure(`${this.#request.ref}: ${what}`, { call: `barbican GET ${path}` });
    }
    throw this.#permanent(`cannot be read: ${what}`);
  }

  #parsed<T>(schema: z.ZodType<T>, { body }: BarbicanAnswer): T {
    try {
      return schema.parse(JSON.parse(body.toString('utf8')));
    } catch {
      const message = `${this.#request.ref}: Barbican's answer is not understood`;
      throw new TransientFailure(message, { call: 'barbican' });
    }
  }

  #permanent(what: string): PermanentFailure {
    return new PermanentFailure(`${this.#request.ref} ${what}`, { call: 'certificate-manager barbican' });
  }
}

/** Only the id counts: the token of this service goes nowhere but to the Barbican of the settings. @throws UnfitSecretError */
function pathOf(ref: string): string {
  const match = /\/v1\/(secrets|containers)\/([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})\/?$/.exec(ref);
  if (match === null)
    throw new UnfitSecretError('is no URL of a secret or container, such as https://…/v1/secrets/<id>');
  return `/${match[1]}/${match[2]}`;
}

function asPem(kind: SecretKind, content: Buffer): string {
  const text = content.toString('utf8');
  if (text.includes('-----BEGIN ')) return text;
  switch (kind) {
    case 'certificate':
      return pkcs12ToPem(content);
    case 'authority':
      return certificatesPem(content);
    case 'revocations':
      throw new UnfitSecretError('is not PEM');
  }
}

/** One in DER, or a bundle. */
function certificatesPem(der: Buffer): string {
  try {
    return new X509Certificate(der).toString();
  } catch {
    return bundledPem(der);
  }
}

function bundledPem(der: Buffer): string {
  try {
    return pkcs7ToPem(der).join('\n');
  } catch {
    throw new UnfitSecretError('has a certificate that is neither PEM, DER nor PKCS7');
  }
}

function opened(key: Buffer, passphrase: Buffer): string {
  try {
    const text = passphrase.toString('utf8');
    return createPrivateKey({ key, passphrase: text }).export({ type: 'pkcs8', format: 'pem' }).toString();
  } catch {
    throw new UnfitSecretError('has a private key that its passphrase does not open');
  }
}
