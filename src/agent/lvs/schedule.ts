// Which member a new client gets, as LVS's schedulers choose: round robin, least connections and source hash, each by weight.
// (ipvsadm(8): rr/wrr, wlc, sh.)
import { isIPv6 } from 'node:net';
import type { Schedule } from './configuration.ts';

/** What a choice looks at. */
export interface Candidate {
  readonly id: string;
  /** Above 0. */
  readonly weight: number;
  /** Clients it has now. */
  readonly clients: number;
}

/** Chooses among candidates; remembers whose turn it is. */
export class Scheduler {
  readonly #turns = new Map<string, number>();

  /** One of the candidates; undefined when there are none. `client` decides for `sh`: the same one, the same member. */
  choose<C extends Candidate>(schedule: Schedule, candidates: readonly C[], client: string): C | undefined {
    if (schedule === 'rr') return this.#nextInTurn(candidates);
    if (schedule === 'wlc') return leastBusy(candidates);
    return bySource(candidates, client);
  }

  /** Smooth weighted round robin: everyone gains its weight each round, the richest pays for all. */
  #nextInTurn<C extends Candidate>(candidates: readonly C[]): C | undefined {
    let best: C | undefined;
    let total = 0;
    for (const candidate of candidates) {
      total += candidate.weight;
      const credit = (this.#turns.get(candidate.id) ?? 0) + candidate.weight;
      this.#turns.set(candidate.id, credit);
      if (best === undefined || credit > (this.#turns.get(best.id) ?? 0)) best = candidate;
    }
    if (best !== undefined) this.#turns.set(best.id, (this.#turns.get(best.id) ?? 0) - total);
    return best;
  }
}

function leastBusy<C extends Candidate>(candidates: readonly C[]): C | undefined {
  let best: C | undefined;
  for (const candidate of candidates) {
    // Compared crosswise: clients / weight without the division.
    if (best === undefined || candidate.clients * best.weight < best.clients * candidate.weight) best = candidate;
  }
  return best;
}

function bySource<C extends Candidate>(candidates: readonly C[], client: string): C | undefined {
  const total = candidates.reduce((sum, { weight }) => sum + weight, 0);
  let point = total === 0 ? 0 : hash(client) % total;
  return candidates.find(({ weight }) => (point -= weight) < 0);
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  return value >>> 0;
}

/** The leading bits of an address, as a text: equal for addresses of one network. */
export function networkOf(address: string, bits: { readonly ipv4: number; readonly ipv6: number }): string {
  if (isIPv6(address)) return bits.ipv6 >= 128 ? address : binary(groupsOf(address), 16).slice(0, bits.ipv6);
  return bits.ipv4 >= 32 ? address : binary(address.split('.').map(Number), 8).slice(0, bits.ipv4);
}

function binary(numbers: readonly number[], width: number): string {
  return numbers.map((number) => number.toString(2).padStart(width, '0')).join('');
}

function groupsOf(address: string): readonly number[] {
  const [head = '', tail] = address.replace(/%.*$/, '').split('::');
  const numbers = (part: string) => (part === '' ? [] : part.split(':').map((group) => parseInt(group, 16)));
  const front = numbers(head);
  const back = tail === undefined ? [] : numbers(tail);
  return [...front, ...Array.from({ length: Math.max(0, 8 - front.length - back.length) }, () => 0), ...back];
}
