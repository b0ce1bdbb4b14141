// What every compute driver promises, as tests: call it with a factory from a test file of the implementation.
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { AmphoraId, DeploymentId } from '../../src/domain/ids.ts';
import type { ComputeDriver, Instance, InstanceRequest } from '../../src/drivers/compute/driver.ts';
import { waitFor } from '../support/wait-for.ts';

export interface ComputeUnderTest {
  /** A driver on the same world each time it is called: what a controller has after a restart. */
  connect(deploymentId: DeploymentId): ComputeDriver;
  files(amphoraId: AmphoraId): Promise<Readonly<Record<string, string>>> | Readonly<Record<string, string>>;
}

export function computeDriverContract(name: string, under: ComputeUnderTest): void {
  const deploymentId = randomUUID() as DeploymentId;
  const signal = new AbortController().signal;
  let driver: ComputeDriver;
  let made: AmphoraId[] = [];

  async function request(amphoraId = randomUUID() as AmphoraId): Promise<InstanceRequest> {
    made.push(amphoraId);
    return { amphoraId, deploymentId, files: await under.files(amphoraId) };
  }

  function untilActive(amphoraId: AmphoraId): Promise<Instance> {
    const active = async (): Promise<Instance | undefined> => {
      const instance = await driver.get(amphoraId, signal);
      return instance?.status === 'ACTIVE' ? instance : undefined;
    };
    return waitFor(active, { describe: `instance amphora-${amphoraId} to be ACTIVE` });
  }

  describe(`compute driver ${name}`, () => {
    beforeEach(() => {
      driver = under.connect(deploymentId);
    });

    afterEach(async () => {
      await Promise.all(made.map((amphoraId) => driver.delete(amphoraId, signal)));
      made = [];
      await driver.close();
    });

    test('an instance that was created becomes ACTIVE and has an address', async () => {
      const asked = await request();
      const created = await driver.create(asked, signal);
      expect(created.amphoraId).toBe(asked.amphoraId);
      const active = await untilActive(asked.amphoraId);
      expect(active.computeId).toBe(created.computeId);
      expect(active.agent).toEqual({ host: expect.any(String), port: expect.any(Number) });
    });

    test('creating it again, or after a restart of the controller, adopts it', async () => {
      const asked = await request();
      const first = await driver.create(asked, signal);
      const second = await driver.create(asked, signal);
      const restarted = under.connect(deploymentId);
      const third = await restarted.create(asked, signal);
      await restarted.close();
      expect([second.computeId, third.computeId]).toEqual([first.computeId, first.computeId]);
      expect(await driver.list(signal)).toHaveLength(1);
    });

    test('creating it twice at the same time makes one', async () => {
      const asked = await request();
      const [one, other] = await Promise.all([driver.create(asked, signal), driver.create(asked, signal)]);
      expect(one.computeId).toBe(other.computeId);
    });

    test('an instance that does not exist is undefined, and deleting it is no error', async () => {
      const unknown = randomUUID() as AmphoraId;
      expect(await driver.get(unknown, signal)).toBeUndefined();
      await driver.delete(unknown, signal);
    });

    test('a deleted instance is gone, and deleting it again is no error', async () => {
      const asked = await request();
      await driver.create(asked, signal);
      await driver.delete(asked.amphoraId, signal);
      expect(await driver.get(asked.amphoraId, signal)).toBeUndefined();
      expect(await driver.list(signal)).toEqual([]);
      await driver.delete(asked.amphoraId, signal);
    });

    test('the list holds what this deployment made and nothing of another', async () => {
      const [one, two] = [await request(), await request()];
      await driver.create(one, signal);
      await driver.create(two, signal);
      const ids = (await driver.list(signal)).map((instance) => instance.amphoraId);
      expect(ids.sort()).toEqual([one.amphoraId, two.amphoraId].sort());
      const stranger = under.connect(randomUUID() as DeploymentId);
      expect(await stranger.list(signal)).toEqual([]);
      await stranger.close();
    });

    test('two instances have different addresses', async () => {
      const [one, two] = [await request(), await request()];
      await Promise.all([driver.create(one, signal), driver.create(two, signal)]);
      const [first, second] = await Promise.all([untilActive(one.amphoraId), untilActive(two.amphoraId)]);
      expect(first.agent).not.toEqual(second.agent);
    });

    test('an aborted call does nothing', async () => {
      const asked = await request();
      await expect(driver.create(asked, AbortSignal.abort())).rejects.toMatchObject({ name: 'TransientFailure' });
      expect(await driver.get(asked.amphoraId, signal)).toBeUndefined();
    });
  });
}
