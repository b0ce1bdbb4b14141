// The certificate files of a load balancer's TLS listeners. They hold private keys: mode 0600, never logged.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { type Reply, json, md5, ok, refusal } from './reply.ts';

const fileName = /^[A-Za-z0-9_-]{1,128}\.pem$/;
const wrongName = refusal(400, 'Filename has wrong format');

export async function putCertificate(loadBalancerId: string, file: string, body: Buffer): Promise<Reply> {
  if (!fileName.test(file)) return wrongName;
  await mkdir(`certs/${loadBalancerId}`, { recursive: true, mode: 0o700 });
  await writeFile(`certs/${loadBalancerId}/${file}`, body, { mode: 0o600 });
  return json(200, { message: 'OK' }, md5(body));
}

export async function getCertificate(loadBalancerId: string, file: string): Promise<Reply> {
  if (!fileName.test(file)) return wrongName;
  const content = await readFile(`certs/${loadBalancerId}/${file}`).catch(() => undefined);
  if (content === undefined) return refusal(404, 'Certificate Not Found', `No certificate with filename: ${file}`);
  return json(200, { md5sum: md5(content) }, md5(content));
}

export async function deleteCertificate(loadBalancerId: string, file: string): Promise<Reply> {
  if (!fileName.test(file)) return wrongName;
  await rm(`certs/${loadBalancerId}/${file}`, { force: true });
  return ok(200);
}
