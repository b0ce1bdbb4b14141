// The agent's API, version 1.0, as far as this service uses it: paths, codes and bodies as OpenStack's agent has them.
// Ids in paths are UUIDs and file names have a strict form, because both become names of files.
import { networkInterfaces } from 'node:os';
import { isIP } from 'node:net';
import type { Amphora } from '../amphora.ts';
import { deleteCertificate, getCertificate, putCertificate } from './certificates.ts';
import { type Facts, details, info, listeners } from './details.ts';
import { actOnLvs, lvsConfiguration, uploadLvs } from './lvs.ts';
import { plugNetwork, plugVip } from './plug-vip.ts';
import { type Reply, json, md5, ok, refusal, text } from './reply.ts';
import type { Route } from './server.ts';

export interface AgentApi {
  readonly amphora: Amphora;
  readonly facts: Facts;
  /** Takes a new amphora-agent.conf over. Rejects with the reason when it can't be read; the old one then stays. */
  readonly configure: (text: string) => Promise<void>;
  /** Shows a new certificate from the next connection on. Rejects when it isn't one with its key; the old one stays. */
  readonly certify: (pem: Buffer) => Promise<void>;
}

const uuid = '([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})';
const at = (path: string): RegExp => new RegExp(`^${path}$`);

export function routesOf(api: AgentApi): readonly Route[] {
  const { amphora, facts } = api;
  const certificate = at(`/1\\.0/loadbalancer/${uuid}/certificates/([^/]+)`);
  return [
    { method: 'GET', path: at('/'), handle: () => json(200, { api_version: '1.0' }) },
    { method: 'GET', path: at('/1\\.0/info'), handle: () => json(200, info(facts)) },
    { method: 'GET', path: at('/1\\.0/details'), handle: async () => json(200, await details(facts, amphora)) },
    { method: 'PUT', path: at('/1\\.0/config'), handle: (_, body) => putAgentConfig(api, body) },
    { method: 'PUT', path: at('/1\\.0/certificate'), handle: (_, body) => putAgentCertificate(api, body) },
    { method: 'POST', path: at('/1\\.0/plug/vip/([^/]+)'), handle: ([vip = ''], body) => plugVip(amphora, vip, body) },
    { method: 'POST', path: at('/1\\.0/plug/network'), handle: (_, body) => plugNetwork(body) },
    {
      method: 'PUT',
      path: at(`/1\\.0/loadbalancer/${uuid}/${uuid}/haproxy`),
      handle: ([, id = ''], body) => upload(amphora, id, body),
    },
    {
      method: 'GET',
      path: at(`/1\\.0/loadbalancer/${uuid}/haproxy`),
      handle: ([id = '']) => configuration(amphora, id),
    },
    {
      method: 'PUT',
      path: at(`/1\\.0/listeners/${uuid}/${uuid}/udp_listener`),
      handle: ([, id = ''], body) => uploadLvs(amphora.lvsListener(id), body),
    },
    {
      method: 'GET',
      path: at(`/1\\.0/listeners/${uuid}/udp_listener`),
      handle: ([id = '']) => lvsConfiguration(amphora.lvsListener(id)),
    },
    {
      method: 'PUT',
      path: at(`/1\\.0/loadbalancer/${uuid}/([a-z]+)`),
      handle: ([id = '', action = '']) => act(amphora, id, action),
    },
    { method: 'PUT', path: at('/1\\.0/vrrp/upload'), handle: (_, body) => uploadVrrp(amphora, body) },
    {
      method: 'PUT',
      path: at('/1\\.0/vrrp/([a-z]+)'),
      handle: ([action = '']) => actVrrp(amphora, action),
    },
    { method: 'DELETE', path: at(`/1\\.0/listeners/${uuid}`), handle: async ([id = '']) => remove(amphora, id) },
    { method: 'GET', path: at('/1\\.0/listeners'), handle: async () => json(200, await listeners(amphora)) },
    { method: 'PUT', path: certificate, handle: ([id = '', file = ''], body) => putCertificate(id, file, body) },
    { method: 'GET', path: certificate, handle: ([id = '', file = '']) => getCertificate(id, file) },
    { method: 'DELETE', path: certificate, handle: ([id = '', file = '']) => deleteCertificate(id, file) },
    { method: 'GET', path: at('/1\\.0/interface/([^/]+)'), handle: ([address = '']) => interfaceOf(amphora, address) },
  ];
}

