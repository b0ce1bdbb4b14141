import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { describeConfig } from '../../../src/config/describe.ts';
import { settingKeys } from '../../../src/config/keys.ts';
import { ConfigError, type LoadConfig, loadConfig } from '../../../src/config/load.ts';

const folder = mkdtempSync(join(tmpdir(), 'amphi-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

function yamlFile(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

function problemsOf(request: Partial<LoadConfig>): readonly string[] {
  try {
    loadConfig({ env: {}, ...request });
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('where values come from', () => {
  test('without anything the defaults are taken, and dataDir is absolute', () => {
    const { config, sources } = loadConfig({ env: {} });
    expect(config.api.port).toBe(9876);
    expect(config.dataDir).toBe(resolve('data'));
    expect(config.database.url).toBeUndefined();
    expect(sources.get('api.port')).toBe('default');
  });

  test('the file beats defaults, the environment beats the file, the command line beats all', () => {
    const file = yamlFile('order.yaml', 'api: {port: 1}\ncontrol: {port: 1}\nheartbeat: {port: 1}\n');
    const env = { AMPHI_CONTROL_PORT: '2', AMPHI_HEARTBEAT_PORT: '2' };
    const { config, sources } = loadConfig({ file, env, overrides: { 'heartbeat.port': 3, driver: undefined } });
    expect([config.api.port, config.control.port, config.heartbeat.port]).toEqual([1, 2, 3]);
    expect([sources.get('api.port'), sources.get('control.port'), sources.get('heartbeat.port')]).toEqual([
      file,
      'AMPHI_CONTROL_PORT',
      'command line',
    ]);
  });

  test('sections within sections are read from the file, and nothing of the settings can be changed', () => {
    const file = yamlFile('deep.yaml', 'control:\n  host: "::"\n  tls: {certificate: a.pem, key: a.key}\n');
    const { config } = loadConfig({ file, env: {} });
    expect(config.control).toMatchObject({ host: '::', port: 9877, tls: { certificate: 'a.pem', key: 'a.key' } });
    expect(Object.isFrozen(config.control.tls)).toBe(true);
    const misspelt = yamlFile('misspelt.yaml', 'control: {tls: {certifcate: a.pem}}\n');
    expect(problemsOf({ file: misspelt })).toEqual([
      `control.tls.certifcate (${misspelt}): no such setting; did you mean control.tls.certificate?`,
    ]);
  });

  test('every key can be given by a variable derived from its path', () => {
    const variables = new Map(settingKeys.map((key) => [key.path, key.variable]));
    expect(variables.get('dataDir')).toBe('AMPHI_DATA_DIR');
    expect(variables.get('database.url')).toBe('AMPHI_DATABASE_URL');
    expect(variables.get('command.maxMessageBytes')).toBe('AMPHI_COMMAND_MAX_MESSAGE_BYTES');
    expect(new Set(variables.values()).size).toBe(variables.size);
  });

  test('DATABASE_URL is honoured, and AMPHI_DATABASE_URL beats it', () => {
    const DATABASE_URL = 'postgres://a@h/d';
    expect(loadConfig({ env: { DATABASE_URL } }).config.database.url).toBe(DATABASE_URL);
    const both = { DATABASE_URL, AMPHI_DATABASE_URL: 'postgres://b@h/d' };
    expect(loadConfig({ env: both }).config.database.url).toBe('postgres://b@h/d');
  });

  test('an empty variable counts as not set', () => {
    expect(loadConfig({ env: { AMPHI_API_PORT: '' } }).config.api.port).toBe(9876);
  });

  test('lists are separated by commas in the environment', () => {
    expect(loadConfig({ env: { AMPHI_ROLES: 'worker, api' } }).config.roles).toEqual(['worker', 'api']);
  });

  test('a flag is true or false, in the environment as well', () => {
    const { api } = loadConfig({ env: { AMPHI_API_ALLOW_PING_HEALTH_MONITORS: 'false' } }).config;
    expect([api.allowPingHealthMonitors, api.allowPrometheusListeners]).toEqual([false, true]);
    expect(() => loadConfig({ env: { AMPHI_API_ALLOW_PING_HEALTH_MONITORS: 'no' } })).toThrow(
      'expected true or false, got "no"',
    );
  });

  test('heartbeat times follow the driver unless they are given', () => {
    expect(loadConfig({ env: {} }).config.heartbeat).toMatchObject({ interval: 1, timeout: 3 });
    const noop = loadConfig({ env: { AMPHI_DRIVER: 'noop', AMPHI_HEARTBEAT_TIMEOUT: '20' } });
    expect(noop.config.heartbeat).toMatchObject({ interval: 10, timeout: 20 });
  });

  test('a configuration cannot be changed', () => {
    const { config } = loadConfig({ env: {} });
    expect(() => Object.assign(config.api, { port: 1 })).toThrow(TypeError);
    expect(() => (config.roles as string[]).push('x')).toThrow(TypeError);
  });
});

describe('what is refused', () => {
  test.each([
    [
      { AMPHI_API_PORT: 'abc' },
      'api.port (AMPHI_API_PORT): expected a port from 0 to 65535 (0 takes a free one), got "abc"',
    ],
    [
      { AMPHI_API_PORT: '70000' },
      'api.port (AMPHI_API_PORT): expected a port from 0 to 65535 (0 takes a free one), got 70000',
    ],
    [{ AMPHI_DRIVER: 'nop' }, 'driver (AMPHI_DRIVER): expected one of local, noop, got "nop"'],
    [{ AMPHI_ROLES: 'worker,worker' }, 'none of them twice'],
    [{ AMPHI_CONTROL_HOST: '0.0.0.0' }, 'a token must not travel in clear text'],
    [
      { AMPHI_CONTROL_TLS_KEY: 'a.key' },
      'control.tls.certificate: expected the certificate of control.tls.key (a.key)',
    ],
    [
      { AMPHI_CONTROL_TLS_CERTIFICATE: 'a.pem' },
      'control.tls.key: expected the key of control.tls.certificate (a.pem)',
    ],
    [{ AMPHI_CONTROL_TLS_CLIENT_CA: 'a.pem' }, 'control.tls.clientCa: expected control.tls.certificate'],
    [
      { AMPHI_API_HOST: '0.0.0.0' },
      'api.auth: others can reach api.host 0.0.0.0: expected token or keystone, got none',
    ],
    [
      { AMPHI_API_HOST: '0.0.0.0', AMPHI_API_AUTH: 'token', AMPHI_API_TOKENS: `${'a'.repeat(64)}:one:member` },
      'api.host: others can reach 0.0.0.0, and a token must not travel in clear text',
    ],
    [{ AMPHI_API_AUTH: 'token' }, 'api.tokens: api.auth is token: expected tokens, got none'],
    [
      { AMPHI_API_AUTH: 'token', AMPHI_API_TOKENS: `${'a'.repeat(64)}:one:emperor` },
      'api.tokens (AMPHI_API_TOKENS): expected a list of <SHA-256 of the token, hex>:<project>:<role>',
    ],
    [{ AMPHI_API_AUTH: 'keystone' }, 'api.keystone: api.auth is keystone: expected url and password, got less'],
    [{ AMPHI_API_TLS_KEY: 'a.key' }, 'api.tls: expected certificate and key, or neither; got one of them'],
    [{ AMPHI_LOCAL_SUBNET: '10.0.0.0/16' }, 'expected a subnet of 127.0.0.0/8'],
    [{ AMPHI_LOCAL_SUBNET: '127.89.4.0/24' }, 'expected no overlap with local.subnet (127.89.4.0/24)'],
    [{ AMPHI_HEARTBEAT_TIMEOUT: '1' }, 'heartbeat.timeout: expected more than heartbeat.interval (1), got 1'],
    [{ AMPHI_STEPS_TIMEOUT: '10' }, 'steps.timeout: expected less than lease.duration (10), got 10'],
    [{ AMPHI_API_PROT: '1' }, 'AMPHI_API_PROT (environment): no such setting; did you mean AMPHI_API_PORT?'],
    [{ AMPHI_TLS_BARBICAN: 'https://barbican.example' }, 'tls.barbican: it is asked as a user of Keystone: expected'],
    [
      { AMPHI_TLS_MINIMUM_VERSION: 'TLSv1.3', AMPHI_TLS_POOL_VERSIONS: 'TLSv1.3' },
      'tls.listenerVersions: expected none below tls.minimumVersion TLSv1.3, got TLSv1.2',
    ],
    [
      { AMPHI_TLS_PROHIBITED_CIPHERS: 'RC4-SHA,DES', AMPHI_TLS_POOL_CIPHERS: 'HIGH:RC4-SHA' },
      'tls.poolCiphers: expected none of tls.prohibitedCiphers, got RC4-SHA',
    ],
    [{ AMPHI_TLS_LISTENER_CIPHERS: 'a b' }, 'tls.listenerCiphers (AMPHI_TLS_LISTENER_CIPHERS): expected an OpenSSL'],
    [{ AMPHI_HEARTBEAT_KEY: 'short' }, 'heartbeat.key (AMPHI_HEARTBEAT_KEY): expected at least 16 characters'],
  ])('%j', (env, expected) => {
    expect(problemsOf({ env })).toEqual([expect.stringContaining(expected)]);
  });

  test('an unknown key of the file is named with the nearest known one', () => {
    const file = yamlFile('typo.yaml', 'heartbeat: {intervall: 3}\nzzz: 1\n');
    expect(problemsOf({ file })).toEqual([
      `heartbeat.intervall (${file}): no such setting; did you mean heartbeat.interval?`,
      `zzz (${file}): no such setting`,
    ]);
  });

  test('a value where a section belongs, text that is no YAML, and a missing file are told apart', () => {
    const section = yamlFile('section.yaml', 'api: 9876\n');
    expect(problemsOf({ file: section })).toEqual([`api (${section}): expected a section with keys, got 9876`]);
    const broken = yamlFile('broken.yaml', 'api: {port: \n');
    expect(problemsOf({ file: broken })[0]).toMatch(/broken\.yaml is not YAML/);
    expect(problemsOf({ file: join(folder, 'none.yaml') })[0]).toMatch(/none\.yaml cannot be read: ENOENT/);
  });

  test('all problems are said at once', () => {
    expect(problemsOf({ env: { AMPHI_API_PORT: 'x', AMPHI_SPARES_SIZE: '-1' } })).toHaveLength(2);
  });

  test('a secret that is refused is not repeated', () => {
    expect(problemsOf({ env: { DATABASE_URL: 'mysql://u:hunter2@h/d' } }).join()).not.toContain('hunter2');
  });
});

describe('what is shown', () => {
  test('secrets are stars, and only the password of a URL is', () => {
    const env = { AMPHI_HEARTBEAT_KEY: 'k'.repeat(20), DATABASE_URL: 'postgresql://amphi:p@ss@db:5432/x?password=p2' };
    const shown = new Map(describeConfig(loadConfig({ env })).map((setting) => [setting.path, setting.value]));
    expect(shown.get('heartbeat.key')).toBe('***');
    expect(shown.get('database.url')).toBe('postgresql://amphi:***@db:5432/x?password=***');
  });

  test('every setting says what it means and where its value is from', () => {
    const settings = describeConfig(loadConfig({ env: { AMPHI_SPARES_SIZE: '3' } }));
    expect(settings.filter((setting) => setting.description.length < 10)).toEqual([]);
    expect(settings.find((setting) => setting.path === 'spares.size')).toMatchObject({
      value: 3,
      source: 'AMPHI_SPARES_SIZE',
      variable: 'AMPHI_SPARES_SIZE',
    });
    expect(settings.find((setting) => setting.path === 'noop.world')).toMatchObject({
      value: undefined,
      source: 'not set',
    });
  });
});
