// Serves a noop world over TCP on loopback: reads requests, lets them go wrong as told, and writes the log of calls.
import { closeSync, openSync, writeSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { PermanentFailure, TransientFailure } from '../failure.ts';
import { Behaviours } from './behaviour.ts';
import { Heartbeats } from './heartbeats.ts';
import {
  type CallRecord,
  type CallRequest,
  lineReader,
  type ControlRequest,
  type WorldControl,
  type WorldControls,
  type WorldReply,
  type WorldRequest,
} from './protocol.ts';
import { WorldNetwork } from './network.ts';
import { World } from './world.ts';

export interface WorldServer {
  /** `127.0.0.1:port`, as the setting `noop.world` wants it. */
  readonly address: string;
  close(): Promise<void>;
}

export interface ServeWorld {
  /** 0, the default, takes a free one. */
  readonly port?: number;
  /** Appended to, a JSON line a call; none is written without it. */
  readonly logFile?: string | undefined;
  /** Every network and subnet that is named is there; else only two subnets of its own. */
  readonly isBoundless?: boolean;
}

type Controls = { [C in WorldControl]: (params: WorldControls[C]['params']) => WorldControls[C]['result'] };

/** @throws the error of `listen` when the port cannot be used. */
export async function serveWorld({ port = 0, logFile, isBoundless = false }: ServeWorld): Promise<WorldServer> {
  const heartbeats = new Heartbeats();
  const behaviours = new Behaviours();
  const log = openLog(logFile);
  const world = new World(
    {
      created: (instance) => heartbeats.start(instance),
      gone: (instance) => heartbeats.stop(instance),
      served: (instance) => heartbeats.update(instance),
      configured: (instance) => heartbeats.restart(instance),
    },
    Date.now,
    new WorldNetwork(isBoundless),
  );
  const controls = controlsOf(world, behaviours, heartbeats);
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    const reply = batched(socket);
    const read = lineReader((line) => {
      try {
        const request = JSON.parse(line) as WorldRequest;
        if ('control' in request) reply(obey(request));
        else carryOut(request, reply);
      } catch (error) {
        // Whoever speaks another language shall not end the world of the others.
        socket.destroy(error as Error);
      }
    });
    socket.setEncoding('utf8').on('data', read);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  });

  function obey({ id, control, params }: ControlRequest): WorldReply {
    return { id, result: (controls[control] as (params: unknown) => unknown)(params) };
  }

  function carryOut(request: CallRequest, reply: (reply: WorldReply) => void): void {
    const { latencyMs, fault } = behaviours.fateOf(request.call, keyOf(request.params));
    const act = (): void => {
      const { answer, result } = answerTo(
        request,
        fault === 'fail' || fault === 'refuse' || fault === 'hang' ? fault : undefined,
      );
      const unanswered = fault === 'loseAnswer' ? ({ unanswered: true } as const) : {};
      log.write({ ...recordOf(request, result), ...unanswered, ...(result === 'ok' ? sharing(request) : {}) });
      if (fault === 'hang' || fault === 'loseAnswer') return;
      reply(fault === 'failAfter' ? failureOf(request, 'transient', 'after the effect') : answer);
    };
    if (latencyMs === 0) act();
    else setTimeout(act, latencyMs);
  }

  function answerTo(
    request: CallRequest,
    fault: 'fail' | 'refuse' | 'hang' | undefined,
  ): { answer: WorldReply; result: string } {
    if (fault !== undefined) {
      const kind = fault === 'refuse' ? 'permanent' : 'transient';
      return { answer: failureOf(request, kind, 'as told'), result: fault === 'hang' ? 'hang' : `${kind}: as told` };
    }
    try {
      const result = world.answer(request.call, request.params);
      const refused = (result as { accepted?: boolean } | null)?.accepted === false;
      return { answer: { id: request.id, result }, result: refused ? 'refused' : 'ok' };
    } catch (error) {
      if (!(error instanceof TransientFailure || error instanceof PermanentFailure)) throw error;
      const failure = error instanceof TransientFailure ? 'transient' : 'permanent';
      return { answer: { id: request.id, failure, message: error.message }, result: `${failure}: ${error.message}` };
    }
  }

  function sharing({ call, params }: CallRequest): Pick<CallRecord, 'sharedWith'> {
    if (call !== 'network.plugVip') return {};
    const { vip, amphoraId } = params as WorldPlug;
    const sharedWith = world.sharers(vip.address, amphoraId);
    return sharedWith.length === 0 ? {} : { sharedWith };
  }

  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  const bound = server.address();
  return {
    address: `127.0.0.1:${typeof bound === 'object' && bound !== null ? bound.port : port}`,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      heartbeats.close();
      log.close();
    },
  };
}

