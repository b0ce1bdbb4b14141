// Hands datagrams to worker threads, where one core is not enough. A source always goes to the same one, so the
// heartbeats of an amphora stay in order.
import { Worker } from 'node:worker_threads';
import type { Reading, ReadingCounters } from './reading.ts';
import type { Answer, Batch, WorkerData } from './worker.ts';

/** Datagrams in a batch; one that is not full goes at the end of the turn of the event loop. */
const fullBatch = 128;
/** Datagrams that may wait for one worker. Beyond, they are dropped: old heartbeats are worth nothing. */
const mostWaiting = 8192;

interface Lane {
  readonly worker: Worker;
  datagrams: Buffer[];
  waiting: number;
}

export class ReadingWorkers {
  readonly #lanes: readonly Lane[];
  /** Given up because a worker was too slow. */
  dropped = 0;
  #isFlushing = false;

  /** `onFailed` is called when a worker has ended, which none does by itself. */
  constructor(
    count: number,
    data: WorkerData,
    take: (readings: readonly Reading[], counters: ReadingCounters) => void,
    onFailed: (error: Error) => void,
    main: URL = new URL('worker.js', import.meta.url),
  ) {
    this.#lanes = Array.from({ length: count }, () => {
      const worker = new Worker(main, { workerData: data });
      const lane: Lane = { worker, datagrams: [], waiting: 0 };
      worker.on('message', ({ readings, counters }: Answer) => {
        lane.waiting -= counters.accepted + counters.badSignature + counters.badCompression + counters.badMessage;
        take(readings, counters);
      });
      worker.on('error', onFailed);
      worker.unref();
      return lane;
    });
  }

  /** The datagram is copied when its batch goes, in this turn of the event loop. */
  add(datagram: Buffer, address: string, port: number): void {
    const lane = this.#lanes[laneOf(address, port, this.#lanes.length)];
    if (lane === undefined) return;
    if (lane.waiting >= mostWaiting) {
      this.dropped++;
      return;
    }
    lane.waiting++;
    lane.datagrams.push(datagram);
    if (lane.datagrams.length === fullBatch) this.#send(lane);
    else if (!this.#isFlushing) {
      this.#isFlushing = true;
      setImmediate(() => {
        this.#isFlushing = false;
        for (const each of this.#lanes) if (each.datagrams.length > 0) this.#send(each);
      });
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#lanes.map(({ worker }) => worker.terminate()));
  }

  #send(lane: Lane): void {
    const { datagrams } = lane;
    lane.datagrams = [];
    const bytes = new Uint8Array(datagrams.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const datagram of datagrams) {
      bytes.set(datagram, at);
      at += datagram.length;
    }
    const batch: Batch = { bytes, lengths: datagrams.map(({ length }) => length) };
    lane.worker.postMessage(batch, [bytes.buffer]);
  }
}

function laneOf(address: string, port: number, lanes: number): number {
  let hash = port;
  for (let index = 0; index < address.length; index++) hash = (Math.imul(hash, 31) + address.charCodeAt(index)) | 0;
  return (hash >>> 0) % lanes;
}
