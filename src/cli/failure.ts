/** What a command could not do, as a sentence for people. The program ends with status 1. */
export class CliFailure extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'CliFailure';
  }
}
