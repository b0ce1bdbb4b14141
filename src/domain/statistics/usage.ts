/** What the load balancers of a project have moved, in some time. */
export interface Usage {
  readonly projectId: string;
  /** Bytes from clients. */
  readonly bytesIn: number;
  /** Bytes to clients. */
  readonly bytesOut: number;
  readonly totalConnections: number;
  readonly requestErrors: number;
}
