// What stands in the way of `amphi up` and of the quick start: a clear sentence, status 1, and nothing is left running.
import { chownSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { removeEmbeddedPostgres } from '../../../src/db/embedded-postgres.ts';
import { packageRoot } from '../../support/built.ts';
import { processes } from '../../support/processes.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const used = ['ports'];
afterAll(() => Promise.all(used.map((name) => removeEmbeddedPostgres(join(folder, name)))));
const start = processes();
const folder = tempFolder('refusals');
const tcp = createServer();
const udp = createSocket('udp4');
let tcpPort = 0;
let udpPort = 0;

beforeAll(async () => {
  await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve));
  await new Promise<void>((resolve) => udp.bind(0, '127.0.0.1', resolve));
  tcpPort = (tcp.address() as { port: number }).port;
  udpPort = udp.address().port;
});
afterAll(() => {
  tcp.close();
  udp.close();
});

describe.each([['up'], ['quickstart', '--once']])('amphi %s', (...command) => {
  async function refusal(name: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
    const free = { AMPHI_CONTROL_PORT: '0', AMPHI_HEARTBEAT_PORT: '0', AMPHI_API_PORT: '0', DATABASE_URL: '' };
    const settings = { ...free, AMPHI_DRIVER: 'noop', AMPHI_DATA_DIR: join(folder, name), ...env };
    const program = start(join(packageRoot, 'bin/amphi'), command, { env: settings, cwd: '/' });
    expect({ status: await program.ended, output: program.output() }).toMatchObject({ status: 1 });
    expect(program.output()).not.toContain('    at ');
    return program.output();
  }

  test('says that the data folder is of another version', async () => {
    mkdirSync(join(folder, 'newer'), { recursive: true, mode: 0o700 });
    writeFileSync(join(folder, 'newer', 'format'), '99\n');
    expect(await refusal('newer')).toContain('has format 99, this version of amphi knows format 1');
  });

  test('says that the data folder is a file', async () => {
    writeFileSync(join(folder, 'file'), '');
    expect(await refusal('file')).toContain('there is a file where the folder should be');
  });

  const asRoot = process.getuid?.() === 0 ? test : test.skip;
  asRoot('says that the data folder is of another user (skipped where nobody may give one away)', async () => {
    mkdirSync(join(folder, 'theirs'), { recursive: true });
    chownSync(join(folder, 'theirs'), 12_345, 12_345);
    expect(await refusal('theirs')).toMatch(/belongs to user 12345, this program runs as user 0/);
    rmSync(join(folder, 'theirs'), { recursive: true });
  });

  test('says that the control port is occupied', async () => {
    const output = await refusal('ports', { AMPHI_CONTROL_PORT: String(tcpPort) });
    expect(output).toContain(`control.port: cannot listen on 127.0.0.1 port ${tcpPort}: another process listens there`);
  });

  test('says that the port of the REST API is occupied', async () => {
    const output = await refusal('ports', { AMPHI_API_PORT: String(tcpPort) });
    expect(output).toContain(`api.port: cannot listen on 127.0.0.1 port ${tcpPort}: another process listens there`);
  });

  test('says that the heartbeat port is occupied', async () => {
    const output = await refusal('ports', { AMPHI_HEARTBEAT_PORT: String(udpPort) });
    expect(output).toContain(`UDP 127.0.0.1:${udpPort} can't be listened on: the port is in use`);
  });
});
