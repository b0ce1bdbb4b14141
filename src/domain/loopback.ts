/**
 * Whether what is sent to that host stays on this machine. Told by how it is written: other names than `localhost` may lead
 * anywhere, and unusual spellings of a loopback address count as outside.
 */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}
