// A configuration is written for an amphora that is a machine of its own. On a shared host a few global directives
// mean something else; they are translated line by line, so that haproxy's messages keep the line numbers of the file
// that the controller sent.

export interface Host {
  /** Name of the statistics socket, relative to haproxy's working directory: a Unix socket path must be short. */
  readonly statsSocket: string;
  readonly serverStateFile: string;
  /** Connections that the limit of open files allows. */
  readonly mostConnections: number;
  /** Whether haproxy is started by root and can give up its rights. */
  readonly privileged: boolean;
  readonly exists: (path: string) => boolean;
  /** VIPs that the other one of a pair has, each with the address to listen on instead. None when absent. */
  readonly moves?: ReadonlyMap<string, string>;
}

const sections = new Set([
  'global',
  'defaults',
  'frontend',
  'backend',
  'listen',
  'peers',
  'resolvers',
  'mailers',
  'userlist',
]);

/** The configuration as haproxy on this host shall read it: as many lines, in the same order. */
export function localise(configuration: string, host: Host): string {
  let section = '';
  return configuration
    .split('\n')
    .map((line) => {
      const words = line.trim().split(/\s+/);
      if (sections.has(words[0] ?? '')) section = words[0] ?? '';
      if (section === 'global') return globalLine(line, words, host);
      const local = withLocalFiles(line, words);
      return words[0] === 'bind' ? bindLine(local, host.moves ?? new Map()) : local;
    })
    .join('\n');
}

/** Checks of members go on, and are reported, also where the VIP is not. */
function bindLine(line: string, moves: ReadonlyMap<string, string>): string {
  return line.replace(/^(\s*bind\s+)(\[[^\]]+\]|[^\s:]+)(:\d+)/, (whole, head: string, host: string, port: string) => {
    const own = moves.get(host.replace(/^\[|\]$/g, ''));
    if (own === undefined) return whole;
    return head + (own.includes(':') ? `[${own}]` : own) + port;
  });
}

function globalLine(line: string, words: readonly string[], host: Host): string {
  switch (words[0]) {
    // haproxy stays a child in the foreground, so that its end is noticed.
    case 'daemon':
      return leftOut(line);
    case 'user':
      return host.privileged ? line : leftOut(line);
    // Groups have other names on other systems; the agent gives one on its own.
    case 'group':
      return leftOut(line);
    case 'log':
      return words[1]?.startsWith('/') === true && !host.exists(words[1]) ? leftOut(line) : line;
    case 'stats':
      return words[1] === 'socket' ? `    stats socket unix@${host.statsSocket} mode 600 level user` : line;
    case 'server-state-file':
      return `    server-state-file ${host.serverStateFile}`;
    case 'crt-base':
      return `    crt-base ${localPath(words[1] ?? '')}`;
    case 'maxconn':
      return `    maxconn ${Math.min(Number(words[1]), host.mostConnections)}`;
    default:
      return line;
  }
}

/** Where an amphora that is a machine of its own keeps its files. */
const machineFolder = '/var/lib/octavia/';

/** The agent's working directory stands for that folder. */
function localPath(path: string): string {
  return path.startsWith(machineFolder) ? path.slice(machineFolder.length) : path;
}

/** Certificates, keys and lists that a listener or a member is served with. */
function withLocalFiles(line: string, words: readonly string[]): string {
  if (words[0] !== 'bind' && words[0] !== 'server') return line;
  return line.replace(/ (crt-list|ca-file|crl-file) (\S+)/g, (_, option: string, path: string) => {
    return ` ${option} ${localPath(path)}`;
  });
}

function leftOut(line: string): string {
  return `    # not on this host: ${line.trim()}`;
}

/**
 * Connections that fit into a limit of open files: haproxy needs two and a half descriptors for each (client, server,
 * and a pipe now and then), and some for itself, its listeners and its checks.
 */
export function connectionsWithin(openFiles: number): number {
  return Math.max(100, Math.floor((openFiles - 500) / 2.5));
}
