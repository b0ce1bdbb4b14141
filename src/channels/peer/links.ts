// Connections to the other nodes of the cluster: one to each, made as soon as the node is known and made again while it is.
// The end of one is the first sign that a node has died.
import type { PeerCalls, PeerNotices } from '../../domain/cluster/messages.ts';
import { peerProtocolVersion } from '../../domain/cluster/messages.ts';
import { PeerUnreachableError, type Peers } from '../../domain/cluster/peers.ts';
import type { ClusterNode } from '../../domain/ownership.ts';
import { ConnectionError, RpcClient } from '../rpc/client.ts';
import { nodeHeader, type PeerMethods, peerServerName, versionHeader } from './methods.ts';

/** What a node shows to others, and whom it trusts. PEM. */
export interface PeerCredentials {
  readonly certificate: string;
  readonly key: string;
  readonly ca: string;
}

export interface PeerLinksOptions {
  readonly nodeId: string;
  readonly credentials: PeerCredentials;
  /** A connection has ended: the cluster may have changed. */
  readonly onLost: () => void;
  readonly log: { warn(data: object, message: string): void };
}

type Client = RpcClient<PeerMethods>;

interface Link {
  readonly address: string;
  client: Client | undefined;
  connecting: Promise<Client> | undefined;
  retry: NodeJS.Timeout | undefined;
  lastProblem: string;
}

const connectTimeoutMs = 3_000;
const reconnectMs = 250;
/** Servers ping every two seconds: after this time a connection is taken for lost. */
const longestSilenceMs = 8_000;
/** Notices are left out when so much waits for a node already. */
const mostBufferedBytes = 16 * 1024 * 1024;

export class PeerLinks implements Peers {
  readonly #options: PeerLinksOptions;
  readonly #links = new Map<string, Link>();
  #isClosed = false;

  constructor(options: PeerLinksOptions) {
    this.#options = options;
  }

  /** The nodes of the cluster as they are now. */
  update(nodes: readonly ClusterNode[]): void {
    const wanted = new Map(
      nodes.flatMap(({ id, address }) => (address === null || id === this.#options.nodeId ? [] : [[id, address]])),
    );
    for (const [node, link] of this.#links) if (wanted.get(node) !== link.address) void this.#drop(node, link);
    for (const [node, address] of wanted) {
      if (this.#links.has(node) || this.#isClosed) continue;
      const link: Link = { address, client: undefined, connecting: undefined, retry: undefined, lastProblem: '' };
      this.#links.set(node, link);
      this.#connect(node, link).catch(() => undefined);
    }
  }

  get connected(): number {
    return [...this.#links.values()].filter(({ client }) => client !== undefined).length;
  }

  async call<M extends keyof PeerCalls>(
    node: string,
    method: M,
    params: PeerCalls[M]['params'],
    signal: AbortSignal,
  ): Promise<PeerCalls[M]['result']> {
    const link = this.#links.get(node);
    if (link === undefined) throw new PeerUnreachableError(node);
    try {
      const client = link.client ?? (await (link.connecting ?? this.#connect(node, link)));
      return (await client.call(method, { ...params }, signal)) as PeerCalls[M]['result'];
    } catch (error) {
      if (error instanceof ConnectionError) throw new PeerUnreachableError(node, error);
      throw error;
    }
  }

  tell<N extends keyof PeerNotices>(node: string, notice: N, params: PeerNotices[N]): boolean {
    const client = this.#links.get(node)?.client;
    if (client === undefined || client.bufferedBytes >= mostBufferedBytes) return false;
    client.notify(notice, params);
    return true;
  }

  tellAll<N extends keyof PeerNotices>(notice: N, params: PeerNotices[N]): void {
    for (const node of this.#links.keys()) this.tell(node, notice, params);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(Array.from(this.#links, ([node, link]) => this.#drop(node, link)));
  }

  async #drop(node: string, link: Link): Promise<void> {
    clearTimeout(link.retry);
    this.#links.delete(node);
    await link.client?.close();
  }

  /** @throws ConnectionError */
  #connect(node: string, link: Link): Promise<Client> {
    clearTimeout(link.retry);
    link.connecting = this.#open(link).then(
      (client) => {
        link.connecting = undefined;
        if (this.#links.get(node) !== link) {
          void client.close();
          throw new ConnectionError(`node ${node} is not in the cluster any more`);
        }
        link.client = client;
        link.lastProblem = '';
        void client.closed.then(() => {
          link.client = undefined;
          if (this.#links.get(node) !== link) return;
          this.#options.onLost();
          this.#retryLater(node, link);
        });
        return client;
      },
      (error: unknown) => {
        link.connecting = undefined;
        this.#noteProblem(node, link, error);
        if (this.#links.get(node) === link) this.#retryLater(node, link);
        throw error;
      },
    );
    return link.connecting;
  }

  #open({ address }: Link): Promise<Client> {
    const { certificate, key, ca } = this.#options.credentials;
    return RpcClient.connect<PeerMethods>({
      url: `wss://${address}/peer`,
      tls: { ca, certificate, key, serverName: peerServerName },
      headers: { [versionHeader]: String(peerProtocolVersion), [nodeHeader]: this.#options.nodeId },
      timeoutMs: connectTimeoutMs,
      longestSilenceMs,
    });
  }

  #retryLater(node: string, link: Link): void {
    if (this.#isClosed) return;
    link.retry = setTimeout(() => {
      this.#connect(node, link).catch(() => undefined);
    }, reconnectMs);
  }

  /** What is said once is enough. */
  #noteProblem(node: string, link: Link, error: unknown): void {
    const { message } = error as Error;
    if (message === link.lastProblem) return;
    link.lastProblem = message;
    this.#options.log.warn({ err: error, node, address: link.address }, 'a node cannot be reached');
  }
}
