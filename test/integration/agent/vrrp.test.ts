// Two real agents that agree on who has the VIP.
import { get } from 'node:http';
import { describe, expect, test } from '@jest/globals';
import { renderHaproxy } from '../../../src/domain/haproxy/render.ts';
import { deriveId, type LoadBalancerId } from '../../../src/domain/ids.ts';
import { renderKeepalived } from '../../../src/domain/vrrp/keepalived.ts';
import { randomVip, type TestAgent, useTestAgents } from '../../support/agent.ts';
import type { HeartbeatReceiver } from '../../support/heartbeats.ts';
import { servedTree } from '../../support/served-tree.ts';
import { undoAfterEach } from '../../support/undo.ts';
import { waitFor } from '../../support/wait-for.ts';

const loadBalancerId = deriveId<LoadBalancerId>('agent-vrrp-test');
const port = 8080;

const undo = undoAfterEach();
const agents = useTestAgents('agent-vrrp', undo);

interface One {
  readonly agent: TestAgent;
  readonly own: string;
  readonly heartbeats: HeartbeatReceiver;
}

async function one(): Promise<One> {
  return { ...(await agents.start()), own: randomVip() };
}

async function upload({ agent, own }: One, vip: string, peer: One, beginsAs: 'MASTER' | 'BACKUP'): Promise<void> {
  const text = renderKeepalived(
    {
      loadBalancerId,
      vipAddress: vip,
      subnetCidr: '127.0.0.0/8',
      gateway: null,
      beginsAs,
      priority: beginsAs === 'MASTER' ? 100 : 90,
      address: own,
      peerAddress: peer.own,
      password: 'of-both',
    },
    'lo',
  );
  // A test need not wait for whole seconds.
  expect((await agent.call('PUT', '/1.0/vrrp/upload', text.replace('advert_int 1', 'advert_int 0.2'))).status).toBe(
    200,
  );
}

async function serve({ agent }: One, vip: string): Promise<void> {
  const tree = servedTree({ loadBalancerId, vipAddresses: [vip], listener: { protocol: 'HTTP', protocolPort: port } });
  const path = `/1.0/loadbalancer/${agent.address.amphoraId}/${loadBalancerId}/haproxy`;
  expect((await agent.call('PUT', path, renderHaproxy(tree) ?? '')).status).toBe(202);
  expect((await agent.call('PUT', `/1.0/loadbalancer/${loadBalancerId}/reload`)).status).toBe(202);
}

/** haproxy answers 503 where it listens: there are no members. */
function answers(host: string): Promise<boolean> {
  return new Promise((resolve) => {
    get({ host, port, agent: false, timeout: 1_000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 503);
    }).on('error', () => resolve(false));
  });
}

describe('of two agents', () => {
  test('the master has the VIP, the backup listens on its own address, and takes over when the master stops', async () => {
    const [master, backup, vip] = [await one(), await one(), randomVip()];
    await upload(master, vip, backup, 'MASTER');
    await upload(backup, vip, master, 'BACKUP');
    for (const each of [master, backup]) await serve(each, vip);
    expect(await answers(vip)).toBe(false);
    for (const { own } of [master, backup]) expect(await answers(own)).toBe(true);
    for (const { agent } of [backup, master]) expect((await agent.call('PUT', '/1.0/vrrp/start')).status).toBe(202);
    await waitFor(async () => (await answers(vip)) && !(await answers(master.own)), {
      describe: 'the master to have it',
    });
    expect(await answers(backup.own)).toBe(true);
    expect((await master.agent.call('PUT', '/1.0/vrrp/stop')).status).toBe(202);
    await waitFor(async () => (await answers(vip)) && !(await answers(backup.own)), {
      describe: 'the backup to take it',
    });
  });

  test('one says nothing of itself between the upload of its configuration and its start, and after its stop', async () => {
    const [quiet, other, vip] = [await one(), await one(), randomVip()];
    const { agent, heartbeats } = quiet;
    const speaks = async (after: number) =>
      waitFor(() => heartbeats.messages.length > after, { timeoutMs: 1_000, describe: 'a heartbeat' }).then(
        () => true,
        () => false,
      );
    expect(await speaks(0)).toBe(true);
    await upload(quiet, vip, other, 'MASTER');
    // One may have been on its way.
    await agent.call('GET', '/1.0/info');
    expect(await speaks(heartbeats.messages.length + 1)).toBe(false);
    await agent.call('PUT', '/1.0/vrrp/start');
    expect(await speaks(heartbeats.messages.length)).toBe(true);
    await agent.call('PUT', '/1.0/vrrp/stop');
    await agent.call('GET', '/1.0/info');
    expect(await speaks(heartbeats.messages.length + 1)).toBe(false);
  });

  test('one whose haproxy is gone for good leaves the VIP to the other one', async () => {
    const [master, backup, vip] = [await one(), await one(), randomVip()];
    await upload(master, vip, backup, 'MASTER');
    await upload(backup, vip, master, 'BACKUP');
    for (const each of [master, backup]) await serve(each, vip);
    for (const { agent } of [master, backup]) await agent.call('PUT', '/1.0/vrrp/start');
    await waitFor(() => answers(vip), { describe: 'the VIP to answer' });
    expect((await master.agent.call('PUT', `/1.0/loadbalancer/${loadBalancerId}/stop`)).status).toBe(202);
    await waitFor(() => answers(vip), { timeoutMs: 10_000, describe: 'the backup to answer' });
    expect(await answers(backup.own)).toBe(false);
  });

  test('a configuration that lacks what matters is refused by name, and an unknown action too', async () => {
    const { agent } = await one();
    const answer = await agent.call('PUT', '/1.0/vrrp/upload', 'vrrp_instance x {\n    state SOMETHING\n}\n');
    expect([answer.status, answer.text]).toEqual([400, expect.stringContaining('state: expected MASTER or BACKUP')]);
    expect((await agent.call('PUT', '/1.0/vrrp/start')).status).toBe(500);
    expect((await agent.call('PUT', '/1.0/vrrp/dance')).status).toBe(400);
  });
});
