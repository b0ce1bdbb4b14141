// What operators forbid, before a load balancer hears of it.
import { expect, test } from '@jest/globals';
import { type TlsPolicy, tlsAdmission } from '../../../src/channels/command/tls.ts';
import type { Reads } from '../../../src/channels/command/ports.ts';
import type { ListenerAttributes } from '../../../src/domain/load-balancer/attributes.ts';
import { listener, pool } from '../../support/served-tree.ts';

const terms = { tlsCiphers: 'A:B', tlsVersions: ['TLSv1.2', 'TLSv1.3'], alpnProtocols: ['h2'] } as const;
const policy: TlsPolicy = {
  listener: terms,
  pool: { ...terms, tlsCiphers: 'C' },
  minimumVersion: 'TLSv1.2',
  prohibitedCiphers: ['RC4-SHA', 'DES-CBC3-SHA'],
};
const nothing = { findObject: async () => undefined } as unknown as Reads;
const admission = tlsAdmission({ tls: { policy, problemOf: async () => undefined }, reads: nothing });
const context = {
  signal: new AbortController().signal,
  peer: { notify: () => undefined, onClose: () => () => undefined },
  command: { id: 'id', digest: 'digest' },
};
const admitted = (more: Partial<ListenerAttributes>) =>
  admission.newListener(
    listener({ protocol: 'TERMINATED_HTTPS', defaultTlsContainerRef: 'file:a', ...more }),
    'lb',
    context,
  );

test('versions below the least are refused by name, in Octavia’s words', async () => {
  await expect(admitted({ tlsVersions: ['SSLv3', 'TLSv1.1', 'TLSv1.2'] })).rejects.toMatchObject({
    code: 'invalid',
    message: 'Validation failure: Requested TLS versions are less than the minimum: SSLv3, TLSv1.1 < TLSv1.2',
    data: { field: 'tlsVersions' },
  });
  await expect(admitted({ tlsVersions: ['TLSv1.3'] })).resolves.toMatchObject({ tlsVersions: ['TLSv1.3'] });
});

test('prohibited ciphers are refused by name', async () => {
  await expect(admitted({ tlsCiphers: 'HIGH:RC4-SHA:DES-CBC3-SHA' })).rejects.toMatchObject({
    message:
      'Validation failure: The following ciphers have been prohibited by an administrator: RC4-SHA, DES-CBC3-SHA',
    data: { field: 'tlsCiphers' },
  });
});

test('in a tree the field says which listener it is', async () => {
  const attributes = listener({ protocol: 'TERMINATED_HTTPS', tlsVersions: ['TLSv1'] });
  const listeners = [listener(), attributes].map((each, index) => ({ id: `l${index}`, attributes: each }) as never);
  await expect(admission.newTree({ listeners, pools: [] }, 'p', context)).rejects.toMatchObject({
    data: { field: 'listeners[1].tlsVersions' },
  });
});

test('listeners and pools have defaults of their own, and none where no TLS is spoken', async () => {
  const owner = { loadBalancerId: 'lb', listenerId: null };
  expect(await admitted({})).toMatchObject(terms);
  expect(await admission.newPool(pool({ tlsEnabled: true }), owner, context)).toMatchObject({ tlsCiphers: 'C' });
  expect(await admission.newPool(pool(), owner, context)).toEqual(pool());
  expect(await admitted({ protocol: 'HTTP', defaultTlsContainerRef: null })).toMatchObject({ tlsCiphers: null });
});
