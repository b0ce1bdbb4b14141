// A real disk that is full: a small file system of its own for PostgreSQL. Only who may mount can have one.
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmodSync, mkdtempSync, rmdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { CommandClient } from '../../src/channels/command/client.ts';
import { RpcError } from '../../src/channels/rpc/errors.ts';
import { createWeb, fetchFrom, type RunningAmphi, untilActive, useAmphi, useBackends } from '../support/amphi.ts';
import { isRunning } from '../support/processes.ts';
import { waitFor } from '../support/wait-for.ts';

const disk = mount();

/** Undefined for whoever may not mount. */
function mount(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'amphi-disk-'));
  chmodSync(folder, 0o755);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=200m,mode=0755', 'tmpfs', folder], { stdio: 'ignore' });
    return folder;
  } catch {
    rmdirSync(folder);
    process.stderr.write('skipped: test/chaos/full-disk.test.ts needs a user who may mount a small file system\n');
    return undefined;
  }
}

// Before the hooks of useAmphi, which run in the order they are written: PostgreSQL must have left it.
const amphi = useAmphi('full-disk');
const backends = useBackends(['one', 'two']);
afterAll(() => {
  if (disk === undefined) return;
  execFileSync('umount', [disk]);
  rmdirSync(disk);
});

/** Until not a byte is left. */
function fill(): void {
  const { bavail, bsize } = statfsSync(disk ?? '');
  writeFileSync(join(disk ?? '', 'filling'), Buffer.alloc(bavail * bsize));
  expect(statfsSync(disk ?? '').bavail).toBe(0);
}

function makeRoom(): void {
  rmSync(join(disk ?? '', 'filling'));
}

interface Sent {
  readonly commandId: string;
  readonly protocolPort: number;
  /** The id of the listener, or the code of the error. */
  readonly outcome: Promise<{ readonly id: string } | { readonly code: string }>;
}

function createListener(client: CommandClient, loadBalancerId: string, protocolPort: number, commandId: string): Sent {
  const params = { loadBalancerId, protocol: 'TCP', protocolPort, connectionLimit: 10, commandId };
  const outcome = client.call('listener.create', params).then(
    ({ listener }) => ({ id: listener?.id ?? '' }),
    (error: unknown) => ({ code: error instanceof RpcError ? error.code : String(error) }),
  );
  return { commandId, protocolPort, outcome };
}

const isOver = (promise: Promise<unknown>) => Promise.race([promise.then(() => true), wait(1_500, false)]);

const where = disk === undefined ? describe.skip : describe;

where(
  `a full disk under PostgreSQL${disk === undefined ? ' (skipped: this user may not mount a small one)' : ''}`,
  () => {
    let running: RunningAmphi;
    let client: CommandClient;
    let id: string;
    let vip: string;
    let port = 9_000;
    const amphorae = async () => (await client.call('amphora.list', {})).items.map((one) => one.id).toSorted();

    beforeAll(async () => {
      // Root's PostgreSQL lies where this file says.
      writeFileSync(join(amphi.dataDir, 'postgresql.folder'), `${join(disk ?? '', 'postgresql')}\n`);
      running = await amphi.up({ AMPHI_SPARES_SIZE: '1', AMPHI_COMMANDS_RETENTION_HOURS: '1' });
      client = await running.connect();
      ({ id } = await createWeb(client, await backends.ports(), 8080));
      vip = await untilActive(client, id);
      await waitFor(async () => (await client.call('spares.show', {})).ready === 1, { describe: 'a spare' });
    });
    afterAll(() => running.stop());

    /** Sends until an answer does not come: what still fits into pages that are there is written. */
    async function sendUntilStuck(): Promise<readonly Sent[]> {
      const sent: Sent[] = [];
      do sent.push(createListener(client, id, port++, randomUUID()));
      while (sent.length < 400 && (await isOver(sent.at(-1)?.outcome ?? Promise.resolve())));
      expect(sent.length).toBeLessThan(400);
      return [...sent, ...[1, 2, 3].map(() => createListener(client, id, port++, randomUUID()))];
    }

    /** Each has an answer now, or gets it when it is repeated; all of them happened once. */
    async function expectAllDone(sent: readonly Sent[]): Promise<void> {
      for (const { commandId, protocolPort, outcome } of sent) {
        const first = await outcome;
        if ('code' in first) expect(['unavailable', 'busy']).toContain(first.code);
        const again = await createListener(client, id, protocolPort, commandId).outcome;
        expect(again).toEqual('id' in first ? first : { id: expect.any(String) });
      }
      await untilActive(client, id);
      const { items } = await client.call('listener.list', { loadBalancerId: id });
      const ports = items.map((listener) => listener.protocolPort);
      expect(new Set(ports).size).toBe(ports.length);
      for (const { protocolPort } of sent) expect(ports).toContain(protocolPort);
    }

    test('stops writes and nothing else: reads and traffic go on, nobody is failed over, what waits is done afterwards', async () => {
      const before = await amphorae();
      fill();
      const sent = await sendUntilStuck();
      // Longer than two time-outs of heartbeats.
      for (const until = Date.now() + 7_000; Date.now() < until; await wait(500)) {
        expect(await client.call('loadBalancer.show', { id })).toMatchObject({ name: 'web' });
        expect(['one', 'two']).toContain(await fetchFrom(vip, 8080));
      }
      makeRoom();
      await expectAllDone(sent);
      expect(await amphorae()).toEqual(before);
      expect(isRunning(running.process.pid)).toBe(true);
    });

    test('that lets PostgreSQL itself crash costs nothing that was acknowledged', async () => {
      const before = await amphorae();
      fill();
      // Its log cannot grow: PostgreSQL gives up.
      await running.query('select pg_switch_wal()').catch(() => undefined);
      const sent = [1, 2, 3, 4].map(() => createListener(client, id, port++, randomUUID()));
      await waitFor(
        () =>
          running.query('select txid_current()').then(
            () => false,
            () => true,
          ),
        { describe: 'PostgreSQL to refuse writes' },
      );
      for (const until = Date.now() + 7_000; Date.now() < until; await wait(500)) {
        expect(['one', 'two']).toContain(await fetchFrom(vip, 8080));
      }
      expect(isRunning(running.process.pid)).toBe(true);
      makeRoom();
      await expectAllDone(sent);
      expect(await amphorae()).toEqual(before);
    });
  },
);
