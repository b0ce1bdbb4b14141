// A worker thread that reads heartbeats for the receiver: batches of datagrams in, messages out, in the same order.
import { parentPort, workerData } from 'node:worker_threads';
import { noReadings, readPacket, type Reading, type ReadingCounters } from './reading.ts';

export interface WorkerData {
  readonly keys: readonly string[];
}

/** Datagrams one behind the other. */
export interface Batch {
  readonly bytes: Uint8Array;
  readonly lengths: readonly number[];
}

export interface Answer {
  readonly readings: readonly Reading[];
  /** Of this batch. */
  readonly counters: ReadingCounters;
}

const { keys } = workerData as WorkerData;

parentPort?.on('message', ({ bytes, lengths }: Batch) => {
  const counters = noReadings();
  const datagrams = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const readings: Reading[] = [];
  let from = 0;
  for (const length of lengths) {
    const reading = readPacket(datagrams.subarray(from, (from += length)), keys, counters);
    if (reading !== undefined) readings.push(reading);
  }
  parentPort?.postMessage({ readings, counters } satisfies Answer);
});
