/** The embedded PostgreSQL cannot be used. The message is a sentence for the person who started the program. */
export class EmbeddedPostgresError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'EmbeddedPostgresError';
  }
}

/** A program of PostgreSQL's that ended, with the last of what it said. */
export function refusal({ folder }: { readonly folder: string }, program: string, said: string): EmbeddedPostgresError {
  if (/No space left on device/.test(said)) {
    return new EmbeddedPostgresError(`there is no space left on the disk that holds ${folder}`);
  }
  const reason = said.trim().split('\n').slice(-5).join(' | ');
  return new EmbeddedPostgresError(`PostgreSQL does not start on ${folder}: ${program} said: ${reason}`);
}
