// Finds a program that the settings name, before anything depends on it.
import { accessSync, constants } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';

/** Where Debian keeps programs like haproxy, and ordinary users' PATH does not look. */
const systemFolders = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** The absolute path of a program given by name or path. @throws Error naming the setting when there is none */
export function findExecutable(setting: string, program: string): string {
  const folders = [...(process.env['PATH'] ?? '').split(':'), ...systemFolders].filter((folder) => folder !== '');
  const isPath = isAbsolute(program) || program.includes('/');
  const candidates = isPath ? [resolve(program)] : folders.map((folder) => join(folder, program));
  const found = candidates.find(isExecutable);
  if (found !== undefined) return found;
  const where = isPath ? '' : `, looked for in ${folders.join(', ')}`;
  throw new Error(
    `${setting}: there is no program ${program}${where}. Install it (apt-get install haproxy), or name its path`,
  );
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
