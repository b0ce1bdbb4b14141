// Ends what the test files of a run shared, whether they passed or not.
import { rmSync } from 'node:fs';

export default function globalTeardown() {
  const folder = process.env.AMPHI_TEST_RUN_FOLDER;
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
}
