// What the command line gets from the composition root: it may not know how a node is made.
import type { Logger } from 'pino';
import type { Config } from '../config/schema.ts';

export interface RunningNode {
  readonly ports: { readonly api: number | null; readonly control: number; readonly heartbeat: number | null };
  stop(): Promise<void>;
}

export interface CliPorts {
  /** @throws an error whose message is a sentence for whoever started the program */
  startNode(options: { readonly config: Config; readonly log: Logger }): Promise<RunningNode>;
  readonly version: string;
}
