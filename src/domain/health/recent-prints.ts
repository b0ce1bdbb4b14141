// Fingerprints of the last packets of every amphora, so that one that is sent again is known. The protocol has no nonce:
// a repeat can be told only as long as it is remembered.

/** Packets that are remembered of each amphora: more than five minutes of an interval of ten seconds. */
export const remembered = 32;

export class RecentPrints {
  /** Rows of `remembered` fingerprints, each a ring; 0 stands for none. */
  #prints = new Int32Array(64 * remembered);
  /** Row → where its next fingerprint goes. */
  #next = new Uint8Array(64);
  readonly #free: number[] = [];
  #rows = 0;

  /** A row of its own for one amphora. */
  claim(): number {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#rows === this.#next.length) this.#grow();
    return this.#rows++;
  }

  release(row: number): void {
    this.#prints.fill(0, row * remembered, (row + 1) * remembered);
    this.#next[row] = 0;
    this.#free.push(row);
  }

  /** False when it is there already. */
  add(row: number, print: number): boolean {
    const wanted = print === 0 ? 1 : print;
    const from = row * remembered;
    for (let index = from; index < from + remembered; index++) if (this.#prints[index] === wanted) return false;
    const next = this.#next[row] ?? 0;
    this.#prints[from + next] = wanted;
    this.#next[row] = (next + 1) % remembered;
    return true;
  }

  #grow(): void {
    const [prints, next] = [this.#prints, this.#next];
    this.#prints = new Int32Array(prints.length * 2);
    this.#prints.set(prints);
    this.#next = new Uint8Array(next.length * 2);
    this.#next.set(next);
  }
}
