// Amphorae as processes of this machine: each an agent in a session of its own, with its haproxy as child, on loopback
// addresses. They survive the controller. What runs is asked of /proc; the folder of an amphora holds its files.
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AmphoraId, DeploymentId } from '../../../domain/ids.ts';
import { PermanentFailure, TransientFailure } from '../../failure.ts';
import type { ComputeDriver, Instance, InstanceRequest } from '../driver.ts';
import { agentPort, freeAddress } from './address.ts';
import { amphoraeIn, type InstanceRecord, readRecord, removeHome, writeConfigDrive, writeRecord } from './home.ts';
import {
  type AmphoraProcess,
  amphoraProcesses,
  deploymentVariable,
  folderVariable,
  isAlive,
  killGroups,
  startTimeOf,
} from './processes.ts';

export interface LocalComputeOptions {
  /** Holds a folder for each amphora; made when missing. */
  readonly folder: string;
  /** Loopback addresses for agents, CIDR. */
  readonly managementSubnet: string;
  readonly deploymentId: DeploymentId;
  /** The built `agent/main.js`. */
  readonly agentMain: string;
  /** Path or name of the haproxy that amphorae run. */
  readonly haproxy: string;
}

const pollMs = 10;

/** The computeId is `<pid>.<start time>` of the agent, `none` for an instance that does not run. */
export function localCompute(options: LocalComputeOptions): ComputeDriver {
  mkdirSync(options.folder, { recursive: true, mode: 0o700 });
  // Processes carry the path: it must be the same however the folder is reached.
  const compute = new LocalCompute({ ...options, folder: realpathSync(options.folder) });
  return {
    name: 'local',
    listsEverything: true,
    offers: ['sharedAmphorae'],
    create: (request, signal) => compute.create(request, signal),
    get: (amphoraId, signal) => compute.get(amphoraId, signal),
    delete: (amphoraId, signal) => compute.delete(amphoraId, signal),
    list: (signal) => compute.list(signal),
    close: () => Promise.resolve(),
  };
}

class LocalCompute {
  readonly #options: LocalComputeOptions;
  /** Amphora → the last call that changes it: they take turns. */
  readonly #turns = new Map<string, Promise<unknown>>();
  /** Addresses given to agents that may not listen yet. */
  readonly #given = new Map<string, string>();

  constructor(options: LocalComputeOptions) {
    this.#options = options;
  }

  create(request: InstanceRequest, signal: AbortSignal): Promise<Instance> {
    return this.#inTurn(request.amphoraId, 'create', signal, async () => {
      const { amphoraId } = request;
      const home = this.#home(amphoraId);
      const running = this.#agentOf(home);
      if (running !== undefined) return this.#adopt(amphoraId, running);
      // What an agent left behind that died: its haproxy still holds the VIP.
      await this.#killAll(home, signal);
      const host = await this.#address(amphoraId, readRecord(home)?.host);
      const record = { host, port: agentPort, deploymentId: request.deploymentId };
      writeRecord(home, record);
      writeConfigDrive(home, request.files, { host, port: agentPort, haproxy: this.#options.haproxy });
      signal.throwIfAborted();
      const started = await this.#startAgent(home, request.deploymentId);
      writeRecord(home, { ...record, ...started });
      return active(amphoraId, { ...record, ...started });
    });
  }

  async get(amphoraId: AmphoraId, signal: AbortSignal): Promise<Instance | undefined> {
    return guarded('get', signal, () => {
      const home = this.#home(amphoraId);
      const record = readRecord(home);
      if (record !== undefined && runs(record)) return Promise.resolve(active(amphoraId, record));
      const exists = amphoraeIn(this.#options.folder).includes(amphoraId);
      const processes = processesIn(home, this.#options.deploymentId);
      if (!exists && processes.length === 0) return Promise.resolve(undefined);
      return Promise.resolve(instanceOf(amphoraId, record, processes));
    });
  }

  delete(amphoraId: AmphoraId, signal: AbortSignal): Promise<void> {
    return this.#inTurn(amphoraId, 'delete', signal, async () => {
      const home = this.#home(amphoraId);
      await this.#killAll(home, signal);
      removeHome(home);
      this.#given.delete(amphoraId);
    });
  }

  /** Amphorae that have a folder, and those of which only processes are left. */
  async list(signal: AbortSignal): Promise<readonly Instance[]> {
    const { folder, deploymentId } = this.#options;
    return guarded('list', signal, () => {
      const processes = amphoraProcesses();
      const ours = processes.filter((one) => dirname(one.folder) === folder || one.deploymentId === deploymentId);
      const running = ours.map((one) => basename(one.folder));
      const ids = new Set([...amphoraeIn(folder), ...running]);
      const instances = [...ids].flatMap((id) => {
        const home = join(folder, id);
        const record = readRecord(home);
        const found = processes.filter((one) => isOf(one, home, deploymentId));
        // A folder without a record was being made here, by this deployment: the folder is its own.
        const owner = record?.deploymentId ?? found[0]?.deploymentId ?? deploymentId;
        return owner === deploymentId ? [instanceOf(id as AmphoraId, record, found)] : [];
      });
      return Promise.resolve(instances);
    });
  }

  #home(amphoraId: AmphoraId): string {
    return join(this.#options.folder, amphoraId);
  }