async function putAgentConfig(api: AgentApi, body: Buffer): Promise<Reply> {
  try {
    await api.configure(body.toString('utf8'));
    return ok(202);
  } catch (error) {
    return refusal(500, 'Unable to update amphora-agent configuration', messageOf(error));
  }
}

async function putAgentCertificate(api: AgentApi, body: Buffer): Promise<Reply> {
  try {
    await api.certify(body);
    return ok(202);
  } catch (error) {
    // OpenStack's agent takes anything here and is then out of reach for ever.
    return refusal(400, 'Invalid certificate', messageOf(error));
  }
}

async function upload(amphora: Amphora, id: string, body: Buffer): Promise<Reply> {
  const outcome = await amphora.loadBalancer(id).upload(body);
  return outcome.ok ? json(202, { message: 'OK' }, md5(body)) : refusal(400, 'Invalid request', outcome.words);
}

async function configuration(amphora: Amphora, id: string): Promise<Reply> {
  const content = await amphora.loadBalancer(id).configuration();
  return content === undefined ? notFound(id) : text(content);
}

async function act(amphora: Amphora, id: string, action: string): Promise<Reply> {
  if (!['start', 'stop', 'reload'].includes(action))
    return refusal(400, 'Invalid Request', `Unknown action: ${action}`);
  const lvsListener = amphora.lvsListeners().find((listener) => listener.id === id);
  if (lvsListener !== undefined) return actOnLvs(lvsListener, action);
  const loadBalancer = amphora.loadBalancer(id);
  if ((await loadBalancer.configuration()) === undefined) return notFound(id);
  if (action === 'stop') {
    await loadBalancer.stop();
    return ok(202, `Listener ${id} stoped`);
  }
  const outcome = await loadBalancer.serve();
  if (!outcome.ok) return refusal(500, `Error ${action}ing haproxy`, outcome.words);
  const done =
    action === 'start' ? `Configuration file is valid\nhaproxy daemon for ${id} started` : `Listener ${id} reloaded`;
  return ok(202, done);
}

/** OpenStack's agent takes anything here. */
function uploadVrrp(amphora: Amphora, body: Buffer): Reply {
  try {
    amphora.vrrp.upload(body.toString('utf8'));
    return json(200, { message: 'OK' }, md5(body));
  } catch (error) {
    return refusal(400, 'Invalid request', messageOf(error));
  }
}

async function actVrrp(amphora: Amphora, action: string): Promise<Reply> {
  if (!['start', 'stop', 'reload'].includes(action))
    return refusal(400, 'Invalid Request', `Unknown action: ${action}`);
  try {
    if (action === 'stop') amphora.vrrp.stop();
    else await amphora.vrrp.start();
    return ok(202, `keepalived ${action}ed`);
  } catch (error) {
    return refusal(500, `Error ${action}ing keepalived`, messageOf(error));
  }
}

async function remove(amphora: Amphora, id: string): Promise<Reply> {
  await amphora.remove(id);
  return ok(200);
}

function interfaceOf(amphora: Amphora, address: string): Reply {
  if (isIP(address) === 0) return refusal(400, 'Invalid IP address');
  const own = Object.entries(networkInterfaces()).find(([, list]) => list?.some((entry) => entry.address === address));
  const name = own?.[0] ?? (amphora.hasVip(address) ? 'lo' : undefined);
  if (name === undefined) return refusal(404, 'Error interface not found for IP address');
  return json(200, { message: 'OK', interface: name });
}

function notFound(id: string): Reply {
  return refusal(404, 'Loadbalancer Not Found', `No loadbalancer with UUID: ${id}`);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
