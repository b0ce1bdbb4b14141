// The part of the composition root that opens a node's REST API: the command channel's own handlers, in process, and
// the tables for reading.
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import type { Tree } from '../actors/tree.ts';
import type { Relay } from '../actors/channels/relay.ts';
import type { StatusFeed } from '../actors/channels/status-feed.ts';
import { type Authenticate, nobodyAsked } from '../api/access.ts';
import { byKeystone } from '../api/keystone.ts';
import { commandPorts } from '../actors/channels/ports.ts';
import type { ApiPorts } from '../api/ports.ts';
import { allRoutes } from '../api/routes.ts';
import { type Answered, type ApiServer, startApiServer } from '../api/server.ts';
import { byStaticToken, parseStaticToken } from '../api/tokens.ts';
import { commandHandlers } from '../channels/command/handlers.ts';
import { type CommandHandlers, commandMethods, type ServerInfo } from '../channels/command/methods.ts';
import type { TlsPort } from '../channels/command/tls.ts';
import type { Placement } from '../channels/command/ports.ts';
import { RpcError } from '../channels/rpc/errors.ts';
import type { CallContext, Peer } from '../channels/rpc/method.ts';
import { CallReader } from '../channels/rpc/request.ts';
import { readKeyPair } from '../channels/tls.ts';
import type { Config } from '../config/schema.ts';
import { catalogueOf } from '../db/repositories/catalogue.ts';
import { QuotaRepository } from '../db/repositories/quotas.ts';
import { readsOf } from '../db/repositories/reads.ts';
import type { AlertChange } from '../domain/alert-views.ts';
import type { NetworkDriver } from '../drivers/network/driver.ts';

export interface ServeApi {
  readonly settings: Config['api'];
  /** Of projects that have none of their own. */
  readonly quotas: Config['quota'];
  readonly tree: Tree;
  readonly pool: Pool;
  readonly network: NetworkDriver;
  readonly placement: Placement;
  readonly tls: TlsPort;
  readonly feed: StatusFeed;
  readonly alerts: Relay<AlertChange>;
  readonly info: ServerInfo;
  readonly onAnswered?: (answer: Answered) => void;
  readonly log: Logger;
}

/** @throws ApiServerError when the address cannot be listened on, or must not without protection; TlsFileError */
export function serveApi(options: ServeApi): Promise<ApiServer> {
  const { settings, quotas, tree, pool, network, placement, tls, feed, alerts, info, onAnswered, log } = options;
  const reads = readsOf(pool);
  const catalogue = catalogueOf(pool);
  const handlers = commandHandlers({
    ...commandPorts(tree),
    network,
    tls,
    allowed: settings,
    reads,
    catalogue,
    placement,
    quotas: new QuotaRepository(pool, quotas),
    feed,
    alerts,
    info,
  });
  const apiPorts: ApiPorts = {
    call: callerOf(handlers),
    reads: { ...reads, findOffer: catalogue.find, listOffers: catalogue.list },
    network,
    offers: placement.offers,
  };
  const isOpen = settings.auth === 'none';
  return startApiServer({
    host: settings.host,
    port: settings.port,
    tls: apiTls(settings.tls),
    routes: allRoutes(apiPorts, {
      changes: settings.changes,
      foreign: settings.foreign,
      mostPerPage: settings.maxPageSize,
      withNetworking: isOpen,
      version: info.version,
    }),
    authenticate: authenticationOf(settings),
    isOpen,
    baseUrl: settings.baseUrl,
    maxBodyBytes: settings.maxBodyBytes,
    requestsPerSecond: settings.requestsPerSecond,
    onAnswered,
    deadlineMs: settings.deadline * 1000,
    log: log.child({ part: 'api' }),
  });
}

function apiTls({ certificate, key }: Config['api']['tls']) {
  if (certificate === undefined || key === undefined) return undefined;
  const named = (name: string, path: string) => ({ name: `api.tls.${name}`, path });
  return readKeyPair(named('certificate', certificate), named('key', key));
}

function authenticationOf({ auth, project, tokens = [], keystone }: Config['api']): Authenticate {
  switch (auth) {
    case 'none':
      return nobodyAsked(project);
    case 'token':
      return byStaticToken(tokens.flatMap((text) => parseStaticToken(text) ?? []));
    case 'keystone': {
      const { url = '', password = '', cacheSeconds, ...who } = keystone;
      return byKeystone({ ...who, url, password, cacheMs: cacheSeconds * 1000 });
    }
  }
}

/** Nobody listens: requests over HTTP subscribe to nothing. */
const noPeer: Peer = { notify: () => undefined, onClose: () => () => undefined };

type AnyHandler = (params: unknown, context: CallContext) => Promise<unknown>;

/** The channel's methods without a socket: read, checked and answered as over one. */
export function callerOf(handlers: CommandHandlers): ApiPorts['call'] {
  const reader = new CallReader(commandMethods);
  return async (method, params, { commandId, userToken, signal }) => {
    const own = commandMethods[method].changes ? { ...params, commandId } : params;
    const call = reader.read({ id: null, method, params: own });
    // Which parameters and which answer go with which method is checked where methods are declared.
    const handler = handlers[method] as unknown as AnyHandler;
    const answer = await handler(call.params, { signal, peer: noPeer, command: call.command, userToken }).catch(
      (error: unknown) => {
        if (error instanceof RpcError || !signal.aborted) throw error;
        throw new RpcError('unavailable', 'No answer in time; it may still happen', { retryAfterMs: 1_000, commandId });
      },
    );
    // The method's own answer.
    return { ...(answer as object), commandId } as never;
  };
}