  #agentOf(home: string): AmphoraProcess | undefined {
    return amphoraProcesses().find((one) => one.folder === home && one.isAgent);
  }

  /** Writes down what a controller that died between start and record could not. */
  #adopt(amphoraId: AmphoraId, { pid, startedAt, deploymentId }: AmphoraProcess): Instance {
    const home = this.#home(amphoraId);
    const record = readRecord(home);
    if (record === undefined) {
      throw new PermanentFailure(`amphora ${amphoraId} runs as process ${pid}, but its folder is gone: delete it`, {
        call: 'compute.local create',
      });
    }
    const whole = { ...record, deploymentId, pid, startedAt };
    if (record.pid !== pid) writeRecord(home, whole);
    return active(amphoraId, whole);
  }

  async #address(amphoraId: AmphoraId, before: string | undefined): Promise<string> {
    const isReserved = (address: string): boolean =>
      [...this.#given].some(([holder, given]) => holder !== amphoraId && given === address);
    const { managementSubnet } = this.#options;
    const host = before ?? (await freeAddress(amphoraId, managementSubnet, isReserved));
    if (host === undefined) {
      throw new TransientFailure(`no address of ${managementSubnet} has port ${agentPort} free`, {
        call: 'compute.local create',
      });
    }
    this.#given.set(amphoraId, host);
    return host;
  }

  /** The agent gets no variable of ours: there may be secrets among them. */
  async #startAgent(home: string, deploymentId: string): Promise<{ readonly pid: number; readonly startedAt: number }> {
    const output = openSync(join(home, 'output.log'), 'w', 0o600);
    try {
      const child = spawn(process.execPath, [this.#options.agentMain, '--root', home], {
        cwd: home,
        detached: true,
        env: { PATH: process.env['PATH'], [folderVariable]: home, [deploymentVariable]: deploymentId },
        stdio: ['ignore', output, output],
      });
      await new Promise((spawned, failed) => child.once('spawn', spawned).once('error', failed));
      child.unref();
      const pid = child.pid ?? 0;
      return { pid, startedAt: startTimeOf(pid) ?? 0 };
    } finally {
      closeSync(output);
    }
  }

  /** Until nothing of the amphora runs. Looks again after each blow: a process may have been starting another one. */
  async #killAll(home: string, signal: AbortSignal): Promise<void> {
    const { deploymentId } = this.#options;
    const left = () => processesIn(home, deploymentId);
    for (let processes = left(); processes.length > 0; processes = left()) {
      signal.throwIfAborted();
      killGroups(processes);
      await sleep(pollMs);
    }
  }

  #inTurn<T>(amphoraId: string, call: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(amphoraId) ?? Promise.resolve();
    const mine = before.catch(() => undefined).then(() => guarded(call, signal, work));
    const settled = mine
      .catch(() => undefined)
      .finally(() => {
        if (this.#turns.get(amphoraId) === settled) this.#turns.delete(amphoraId);
      });
    this.#turns.set(amphoraId, settled);
    return mine;
  }
}

/**
 * An amphora's processes, also when a controller with another data folder started them: whoever destroys an amphora must
 * not leave its haproxy on the VIP.
 */
function processesIn(home: string, deploymentId: string): readonly AmphoraProcess[] {
  return amphoraProcesses().filter((one) => isOf(one, home, deploymentId));
}

function isOf(one: AmphoraProcess, home: string, deploymentId: string): boolean {
  return one.folder === home || (one.deploymentId === deploymentId && basename(one.folder) === basename(home));
}

function runs({ pid, startedAt }: InstanceRecord): boolean {
  return pid !== undefined && startedAt !== undefined && isAlive(pid, startedAt);
}

function active(amphoraId: AmphoraId, { host, port, pid, startedAt }: InstanceRecord): Instance {
  return { amphoraId, computeId: `${pid}.${startedAt}`, status: 'ACTIVE', agent: { host, port } };
}

function instanceOf(
  amphoraId: AmphoraId,
  record: InstanceRecord | undefined,
  processes: readonly AmphoraProcess[],
): Instance {
  const agent = processes.find((one) => one.isAgent);
  if (agent !== undefined && record !== undefined) return active(amphoraId, { ...record, ...agent });
  if (agent !== undefined || processes.length > 0) {
    const fault = `${agent === undefined ? 'the agent has ended' : 'its folder is gone'}, but ${processes.length} of its processes run`;
    return { amphoraId, computeId: 'none', status: 'ERROR', agent: undefined, fault };
  }
  const fault = record?.endedBy === undefined ? undefined : `${record.endedBy} has ended it`;
  return { amphoraId, computeId: 'none', status: 'STOPPED', agent: undefined, fault };
}

/** What another try may find better: too many processes or files, no memory, no space. */
const transientCodes = new Set(['EAGAIN', 'EMFILE', 'ENFILE', 'ENOMEM', 'ENOSPC', 'EBUSY']);

/** Maps errors of the system to the two failures of drivers. */
async function guarded<T>(call: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  const details = { call: `compute.local ${call}` };
  try {
    signal.throwIfAborted();
    return await work();
  } catch (error) {
    if (error instanceof TransientFailure || error instanceof PermanentFailure) throw error;
    if (signal.aborted) throw new TransientFailure(`compute.local ${call} was given up`, { ...details, cause: error });
    const { code = '', message } = error as NodeJS.ErrnoException;
    const Failure = transientCodes.has(code) ? TransientFailure : PermanentFailure;
    throw new Failure(`compute.local ${call}: ${message}`, { ...details, cause: error });
  }
}
