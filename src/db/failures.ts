// How the database fails, for callers that act on the difference.

const lostConnectionCodes = new Set([
  'EAI_AGAIN',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'EMFILE',
  'ENETDOWN',
  'ENETUNREACH',
  'ENOENT',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
]);

/**
 * Whether an error of the client means that the server is not there or cannot take writes now, rather than that it
 * refuses this statement. Classes of SQLSTATE: 08 connection, 28 and 3D a password or database that was changed, 53 out of
 * resources (disk full), 57 operator intervention (shutdown), 58 system error; 25006 is a read-only transaction, 55P03 a lock.
 */
export function isDatabaseAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = codeOf(error);
  if (lostConnectionCodes.has(code) || /^(08|28|3D|53|57|58)|^(25006|55P03)$/.test(code)) return true;
  return code === '' && /terminated|connection|timeout/i.test(error.message);
}

/** A standby, or a server that was told to take no writes. */
export function isReadOnly(error: unknown): boolean {
  return codeOf(error) === '25006';
}

/** Whether the server rolled a statement back for the sake of another one: written again, it may succeed. */
export function isRolledBack(error: unknown): boolean {
  return codeOf(error).startsWith('40');
}

/**
 * Whether the server refuses a statement for what is in it, so that it would refuse it again: classes 21 cardinality, 22
 * data, 23 constraint, 44 check option, 54 program limit, P0 what a trigger raises. Whatever else fails, a permission, a
 * password, a function that an older backup does not have, is the server's and not the statement's.
 */
export function isRefused(error: unknown): boolean {
  return /^(21|22|23|44|54|P0)/.test(codeOf(error));
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}
