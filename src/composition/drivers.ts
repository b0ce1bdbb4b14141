// The drivers that the settings ask for.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Config } from '../config/schema.ts';
import type { Offers } from '../domain/catalogue.ts';
import type { DeploymentId } from '../domain/ids.ts';
import type { AmphoraDriver } from '../drivers/amphora/driver.ts';
import { noopAmphora } from '../drivers/amphora/noop/driver.ts';
import { createRestAmphoraDriver } from '../drivers/amphora/rest/rest.ts';
import type { CertificateManager } from '../drivers/certificate-manager/driver.ts';
import type { CertificateDriver } from '../drivers/certificate/driver.ts';
import { createLocalCertificateDriver } from '../drivers/certificate/local/local.ts';
import type { ComputeDriver } from '../drivers/compute/driver.ts';
import { localCompute } from '../drivers/compute/local/driver.ts';
import { noopCompute } from '../drivers/compute/noop/driver.ts';
import type { NetworkDriver } from '../drivers/network/driver.ts';
import { localNetwork } from '../drivers/network/local/driver.ts';
import { noopNetwork } from '../drivers/network/noop/driver.ts';
import { WorldClient } from '../drivers/noop-world/client.ts';
import { startNoopWorld } from '../drivers/noop-world/start.ts';
import { openCertificateManager } from './certificates.ts';
import { findExecutable } from './executable.ts';
import { certificatesFolder } from './peers.ts';
import type { Started } from './started.ts';

const connectTimeoutMs = 2_000;

export interface Drivers {
  readonly compute: ComputeDriver;
  readonly network: NetworkDriver;
  readonly amphora: AmphoraDriver;
  readonly certificate: CertificateDriver;
  readonly certificateManager: CertificateManager;
}

/** What flavors and availability zones may ask for. */
export function offersOf({
  compute,
  network,
}: {
  readonly compute: Pick<ComputeDriver, 'offers'>;
  readonly network: Pick<NetworkDriver, 'offers'>;
}): Offers {
  return [...compute.offers, ...(network.offers.sriovPorts ? (['sriovPorts'] as const) : [])];
}

export async function openDrivers(
  config: Config,
  deploymentId: DeploymentId,
  node: string,
  started: Started,
): Promise<Drivers> {
  const certificate = await createLocalCertificateDriver({
    folder: certificatesFolder(config.secretsDir ?? config.dataDir),
    keyType: config.certificate.keyType,
    serverCertificateDays: config.certificate.serverDays,
  });
  const certificateManager = openCertificateManager(config);
  started.add(() => certificateManager.close());
  const drivers = config.driver === 'noop' ? await openNoop() : openLocal();
  started.add(() => Promise.all([drivers.compute.close(), drivers.network.close(), drivers.amphora.close()]));
  return { ...drivers, certificate, certificateManager };

  async function openNoop() {
    let address = config.noop.world;
    if (address === undefined) {
      const logFile = join(config.dataDir, 'noop-world.log');
      const world = await startNoopWorld({ logFile, isBoundless: config.noop.subnets === 'any' });
      started.add(() => world.stop());
      address = world.address;
    }
    const world = new WorldClient({ address, node });
    return { compute: noopCompute(world, deploymentId), network: noopNetwork(world), amphora: noopAmphora(world) };
  }

  function openLocal() {
    return {
      compute: localCompute({
        folder: join(config.dataDir, 'amphorae'),
        managementSubnet: config.local.managementSubnet,
        deploymentId,
        agentMain: fileURLToPath(new URL('../agent/main.js', import.meta.url)),
        haproxy: findExecutable('local.haproxy', config.local.haproxy),
      }),
      network: localNetwork({
        cidr: config.local.subnet,
        additionalCidr: config.local.additionalSubnet,
        vrrpSubnet: config.local.vrrpSubnet,
        managementSubnet: config.local.managementSubnet,
      }),
      amphora: createRestAmphoraDriver({
        credentials: certificate.controllerCredentials(),
        connectTimeoutMs,
        readTimeoutMs: config.steps.timeout * 1000,
      }),
    };
  }
}
