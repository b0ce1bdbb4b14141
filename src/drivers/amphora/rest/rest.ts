// The amphora driver over the agent's REST API, version 1.0, as OpenStack's amphora agent and src/agent speak it.
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { tlsFileNames } from '../../../domain/haproxy/tls.ts';
import { servedDigest } from '../../../domain/load-balancer/digest.ts';
import type { LoadBalancerId } from '../../../domain/ids.ts';
import { renderKeepalived, type VrrpInstance } from '../../../domain/vrrp/keepalived.ts';
import type { ControllerCredentials } from '../../certificate/driver.ts';
import type { AmphoraAddress, AmphoraDriver, AmphoraInfo, HeldBy, ServeRequest, ServeResult } from '../driver.ts';
import { Caller, type RetryOptions } from './caller.ts';
import { agentError, failureOf, garbage, jsonOf } from './failures.ts';
import { heldLvs, serveLvs } from './lvs.ts';
import { TlsFiles } from './tls-files.ts';
import { type Answer, type Exchange, Transport } from './transport.ts';

export interface RestAmphoraOptions {
  readonly credentials: ControllerCredentials;
  readonly connectTimeoutMs: number;
  readonly readTimeoutMs: number;
  /** 12 retries from 100 ms up to 2 s unless given: some 20 s, in which an agent that boots comes up. */
  readonly retry?: RetryOptions;
}

const defaultRetry: RetryOptions = { retries: 12, firstDelayMs: 100, longestDelayMs: 2000 };
/** How many amphorae's loaded configurations are remembered. */
const mostRemembered = 10_000;

const rootBody = z.object({ api_version: z.string() });
const infoBody = z.object({ api_version: z.string(), hostname: z.string(), haproxy_version: z.string() });
const interfaceBody = z.object({ interface: z.string() });
const listenersBody = z.array(z.object({ uuid: z.string(), status: z.string() }));

export function createRestAmphoraDriver(options: RestAmphoraOptions): AmphoraDriver {
  return new RestAmphora(options);
}

class RestAmphora implements AmphoraDriver {
  readonly name = 'rest';
  readonly #transport: Transport;
  readonly #caller: Caller;
  readonly #tlsFiles: TlsFiles;
  /**
   * Amphora → digest of the configuration that haproxy was seen to load. An agent tells what it holds, not what was
   * loaded, and whoever uploaded it may have died before the reload.
   */
  readonly #loaded = new Map<string, string>();
  /** Amphora → digest of the keepalived configuration that it was started with. An agent does not tell. */
  readonly #paired = new Map<string, string>();

  constructor(options: RestAmphoraOptions) {
    this.#transport = new Transport(options);
    this.#caller = new Caller(this.#transport, options.retry ?? defaultRetry);
    this.#tlsFiles = new TlsFiles(this.#caller);
  }

