// Makes the folder that all test files of one run share. Plain JavaScript, because jest does not transform it as a module.
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export default function globalSetup() {
  process.env.AMPHI_TEST_RUN_FOLDER = mkdtempSync(join(tmpdir(), 'amphi-test-run-'));
}
