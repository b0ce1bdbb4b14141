// One check of a member, as keepalived makes it.
import { createSocket } from 'node:dgram';
import { get } from 'node:http';
import { connect, isIPv6 } from 'node:net';
import type { Check } from './configuration.ts';

/** Whether the member is well. Never rejects; ends within the check's time-out. */
export function isWell(check: Check, signal: AbortSignal): Promise<boolean> {
  if (check.type === 'tcp') return takesConnections(check, signal);
  return check.type === 'http' ? answersRequests(check, signal) : isNotRefused(check, signal);
}

function takesConnections({ address, port, timeoutMs }: Check, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, signal });
    const end = (well: boolean) => () => {
      clearTimeout(timer);
      socket.destroy();
      resolve(well);
    };
    const timer = setTimeout(end(false), timeoutMs);
    socket.once('connect', end(true));
    socket.once('error', end(false));
  });
}

function answersRequests(check: Check & { type: 'http' }, signal: AbortSignal): Promise<boolean> {
  const { address, port, timeoutMs, path, codes } = check;
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  return new Promise((resolve) => {
    const request = get({ host: address, port, path, agent: false, signal: deadline }, ({ statusCode = 0 }) => {
      resolve(codes.some((code) => isWithin(statusCode, code)));
      request.destroy();
    });
    request.on('error', () => resolve(false));
  });
}

function isWithin(status: number, code: string): boolean {
  const [from = '', to = from] = code.split('-');
  return status >= Number(from) && status <= Number(to);
}

/** Silence is good news: only a host that says that nobody listens there tells us something. */
const silenceMs = 1000;

/** Sends a datagram, as `nc -uz` does, and waits for a refusal. */
function isNotRefused({ address, port, timeoutMs }: Check, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
    let ended = false;
    const end = (well: boolean): void => {
      if (ended) return;
      ended = true;
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      socket.close();
      resolve(well);
    };
    const abort = (): void => end(false);
    const timer = setTimeout(() => end(true), Math.min(timeoutMs, silenceMs));
    signal.addEventListener('abort', abort);
    socket.on('error', () => end(false));
    socket.connect(port, address, () => {
      if (!ended) socket.send('X', (error) => (error === null ? undefined : end(false)));
    });
  });
}
