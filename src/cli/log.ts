// The controller's log: JSON lines for programs, readable lines for people at a terminal. Secrets are kept out three times:
// they are not given to it; fields that may hold one are redacted; what looks like one in a text is cut out of the line.
import { stripVTControlCharacters } from 'node:util';
import { type DestinationStream, destination, type LoggerOptions, type Logger, pino } from 'pino';

/** Names of fields that hold a secret wherever they occur, to a depth of three. */
const secretNames = ['token', 'password', 'authorization', 'databaseUrl', 'privateKeyPem', 'serverPem', 'heartbeatKey'];
const redact = [...secretNames, 'secret', '*.key', '*.*.key'].flatMap((name) =>
  name.startsWith('*') ? [name] : [name, `*.${name}`, `*.*.${name}`],
);

/** To standard error. A disk or a pipe that takes no lines costs lines, not the controller. */
export function openLog(level: string, isTerminal = process.stderr.isTTY): Logger {
  if (isTerminal) return logTo({ write: (line) => void process.stderr.write(readable(line)) }, level);
  const lines = destination({ fd: 2, sync: true });
  lines.on('error', () => undefined);
  return logTo(lines, level);
}

export function logTo(lines: DestinationStream, level: string): Logger {
  const options: LoggerOptions = {
    level,
    redact,
    serializers: { err: describeError },
    timestamp: pino.stdTimeFunctions.isoTime,
    hooks: { streamWrite: withoutSecrets },
  };
  return pino(options, lines);
}

const privateKey = /-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)/gs;
const urlPassword = /(\b[a-z][a-z+.-]*:\/\/[^\s:/?#@"]*:)[^\s@"]+@/gi;
const bearer = /\bBearer [\w.~+/=-]+/g;

/** Private keys, passwords in URLs and tokens in headers become stars. */
export function withoutSecrets(line: string): string {
  return line.replace(privateKey, '***').replace(urlPassword, '$1***@').replace(bearer, 'Bearer ***');
}

const deepestCause = 4;

/** What helps to find a fault. Not everything that hangs on an error: clients hang themselves on theirs, with what they hold. */
function describeError(error: unknown, depth = 0): object {
  if (!(error instanceof Error)) return { message: String(error) };
  const { name, message, stack, cause } = error;
  const { code, detail } = error as { readonly code?: unknown; readonly detail?: unknown };
  return {
    type: name,
    message,
    ...(typeof code === 'string' ? { code } : {}),
    ...(typeof detail === 'string' ? { detail } : {}),
    stack,
    ...(cause === undefined || depth >= deepestCause ? {} : { cause: describeError(cause, depth + 1) }),
  };
}

/** Of pino. */
const errorLevel = 50;

interface Line {
  readonly level: number;
  readonly time: string;
  readonly msg?: string;
  readonly err?: { readonly message: string; readonly stack?: string };
}

/** `12:00:00.123 WARN  the lease could not be renewed: timeout  actor=…`. A line of another shape comes back as it is. */
export function readable(line: string): string {
  let parsed: Line & Readonly<Record<string, unknown>>;
  try {
    parsed = JSON.parse(line) as typeof parsed;
  } catch {
    return line;
  }
  const { level, time, msg = '', err, pid: _pid, hostname: _hostname, ...more } = parsed;
  const word = (pino.levels.labels[level] ?? String(level)).toUpperCase().padEnd(5);
  const fields = Object.entries(more).map(([name, value]) => `${name}=${wordOf(value)}`);
  const reason = err === undefined ? '' : `: ${err.message}`;
  const first = [`${time.slice(11, 23)} ${word} ${msg}${reason}`, ...fields].join('  ');
  // People want the place of our own mistakes, and not of a database that is away.
  const stack = level >= errorLevel ? (err?.stack?.split('\n').slice(1) ?? []) : [];
  return `${[first, ...stack].map(printable).join('\n')}\n`;
}

function wordOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function printable(text: string): string {
  return stripVTControlCharacters(text).replace(/\p{Cc}/gu, '\uFFFD');
}
