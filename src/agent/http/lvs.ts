// The paths of UDP listeners.
import type { LvsListener } from '../lvs/listener.ts';
import { type Reply, json, md5, ok, refusal, text } from './reply.ts';

export async function uploadLvs(listener: LvsListener, body: Buffer): Promise<Reply> {
  const outcome = await listener.upload(body);
  return outcome.ok ? json(200, { message: 'OK' }, md5(body)) : refusal(400, 'Invalid request', outcome.words);
}

export async function lvsConfiguration(listener: LvsListener): Promise<Reply> {
  const content = await listener.configuration();
  if (content !== undefined) return text(content);
  return refusal(404, 'UDP Listener Not Found', `No UDP listener with UUID: ${listener.id}`);
}

/** `start`, `stop` or `reload`. An address that somebody else holds is a refusal; OpenStack's agent says 202 to that as well. */
export async function actOnLvs(listener: LvsListener, action: string): Promise<Reply> {
  if (action === 'stop') {
    await listener.stop();
    return ok(202, `keepalivedlvs listener ${listener.id} stopped`);
  }
  const outcome = await listener.serve();
  if (!outcome.ok) return refusal(400, `Error ${action}ing keepalivedlvs`, outcome.words);
  return ok(202, `keepalivedlvs listener ${listener.id} ${action}ed`);
}
