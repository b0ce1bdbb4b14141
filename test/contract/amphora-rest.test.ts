import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { type AmphoraId, deriveId } from '../../src/domain/ids.ts';
import { createRestAmphoraDriver } from '../../src/drivers/amphora/rest/rest.ts';
import { createLocalCertificateDriver } from '../../src/drivers/certificate/local/local.ts';
import { freePort, randomVip, testAgent } from '../support/agent.ts';
import { processes } from '../support/processes.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { type AmphoraUnderTest, amphoraDriverContract } from './amphora-driver.ts';

const folder = tempFolder('amphora-rest');
const start = processes();

async function listening(server: Server, host: string): Promise<AddressInfo> {
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return server.address() as AddressInfo;
}

async function make(tlsProtocol?: 'TLSv1.2'): Promise<AmphoraUnderTest> {
  const certificates = await createLocalCertificateDriver({
    folder: join(folder, 'pki'),
    keyType: 'p256',
    serverCertificateDays: 30,
  });
  const amphoraId = deriveId<AmphoraId>('contract', Math.random());
  const agent = await testAgent(folder, start, {
    amphoraId,
    certificates,
    ...(tlsProtocol === undefined ? {} : { tlsProtocol }),
  });
  const process = await agent.start();
  const vipAddress = randomVip();
  const stranger = createServer();
  const { port: takenPort } = await listening(stranger, vipAddress);
  const members: Server[] = [];
  const driver = createRestAmphoraDriver({
    credentials: certificates.controllerCredentials(),
    connectTimeoutMs: 2000,
    readTimeoutMs: 20_000,
  });
  return {
    driver,
    address: agent.address,
    vipAddress,
    takenPort,
    nowhere: { amphoraId: deriveId('nowhere'), endpoint: { host: '127.0.0.1', port: await freePort() } },
    request: async (port) => (await fetch(`http://${vipAddress}:${port}/`)).text(),
    member: async (name) => {
      const server = createServer((_request, response) => response.end(name));
      members.push(server);
      return listening(server, '127.0.0.1');
    },
    end: async () => {
      await driver.close();
      process.kill('SIGTERM');
      await process.ended;
      for (const server of [stranger, ...members]) {
        server.closeAllConnections();
        server.close();
      }
    },
  };
}

amphoraDriverContract('rest, with the agent of this repository', () => make());

describe('an agent that speaks TLS 1.2 only', () => {
  test('is understood', async () => {
    const amphora = await make('TLSv1.2');
    try {
      const info = await amphora.driver.info(amphora.address, AbortSignal.timeout(10_000));
      expect(info.haproxyVersion).toMatch(/^\d+\.\d+/);
    } finally {
      await amphora.end();
    }
  });
});