type WorldPlug = { readonly vip: { readonly address: string }; readonly amphoraId: string };

function controlsOf(world: World, behaviours: Behaviours, heartbeats: Heartbeats): Controls {
  return {
    behave: (behaviour) => (behaviours.add(behaviour), null),
    behaveWell: () => {
      behaviours.clear();
      world.refusedConfigurations = undefined;
      return null;
    },
    carryHeartbeats: (way) => (heartbeats.carry(way), null),
    seed: ({ seed }) => (behaviours.seed(seed), null),
    refuseConfigurations: ({ pattern }) => {
      world.refusedConfigurations = pattern === null ? undefined : new RegExp(pattern);
      return null;
    },
    hosts: ({ count }) => ((world.hosts = count), null),
    bootTime: ({ ms }) => ((world.bootMs = ms), null),
    silence: ({ amphoraId, silent }) => {
      const instance = world.find(amphoraId);
      if (instance !== undefined) instance.silent = silent;
      return null;
    },
    kill: ({ amphoraId }) => (world.kill(amphoraId), null),
    state: () => world.state(),
  };
}

function recordOf({ node, epoch, call, params, commands = [] }: CallRequest, result: string): CallRecord {
  const { amphoraId, loadBalancerId } = params as KeyParams;
  const both = amphoraId !== undefined && loadBalancerId !== undefined;
  return {
    at: Date.now(),
    node,
    epoch,
    call,
    key: keyOf(params),
    ...(both && { loadBalancer: loadBalancerId }),
    result,
    ...(commands.length > 0 && { commands }),
  };
}

interface KeyParams {
  readonly amphoraId?: string;
  readonly loadBalancerId?: string;
}

/** The amphora a call is about, else the load balancer. */
function keyOf(params: unknown): string | null {
  const { amphoraId, loadBalancerId } = params as KeyParams;
  return amphoraId ?? loadBalancerId ?? null;
}

function failureOf({ id, call }: CallRequest, failure: 'transient' | 'permanent', why: string): WorldReply {
  return { id, failure, message: `the noop world lets ${call} fail ${why}` };
}

/** Writes everything of one turn of the event loop with one system call. */
function batched(socket: Socket): (reply: WorldReply) => void {
  let waiting = '';
  return (reply) => {
    if (waiting === '') setImmediate(() => [socket.write(waiting), (waiting = '')]);
    waiting += `${JSON.stringify(reply)}\n`;
  };
}

function openLog(file: string | undefined): { write(record: CallRecord): void; close(): void } {
  if (file === undefined) return { write: () => undefined, close: () => undefined };
  const descriptor = openSync(file, 'a', 0o600);
  let waiting = '';
  const flush = (): void => {
    if (waiting !== '') writeSync(descriptor, waiting);
    waiting = '';
  };
  return {
    write: (record) => {
      if (waiting === '') setImmediate(flush);
      waiting += `${JSON.stringify(record)}\n`;
    },
    close: () => {
      flush();
      setImmediate(closeSync, descriptor);
    },
  };
}
