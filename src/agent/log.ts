// The agent's log: JSON lines in a file that never grows beyond a few MiB, because nobody rotates it.
import { fstatSync, openSync, renameSync, writeSync, closeSync } from 'node:fs';
import { type Logger, pino } from 'pino';

const largestFile = 4 * 1024 * 1024;

/** A file that is renamed to `<file>.1` when it is full, replacing the one before it. */
class BoundedFile {
  readonly #path: string;
  #descriptor: number;
  #size: number;

  constructor(path: string) {
    this.#path = path;
    this.#descriptor = openSync(path, 'a', 0o600);
    this.#size = fstatSync(this.#descriptor).size;
  }

  write(line: string): void {
    try {
      if (this.#size >= largestFile) this.#rotate();
      this.#size += writeSync(this.#descriptor, line);
    } catch {
      // A full disk must not stop an amphora from balancing; there is no other place to say it.
    }
  }

  #rotate(): void {
    renameSync(this.#path, `${this.#path}.1`);
    closeSync(this.#descriptor);
    this.#descriptor = openSync(this.#path, 'a', 0o600);
    this.#size = 0;
  }
}

/** The log of the amphora, appended to `path`. Settings and request bodies, which hold keys, are never given to it. */
export function openLog(path: string, amphoraId: string): Logger {
  return pino({ base: { amphora: amphoraId }, timestamp: pino.stdTimeFunctions.isoTime }, new BoundedFile(path));
}
