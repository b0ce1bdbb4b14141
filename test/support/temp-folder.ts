import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from '@jest/globals';

/** A folder of its own for a test file, removed with everything in it when the file is done. Call it at the top level. */
export function tempFolder(name = 'test'): string {
  const folder = mkdtempSync(join(tmpdir(), `amphi-${name}-`));
  chmodSync(folder, 0o700);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
