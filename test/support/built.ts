import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The folder that holds package.json. */
export const packageRoot = fileURLToPath(new URL('../..', import.meta.url));

/** Path of a built file, such as `agent/main.js`: real processes run what was built, not the TypeScript. */
export function built(file: string): string {
  const path = `${packageRoot}dist/${file}`;
  if (!existsSync(path)) throw new Error(`${path} is missing: run \`npm run build\` before this test`);
  return path;
}
