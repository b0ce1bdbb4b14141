import { randomUUID } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { useTestControl } from '../../support/control.ts';
import { FakeWorld } from '../../support/fake-drivers.ts';
import { waitFor } from '../../support/wait-for.ts';

const { client } = useTestControl(new FakeWorld());

const single = JSON.stringify({ loadbalancer_topology: 'SINGLE' });

async function newFlavor(name: string, more: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const profile = { name, providerName: 'amphora', flavorData: single };
  const { flavorProfile } = await client.call('flavorProfile.create', profile);
  const { flavor } = await client.call('flavor.create', { name, flavorProfileId: flavorProfile?.id, ...more });
  return flavor?.id ?? '';
}

const create = (more: Readonly<Record<string, unknown>>) =>
  client.call('loadBalancer.create', { projectId: 'p', vipSubnetId: 'subnet', ...more });

describe('a flavor', () => {
  test('is made once for its command, changed, listed and deleted, and so is its profile', async () => {
    const commandId = randomUUID();
    const profile = { name: 'gold', providerName: 'amphora', flavorData: single, commandId };
    const { flavorProfile } = await client.call('flavorProfile.create', profile);
    expect((await client.call('flavorProfile.create', profile)).flavorProfile).toEqual(flavorProfile);
    await expect(client.call('flavorProfile.create', { ...profile, name: 'other' })).rejects.toMatchObject({
      code: 'commandIdReused',
    });
    const made = { name: 'gold', description: 'fast', flavorProfileId: flavorProfile?.id };
    const { flavor } = await client.call('flavor.create', made);
    expect(flavor).toEqual({ ...made, id: flavor?.id, enabled: true });
    const id = flavor?.id ?? '';
    const { flavor: changed } = await client.call('flavor.update', { id, enabled: false, description: null });
    expect(changed).toMatchObject({ enabled: false, description: '' });
    expect((await client.call('flavor.list', { enabled: false })).items.map((item) => item.id)).toContain(id);
    expect((await client.call('flavor.list', { enabled: true })).items.map((item) => item.id)).not.toContain(id);
    await expect(client.call('flavorProfile.delete', { id: flavorProfile?.id })).rejects.toMatchObject({
      code: 'conflict',
      message: `Flavor Profile ${flavorProfile?.id} is in use and cannot be modified.`,
    });
    const update = { id: flavorProfile?.id, flavorData: '{}' };
    await expect(client.call('flavorProfile.update', update)).rejects.toMatchObject({ code: 'conflict' });
    const deletion = { id, commandId: randomUUID() };
    expect(await client.call('flavor.delete', deletion)).toMatchObject({ id });
    expect(await client.call('flavor.delete', deletion)).toMatchObject({ id });
    await expect(client.call('flavor.show', { id })).rejects.toMatchObject({ code: 'notFound' });
    await client.call('flavorProfile.delete', { id: flavorProfile?.id });
  });

  test.each([
    ['{', 'expected a JSON object, given something else'],
    ['[]', 'expected a JSON object'],
    ['{"flavour":"x"}', 'the provider does not know "flavour"'],
    ['{"compute_flavor":"x"}', 'the compute driver does not know compute_flavor'],
    [
      '{"loadbalancer_topology":"ACTIVE_ACTIVE"}',
      'loadbalancer_topology: expected SINGLE or ACTIVE_STANDBY, given "ACTIVE_ACTIVE"',
    ],
  ])(
    'whose profile says what the provider cannot carry out, such as %s, is refused with the reason',
    async (data, why) => {
      const profile = { name: 'bad', providerName: 'amphora', flavorData: data };
      await expect(client.call('flavorProfile.create', profile)).rejects.toMatchObject({
        code: 'invalid',
        message: expect.stringContaining(why),
      });
    },
  );

  test('that is taken, has no profile, or is not there is refused', async () => {
    const id = await newFlavor('taken');
    const { flavorProfileId } = await client.call('flavor.show', { id });
    await expect(client.call('flavor.create', { name: 'taken', flavorProfileId })).rejects.toMatchObject({
      code: 'conflict',
    });
    const nowhere = { name: 'new', flavorProfileId: randomUUID() };
    await expect(client.call('flavor.create', nowhere)).rejects.toMatchObject({ code: 'notFound' });
    await expect(client.call('flavor.update', { id: randomUUID(), enabled: true })).rejects.toMatchObject({
      code: 'notFound',
    });
  });

  test('is shown by load balancers that have it, and cannot be deleted before they are gone', async () => {
    const id = await newFlavor('used');
    const { loadBalancer } = await create({ flavorId: id });
    expect(loadBalancer).toMatchObject({ flavorId: id, availabilityZone: null });
    await expect(client.call('flavor.delete', { id })).rejects.toMatchObject({ code: 'conflict' });
    await client.call('loadBalancer.update', { id: loadBalancer?.id, name: 'still' });
    expect(await client.call('loadBalancer.show', { id: loadBalancer?.id })).toMatchObject({ flavorId: id });
    await client.call('loadBalancer.delete', { id: loadBalancer?.id });
    const isGone = () =>
      client.call('loadBalancer.show', { id: loadBalancer?.id }).then(
        () => false,
        () => true,
      );
    await waitFor(isGone, { timeoutMs: 20_000, describe: 'the load balancer to be gone' });
    await client.call('flavor.delete', { id });
  });

  test('that is disabled or unknown makes no load balancer', async () => {
    const id = await newFlavor('disabled', { enabled: false });
    await expect(create({ flavorId: id })).rejects.toMatchObject({ code: 'invalid', data: { field: 'flavorId' } });
    await expect(create({ flavorId: randomUUID() })).rejects.toMatchObject({ code: 'invalid' });
    await expect(create({ availabilityZone: 'nowhere' })).rejects.toMatchObject({ code: 'invalid' });
  });
});

test('an availability zone is known by its name, and cannot be deleted while a load balancer is in it', async () => {
  const profile = { name: 'zones', providerName: 'octavia', availabilityZoneData: '{}' };
  const { availabilityZoneProfile } = await client.call('availabilityZoneProfile.create', profile);
  const zone = { name: 'nova', availabilityZoneProfileId: availabilityZoneProfile?.id };
  await client.call('availabilityZone.create', zone);
  await client.call('availabilityZone.update', { name: 'nova', description: 'the first' });
  expect(await client.call('availabilityZone.show', { name: 'nova' })).toEqual({
    ...zone,
    description: 'the first',
    enabled: true,
  });
  const { loadBalancer } = await create({ availabilityZone: 'nova' });
  expect(loadBalancer).toMatchObject({ availabilityZone: 'nova' });
  await expect(client.call('availabilityZone.delete', { name: 'nova' })).rejects.toMatchObject({ code: 'conflict' });
  await client.call('availabilityZone.update', { name: 'nova', enabled: false });
  await expect(create({ availabilityZone: 'nova' })).rejects.toMatchObject({ code: 'invalid' });
});
