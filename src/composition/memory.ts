// Keeps memory small, and gives it back to the system. V8 lets its heap grow for a burst of work, such as a takeover that wakes thousands of
// entities, and keeps what it got for as long as the process allocates a little now and then, as a controller always does.
import v8 from 'node:v8';
import vm from 'node:vm';
import type { Logger } from 'pino';

/**
 * How much the heap may grow beyond what lives in it, before it is collected: V8 would take up to four times as much where a machine has
 * much memory. With a hundred thousand amphorae this saves a fifth of the memory for a little more CPU (docs/performance.md).
 */
const growingPercent = 40;
const lookEveryMs = 15_000;
/** The pause that a full collection costs must be worth it, and rare. */
const leastUnusedBytes = 96 * 1024 * 1024;
const leastUnusedShare = 0.4;

/** Whether a heap of that size is worth being made smaller. Bytes. */
export function isMostlyUnused({ total_heap_size: total, used_heap_size: used }: HeapSize): boolean {
  return total - used >= leastUnusedBytes && (total - used) / total >= leastUnusedShare;
}

type HeapSize = Pick<v8.HeapInfo, 'total_heap_size' | 'used_heap_size'>;

/** Looks every 15 s. Returns how to stop that. */
export function returnUnusedMemory(log: Logger): () => void {
  v8.setFlagsFromString(`--heap-growing-percent=${growingPercent}`);
  v8.setFlagsFromString('--expose-gc');
  const collect = vm.runInNewContext('gc') as () => void;
  const timer = setInterval(() => {
    const before = v8.getHeapStatistics();
    if (!isMostlyUnused(before)) return;
    const startedAt = performance.now();
    collect();
    const pauseMs = Math.round(performance.now() - startedAt);
    const bytes = before.total_heap_size - v8.getHeapStatistics().total_heap_size;
    log.debug({ bytes, pauseMs }, 'memory that was not used was given back');
  }, lookEveryMs);
  timer.unref();
  return () => clearInterval(timer);
}
