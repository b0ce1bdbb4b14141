// What operators forbid, before a load balancer hears of it.
import { expect, test } from '@jest/globals';
import { type TlsPolicy, tlsAdmission } from '../../../src/channels/command/tls.ts';
import type { Reads } from '../../../src/channels/command/ports.ts';
import type { NewTree } from '../../../src/channels/command/tree-of.ts';
import type { ListenerAttributes, PoolAttributes } from '../../../src/domain/load-balancer/attributes.ts';
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
/** Trees of objects that stand at a place in a request. */
const treeOf = (...objects: readonly (readonly ['listeners' | 'pools', string, object])[]): NewTree => {
  const some = (wanted: string) =>
    objects.flatMap(([kind, field, attributes]) => (kind === wanted ? [{ id: field, attributes } as never] : []));
  const fields = new Map(objects.map(([, field]) => [field as never, field]));
  return { listeners: some('listeners'), pools: some('pools'), fields };
};
const admit = (tree: NewTree) => admission.newTree(tree, { projectId: 'p' }, context);
const admitted = async (more: Partial<ListenerAttributes>) => {
  const one = listener({ protocol: 'TERMINATED_HTTPS', defaultTlsContainerRef: 'file:a', ...more });
  return (await admit(treeOf(['listeners', '', one]))).listeners[0]?.attributes;
};
const admittedPool = async (one: PoolAttributes) => (await admit(treeOf(['pools', '', one]))).pools[0]?.attributes;

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

test('in a tree the field says which listener or pool it is', async () => {
  const old = listener({ protocol: 'TERMINATED_HTTPS', tlsVersions: ['TLSv1'] });
  await expect(
    admit(treeOf(['listeners', 'listeners[0]', listener()], ['listeners', 'listeners[1]', old])),
  ).rejects.toMatchObject({ data: { field: 'listeners[1].tlsVersions' } });
  const weak = pool({ tlsEnabled: true, tlsCiphers: 'RC4-SHA' });
  await expect(admit(treeOf(['pools', 'defaultPool', weak]))).rejects.toMatchObject({
    data: { field: 'defaultPool.tlsCiphers' },
  });
});

test('listeners and pools have defaults of their own, and none where no TLS is spoken', async () => {
  expect(await admitted({})).toMatchObject(terms);
  expect(await admittedPool(pool({ tlsEnabled: true }))).toMatchObject({ tlsCiphers: 'C' });
  expect(await admittedPool(pool())).toEqual(pool());
  expect(await admitted({ protocol: 'HTTP', defaultTlsContainerRef: null })).toMatchObject({ tlsCiphers: null });
});