  async info(amphora: AmphoraAddress, signal: AbortSignal): Promise<AmphoraInfo> {
    const root = await this.#expect(amphora, { method: 'GET', path: '/', fresh: true }, 200, signal);
    const exchange: Exchange = { method: 'GET', path: '/1.0/info' };
    const apiVersion = parsed(rootBody, root, { method: 'GET', path: '/' }, amphora).api_version;
    const info = parsed(infoBody, await this.#expect(amphora, exchange, 200, signal), exchange, amphora);
    return {
      apiVersion,
      hostname: info.hostname,
      haproxyVersion: info.haproxy_version,
      certificateFingerprint: root.certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
      certificateExpiresAt: new Date(root.certificate.valid_to),
    };
  }

  async serve(amphora: AmphoraAddress, request: ServeRequest, signal: AbortSignal): Promise<ServeResult> {
    const { configuration, lvs } = request;
    if (configuration !== null || (lvs ?? []).length > 0) await this.#plugVip(amphora, request, signal);
    // Before anything is started: whoever is one of a pair must not take the VIP by itself.
    const startVrrp = await this.#uploadVrrp(amphora, request, signal);
    const ofHaproxy = await this.#serveByHaproxy(amphora, request, signal);
    const isDone = !ofHaproxy.accepted || lvs === null;
    const { loadBalancerId } = request;
    const result = isDone ? ofHaproxy : await serveLvs(this.#caller, amphora, loadBalancerId, lvs, signal);
    // After a refusal too: between upload and start the amphora sends no heartbeats.
    await startVrrp();
    return result;
  }

  async #serveByHaproxy(
    amphora: AmphoraAddress,
    { loadBalancerId, configuration, files }: ServeRequest,
    signal: AbortSignal,
  ): Promise<ServeResult> {
    if (configuration === null) {
      await this.#endHaproxy(amphora, loadBalancerId, signal);
      return { accepted: true };
    }
    const held = await this.#configuration(amphora, loadBalancerId, signal);
    const same = held?.equals(Buffer.from(configuration, 'utf8')) === true;
    if (same && (await this.#isServing(amphora, loadBalancerId, configuration, signal))) return { accepted: true };
    for (const file of files) await this.#tlsFiles.put(amphora, loadBalancerId, file, signal);
    const result =
      (same ? undefined : await this.#upload(amphora, loadBalancerId, configuration, signal)) ??
      (await this.#reload(amphora, loadBalancerId, configuration, same ? undefined : held, signal));
    const before = tlsFileNames(held?.toString('utf8') ?? '');
    const after = files.map(({ name }) => name);
    const [kept, offered] = result.accepted ? [after, before] : [before, after];
    const unneeded = offered.filter((name) => !kept.includes(name));
    await this.#tlsFiles.remove(amphora, loadBalancerId, unneeded, signal);
    return result;
  }

  async withdraw(amphora: AmphoraAddress, { loadBalancerId, hasLvs }: HeldBy, signal: AbortSignal): Promise<void> {
    await this.#endHaproxy(amphora, loadBalancerId, signal);
    if (hasLvs) await serveLvs(this.#caller, amphora, loadBalancerId, [], signal);
  }

  async #endHaproxy(amphora: AmphoraAddress, id: LoadBalancerId, signal: AbortSignal): Promise<void> {
    this.#loaded.delete(loadedKey(amphora, id));
    await this.#expect(amphora, { method: 'DELETE', path: `/1.0/listeners/${id}` }, 200, signal);
  }

  async handOver(amphora: AmphoraAddress, signal: AbortSignal): Promise<void> {
    this.#paired.delete(amphora.amphoraId);
    await this.#expect(amphora, { method: 'PUT', path: '/1.0/vrrp/stop' }, 202, signal);
  }

  async configure(amphora: AmphoraAddress, agentConfiguration: string, signal: AbortSignal): Promise<void> {
    const exchange: Exchange = {
      method: 'PUT',
      path: '/1.0/config',
      contentType: 'text/plain',
      body: agentConfiguration,
    };
    await this.#expect(amphora, exchange, 202, signal);
  }

  async certify(amphora: AmphoraAddress, serverPem: string, signal: AbortSignal): Promise<void> {
    const path = '/1.0/certificate';
    await this.#expect(amphora, { method: 'PUT', path, contentType: 'text/plain', body: serverPem }, 202, signal);
  }

  async configurationDigest(
    amphora: AmphoraAddress,
    { loadBalancerId, hasLvs }: HeldBy,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const held = await this.#configuration(amphora, loadBalancerId, signal);
    const ofLvs = hasLvs ? [...(await heldLvs(this.#caller, amphora, loadBalancerId, signal)).values()] : [];
    return servedDigest(held ?? null, ofLvs);
  }

  close(): Promise<void> {
    this.#transport.close();
    return Promise.resolve();
  }

  async #plugVip(
    amphora: AmphoraAddress,
    { vipAddress, port, rules }: ServeRequest,
    signal: AbortSignal,
  ): Promise<void> {
    const exchange: Exchange = {
      method: 'POST',
      path: `/1.0/plug/vip/${encodeURIComponent(vipAddress)}`,
      contentType: 'application/json',
      body: JSON.stringify({
        subnet_cidr: port.subnetCidr,
        gateway: port.gateway,
        mac_address: port.macAddress,
        vrrp_ip: port.vrrpAddress,
        ...(port.mtu === null ? {} : { mtu: port.mtu }),
        host_routes: [],
        ...(port.isSriov === true && { is_sriov: true }),
        ...(port.additional !== undefined && { additional_vips: port.additional.map(additionalVip) }),
      }),
    };
    const answer = await this.#caller.call(amphora, exchange, signal);
    // 409: an earlier call has done it.
    if (answer.status !== 202 && answer.status !== 409) throw failureOf(answer, exchange, amphora);
    if (rules === undefined) return;
    const path = `/1.0/interface/${encodeURIComponent(port.vrrpAddress)}/rules`;
    const body = JSON.stringify(rules);
    await this.#expect(amphora, { method: 'PUT', path, contentType: 'application/json', body }, 200, signal);
  }

  /** Gives how to start it, which for one that runs means to read the configuration again. */
  async #uploadVrrp(
    amphora: AmphoraAddress,
    { vrrp }: ServeRequest,
    signal: AbortSignal,
  ): Promise<() => Promise<void>> {
    if (vrrp === undefined) return () => Promise.resolve();
    const text = renderKeepalived(vrrp, await this.#deviceOf(amphora, vrrp, signal));
    if (this.#paired.get(amphora.amphoraId) === md5(text)) return () => Promise.resolve();
    this.#paired.delete(amphora.amphoraId);
    const exchange: Exchange = { method: 'PUT', path: '/1.0/vrrp/upload', contentType: 'text/plain', body: text };
    await this.#expect(amphora, exchange, 200, signal);
    return async () => {
      await this.#expect(amphora, { method: 'PUT', path: '/1.0/vrrp/start' }, 202, signal);
      remember(this.#paired, amphora.amphoraId, text);
    };
  }

  async #deviceOf(amphora: AmphoraAddress, { address }: VrrpInstance, signal: AbortSignal): Promise<string> {
    const exchange: Exchange = { method: 'GET', path: `/1.0/interface/${encodeURIComponent(address)}` };
    return parsed(interfaceBody, await this.#expect(amphora, exchange, 200, signal), exchange, amphora).interface;
  }

  async #configuration(amphora: AmphoraAddress, id: LoadBalancerId, signal: AbortSignal): Promise<Buffer | undefined> {
    const exchange: Exchange = { method: 'GET', path: `/1.0/loadbalancer/${id}/haproxy` };
    const answer = await this.#caller.call(amphora, exchange, signal);
    if (answer.status === 404) return undefined;
    if (answer.status !== 200) throw failureOf(answer, exchange, amphora);
    if (!answer.contentType.startsWith('text/plain')) throw garbage(exchange, amphora, 'a configuration as text/plain');
    return answer.body;
  }

  /** Whether haproxy is known to have loaded this configuration and to be running. */
  async #isServing(
    amphora: AmphoraAddress,
    id: LoadBalancerId,
    configuration: string,
    signal: AbortSignal,
  ): Promise<boolean> {
    if (this.#loaded.get(loadedKey(amphora, id)) !== md5(configuration)) return false;
    const exchange: Exchange = { method: 'GET', path: '/1.0/listeners' };
    const listeners = parsed(listenersBody, await this.#expect(amphora, exchange, 200, signal), exchange, amphora);
    const active = new Set(listeners.filter(({ status }) => status === 'ACTIVE').map(({ uuid }) => uuid));
    return Array.from(configuration.matchAll(/^frontend (\S+)$/gm)).every(([, id = '']) => active.has(id));
  }

  async #upload(
    amphora: AmphoraAddress,
    id: LoadBalancerId,
    configuration: string | Buffer,
    signal: AbortSignal,
  ): Promise<ServeResult | undefined> {
    const path = `/1.0/loadbalancer/${amphora.amphoraId}/${id}/haproxy`;
    const exchange: Exchange = { method: 'PUT', path, contentType: 'text/plain', body: configuration };
    const answer = await this.#caller.call(amphora, exchange, signal);
    if (answer.status === 202) return undefined;
    const error = agentError(answer);
    if (answer.status !== 400 || error === undefined || error.details === '')
      throw failureOf(answer, exchange, amphora);
    return { accepted: false, reason: error.details };
  }

  /** Agents take `reload` for `start` when haproxy is down. */
  async #reload(
    amphora: AmphoraAddress,
    id: LoadBalancerId,
    configuration: string,
    previous: Buffer | undefined,
    signal: AbortSignal,
  ): Promise<ServeResult> {
    const exchange: Exchange = { method: 'PUT', path: `/1.0/loadbalancer/${id}/reload` };
    this.#loaded.delete(loadedKey(amphora, id));
    const answer = await this.#caller.call(amphora, exchange, signal);
    if (answer.status === 202) {
      remember(this.#loaded, loadedKey(amphora, id), configuration);
      return { accepted: true };
    }
    const details = agentError(answer)?.details ?? '';
    if (answer.status !== 500 || !isHaproxySpeaking(details)) throw failureOf(answer, exchange, amphora);
    await this.#restore(amphora, id, configuration, previous, signal);
    return { accepted: false, reason: details };
  }

  /** Gives an agent that kept the refused configuration the one before. src/agent goes back by itself. */
  async #restore(
    amphora: AmphoraAddress,
    id: LoadBalancerId,
    refused: string,
    previous: Buffer | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const held = await this.#configuration(amphora, id, signal);
    if (previous === undefined || held?.toString('utf8') !== refused) return;
    await this.#upload(amphora, id, previous, signal);
    await this.#expect(amphora, { method: 'PUT', path: `/1.0/loadbalancer/${id}/reload` }, 202, signal);
  }

  async #expect(amphora: AmphoraAddress, exchange: Exchange, status: number, signal: AbortSignal): Promise<Answer> {
    const answer = await this.#caller.call(amphora, exchange, signal);
    if (answer.status !== status) throw failureOf(answer, exchange, amphora);
    return answer;
  }
}

function loadedKey({ amphoraId }: AmphoraAddress, loadBalancerId: LoadBalancerId): string {
  return `${amphoraId}/${loadBalancerId}`;
}

function remember(digests: Map<string, string>, key: string, text: string): void {
  const [oldest] = digests.keys();
  if (oldest !== undefined && digests.size >= mostRemembered) digests.delete(oldest);
  digests.set(key, md5(text));
}

function parsed<T>(schema: z.ZodType<T>, answer: Answer, exchange: Exchange, amphora: AmphoraAddress): T {
  const result = schema.safeParse(jsonOf(answer));
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw garbage(exchange, amphora, `JSON in the agent's shape (${issue?.path.join('.') || 'body'}: ${issue?.message})`);
}

/** The words of haproxy itself, rather than those of whoever could not even start it. */
function isHaproxySpeaking(details: string): boolean {
  return /\[ALERT\]/.test(details);
}

/** All four keys are needed. */
function additionalVip({
  address,
  subnetCidr,
  gateway,
}: NonNullable<ServeRequest['port']['additional']>[number]): object {
  return { ip_address: address, subnet_cidr: subnetCidr, gateway, host_routes: [] };
}

function md5(content: string | Buffer): string {
  return createHash('md5').update(content).digest('hex');
}
