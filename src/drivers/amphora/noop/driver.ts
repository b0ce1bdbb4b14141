// Amphorae of the noop world. Does not retry: a fault that a test asked for shall strike.
import type { WorldClient } from '../../noop-world/client.ts';
import type { AmphoraDriver } from '../driver.ts';

const endOfCertificate = '-----END CERTIFICATE-----';

/** The client may be shared; `close` ends its connection. */
export function noopAmphora(world: WorldClient): AmphoraDriver {
  return {
    name: 'noop',
    info: async ({ amphoraId }, signal) => {
      const info = await world.call('amphora.info', { amphoraId }, signal);
      const certificateExpiresAt = new Date(info.certificateExpiresAt);
      return { ...info, certificateExpiresAt, apiVersion: '1.0', haproxyVersion: 'noop' };
    },
    // Private keys don't leave the process for a world that has no use for them.
    serve: ({ amphoraId }, { files: _, ...request }, signal) =>
      world.call('amphora.serve', { ...request, amphoraId }, signal),
    withdraw: async ({ amphoraId }, { loadBalancerId }, signal) =>
      void (await world.call('amphora.withdraw', { amphoraId, loadBalancerId }, signal)),
    handOver: async ({ amphoraId }, signal) => void (await world.call('amphora.handOver', { amphoraId }, signal)),
    configure: async ({ amphoraId }, agentConfiguration, signal) => {
      await world.call('amphora.configure', { amphoraId, agentConfiguration }, signal);
    },
    certify: async ({ amphoraId }, serverPem, signal) => {
      // Its key stays here: a world has no use for it.
      const certificatePem = serverPem.slice(0, serverPem.indexOf(endOfCertificate) + endOfCertificate.length);
      await world.call('amphora.certify', { amphoraId, certificatePem }, signal);
    },
    configurationDigest: async ({ amphoraId }, { loadBalancerId }, signal) =>
      (await world.call('amphora.configurationDigest', { amphoraId, loadBalancerId }, signal)) ?? undefined,
    close: () => world.close(),
  };
}
