// An earlier revision of this project, built in a folder of its own with the packages that are installed here.
import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../support/built.ts';

/** @throws Error when there is no such revision, or it cannot be built */
export function buildRevision(revision: string, folder: string): string {
  mkdirSync(folder, { recursive: true });
  const archive = execFileSync('git', ['archive', revision], { cwd: packageRoot, maxBuffer: 256 * 1024 * 1024 });
  execFileSync('tar', ['-x', '-C', folder], { input: archive });
  symlinkSync(join(packageRoot, 'node_modules'), join(folder, 'node_modules'));
  execFileSync('node_modules/.bin/tsc', ['-p', 'tsconfig.build.json'], { cwd: folder, stdio: 'inherit' });
  return folder;
}
