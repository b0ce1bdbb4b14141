import { execFile } from 'node:child_process';
import type { Outcome } from './master.ts';

const timeoutMs = 20_000;

/** Lets haproxy read configurations, without serving them. */
export function checkConfiguration(command: string, files: readonly string[], peerName: string): Promise<Outcome> {
  const args = ['-c', ...files.flatMap((file) => ['-f', file]), '-L', peerName];
  return new Promise((resolve) => {
    execFile(command, args, { timeout: timeoutMs, maxBuffer: 4 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error === null) resolve({ ok: true });
      else resolve({ ok: false, words: `${stderr}${stdout}`.trim() || error.message });
    });
  });
}

/** The version that `haproxy -v` tells, such as `2.6.12-1+deb12u4`. */
export function haproxyVersion(command: string): Promise<string> {
  return new Promise((resolve) => {
    execFile(command, ['-v'], { timeout: timeoutMs }, (_error, stdout) => {
      resolve(/version (\S+)/i.exec(stdout)?.[1] ?? 'unknown');
    });
  });
}
