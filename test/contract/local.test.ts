import { join } from 'node:path';
import { localCompute } from '../../src/drivers/compute/local/driver.ts';
import { localNetwork } from '../../src/drivers/network/local/driver.ts';
import { packageRoot } from '../support/built.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { computeDriverContract } from './compute-driver.ts';
import { networkDriverContract } from './network-driver.ts';

const folder = tempFolder('local-contract');

computeDriverContract('local', {
  connect: (deploymentId) =>
    localCompute({
      folder,
      managementSubnet: '127.201.0.0/16',
      deploymentId,
      agentMain: join(packageRoot, 'test/support/stand-in-agent.js'),
      haproxy: 'haproxy',
    }),
  files: () => ({ 'amphora-agent.conf': '[amphora_agent]\n' }),
});

networkDriverContract('local', {
  connect: () =>
    localNetwork({
      cidr: '127.88.0.0/16',
      additionalCidr: '127.87.0.0/16',
      vrrpSubnet: '127.90.0.0/16',
      managementSubnet: '127.89.0.0/16',
    }),
  usableAddress: '127.88.3.4',
  foreignAddress: '127.89.0.1',
  reservedAddress: '127.88.255.255',
});
