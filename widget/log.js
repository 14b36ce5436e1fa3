// The rule that keeps one conversation's events gapless, in order and single.
//
// It knows: sequence numbers and the epoch of the server's store.
// It must not know: sockets, what an event means, or the DOM.

/** Verdicts of `offer` and `check`. */
export const NEXT = "next"; // apply it
export const OLD = "old"; // already applied: drop it
export const GAP = "gap"; // something before it is missing: say hello again with `after`

export class Log {
  #last = 0;
  #epoch = null;

  /** The newest applied seq; 0 when nothing was. */
  get last() {
    return this.#last;
  }

  get epoch() {
    return this.#epoch;
  }

  /** Forgets everything; the next event must be seq 1. */
  reset() {
    this.#last = 0;
    this.#epoch = null;
  }

  /** Takes the server's epoch. False when it is another one: what we hold is not its history. */
  adopt(epoch) {
    if (this.#epoch !== null && epoch !== this.#epoch) return false;
    this.#epoch = epoch;
    return true;
  }

  /** Judges an event by its seq and, when it is the next one, counts it as applied. */
  offer(seq) {
    if (!Number.isSafeInteger(seq) || seq <= this.#last) return OLD;
    if (seq !== this.#last + 1) return GAP;
    this.#last = seq;
    return NEXT;
  }

  /** Compares the server's newest seq (from `pong` or `resumed`) with ours. */
  check(seq) {
    return Number.isSafeInteger(seq) && seq > this.#last ? GAP : OLD;
  }
}
