// The way from a command to a controller: named by variables, else found through its data folder.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ConnectOptions } from '../channels/rpc/client.ts';
import { type ClientTls, readCertificates, readKeyPair } from '../channels/tls.ts';
import { isRunning, readRunFile, type RunFile } from '../config/data-folder.ts';
import type { Config } from '../config/schema.ts';
import { isLoopback } from '../domain/loopback.ts';
import { CliFailure } from './failure.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * AMPHI_URL, AMPHI_TOKEN, AMPHI_CA, AMPHI_CERT and AMPHI_KEY, else what the running controller wrote into its data folder.
 *
 * @throws CliFailure or TlsFileError saying what was looked for
 */
export function controllerOf(env: Environment, config: () => Config): ConnectOptions {
  const token = given(env, 'AMPHI_TOKEN');
  const own = tlsOf(env);
  const url = given(env, 'AMPHI_URL');
  if (url !== undefined) return { url: protectedUrl(webSocketUrl(url), token), token, tls: own };
  const { dataDir, control } = config();
  const run = runningIn(dataDir);
  // The settings of this shell need not be those that it was started with. An older controller wrote neither field.
  const host = reachable(run.controlHost ?? control.host);
  const pinned = run.controlCertificate ?? undefined;
  return {
    url: `${pinned === undefined ? 'ws' : 'wss'}://${host}:${run.controlPort}`,
    token: token ?? tokenIn(dataDir),
    tls: own.ca === undefined ? { ...own, pinned } : own,
  };
}

/** An empty variable is how shells say "not set". */
function given(env: Environment, name: string): string | undefined {
  return env[name] === '' ? undefined : env[name];
}

function tlsOf(env: Environment): ClientTls {
  const file = (name: string) => {
    const path = given(env, name);
    return path === undefined ? undefined : { name, path };
  };
  const [ca, certificate, key] = [file('AMPHI_CA'), file('AMPHI_CERT'), file('AMPHI_KEY')];
  const authority = ca === undefined ? {} : { ca: readCertificates(ca) };
  if (certificate === undefined && key === undefined) return authority;
  if (certificate === undefined || key === undefined) {
    throw new CliFailure('AMPHI_CERT and AMPHI_KEY: expected both or neither, got one');
  }
  return { ...authority, ...readKeyPair(certificate, key) };
}

function runningIn(dataDir: string): RunFile {
  const run = readRunFile(dataDir);
  if (run !== undefined && isRunning(run)) return run;
  const sought = join(dataDir, 'run.json');
  const found = run === undefined ? `there is no ${sought}` : `${sought} names process ${run.pid}, which has ended`;
  throw new CliFailure(
    `no controller runs with this data folder: ${found}. Start one with \`amphi up\`, name its data folder with --data-dir or AMPHI_DATA_DIR, or name the controller with AMPHI_URL and AMPHI_TOKEN.`,
  );
}

/** A controller that listens everywhere listens on loopback too. */
function reachable(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}

function tokenIn(dataDir: string): string {
  const file = join(dataDir, 'control.token');
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new CliFailure(`the token of the controller cannot be read: ${(error as Error).message}`, error);
  }
}

function webSocketUrl(text: string): string {
  const url = text
    .replace(/^http/, 'ws')
    .replace(/\/+$/, '')
    .replace(/\/(command|inspect)$/, '');
  if (/^wss?:\/\/[^/]+$/.test(url) && URL.canParse(url)) return url;
  throw new CliFailure(`AMPHI_URL: expected something like ws://127.0.0.1:9877 or wss://controller:9877, got ${text}`);
}

function protectedUrl(url: string, token: string | undefined): string {
  const { protocol, hostname } = new URL(url);
  if (token === undefined || protocol === 'wss:' || isLoopback(hostname.replace(/^\[|\]$/g, ''))) return url;
  throw new CliFailure(`AMPHI_URL: the token would travel to ${hostname} in clear text: use wss:, got ${url}`);
}
