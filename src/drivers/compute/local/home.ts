// An amphora's folder: what its config drive carries, and the driver's own record of it in `local.json`.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve, sep } from 'node:path';
import { isUuid } from '../../../domain/ids.ts';

/** What the driver wrote down of an instance. `pid` and `startedAt` are missing until its agent was started. */
export interface InstanceRecord {
  readonly host: string;
  readonly port: number;
  readonly deploymentId: string;
  readonly pid?: number;
  readonly startedAt?: number;
  /** Who ended it for good, as the subject of a sentence: `amphi down`. Missing while it runs, and when it just died. */
  readonly endedBy?: string;
}

/** Ids of all amphorae that have a folder here, whole or not. */
export function amphoraeIn(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder).filter(isUuid) : [];
}

/** The record; undefined when the making of the folder was cut off, or there is none. */
export function readRecord(home: string): InstanceRecord | undefined {
  try {
    return JSON.parse(readFileSync(join(home, recordName), 'utf8')) as InstanceRecord;
  } catch {
    return undefined;
  }
}

export function writeRecord(home: string, record: InstanceRecord): void {
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const file = join(home, recordName);
  writeFileSync(`${file}.new`, `${JSON.stringify(record)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/**
 * Writes the files of a config drive below `<home>/etc/octavia`, mode 0600, and adds to the agent's settings what only
 * this driver knows: where to listen, where its files lie on this machine, and which haproxy to run.
 * @throws RangeError for a path that leads out of the folder
 */
export function writeConfigDrive(
  home: string,
  files: Readonly<Record<string, string>>,
  own: { readonly host: string; readonly port: number; readonly haproxy: string },
): void {
  const root = join(home, 'etc', 'octavia');
  const settings = (files[settingsName] ?? '') + ownSettings(own);
  const all = { ...files, [settingsName]: settings };
  for (const [path, content] of Object.entries(all)) {
    const target = resolve(root, path);
    if (!target.startsWith(root + sep)) throw new RangeError(`the file ${path} is outside of /etc/octavia`);
    mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
    rmSync(target, { force: true });
    writeFileSync(target, content, { mode: 0o600 });
  }
}

/** Comes last in the file, so it beats what was said before. Relative paths count from the folder of the file. */
function ownSettings({
  host,
  port,
  haproxy,
}: {
  readonly host: string;
  readonly port: number;
  readonly haproxy: string;
}): string {
  return `
[haproxy_amphora]
bind_host = ${host}
bind_port = ${port}
base_path = ../../lib/octavia
haproxy_cmd = ${haproxy}

[amphora_agent]
agent_server_ca = certs/client_ca.pem
agent_server_cert = certs/server.pem
`;
}

export function removeHome(home: string): void {
  rmSync(home, { recursive: true, force: true });
}

const recordName = 'local.json';
const settingsName = 'amphora-agent.conf';
