// Decides how late and how wrong each call goes, from the rules that tests gave. Random numbers are seeded, so that a
// run can be repeated.
import type { Behaviour, Fault, Latency, WorldCall } from './protocol.ts';

export interface Fate {
  readonly latencyMs: number;
  readonly fault: Fault | undefined;
}

interface Rule extends Behaviour {
  remaining: number;
}

export class Behaviours {
  #rules: Rule[] = [];
  #random = randomFrom(1);

  add(behaviour: Behaviour): void {
    this.#rules.unshift({ ...behaviour, remaining: behaviour.next ?? Number.POSITIVE_INFINITY });
  }

  clear(): void {
    this.#rules = [];
  }

  seed(seed: number): void {
    this.#random = randomFrom(seed);
  }

  /** The newest rule that gives a latency, and the newest whose fault strikes. */
  fateOf(call: WorldCall, key: string | null): Fate {
    if (this.#rules.length === 0) return unharmed;
    const rules = this.#rules.filter((rule) => applies(rule, call, key));
    const latency = rules.find((rule) => rule.latency !== undefined)?.latency ?? 0;
    const striking = rules.find((rule) => this.#strikes(rule));
    if (striking !== undefined) striking.remaining -= 1;
    return { latencyMs: this.#draw(latency), fault: striking?.fault };
  }

  #strikes({ fault, remaining, probability = 1 }: Rule): boolean {
    return fault !== undefined && remaining > 0 && (probability === 1 || this.#random() < probability);
  }

  #draw(latency: Latency): number {
    return drawLatency(latency, this.#random);
  }
}

/** Milliseconds. */
export function drawLatency(latency: Latency, random: () => number): number {
  return typeof latency === 'number' ? latency : latency.from + (latency.to - latency.from) * random();
}

const unharmed: Fate = { latencyMs: 0, fault: undefined };

function applies(rule: Rule, call: WorldCall, key: string | null): boolean {
  return (rule.call === '*' || rule.call === call) && (rule.key === undefined || rule.key === key);
}

/** Mulberry32: small, fast, good enough for tests. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
