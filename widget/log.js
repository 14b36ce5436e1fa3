// The rule that keeps one conversation's events gapless, in order and single.
//
// It knows: sequence numbers and the epoch of the server's store.
// It must not know: sockets, what an event means, or the DOM.

/** Verdicts of `offer` and `check`. */
export const NEXT = "next"; // apply it
export const OLD = "old"; // already applied: drop it
export const GAP = "gap"; // something before it is missing: hold it a moment, then say hello again with `after`

const HELD = 500; // events that are held beyond a gap; the rest comes with the resume

export class Log {
  #last = 0;
  #epoch = null;
  #held = new Map(); // seq -> event, beyond a gap

  /** The newest applied seq; 0 when nothing was. */
  get last() {
    return this.#last;
  }

  get epoch() {
    return this.#epoch;
  }

  /** Forgets everything; the next event must be the one after `after`. */
  reset(after = 0) {
    this.#last = Number.isSafeInteger(after) && after > 0 ? after : 0;
    this.#epoch = null;
    this.#held.clear();
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

  /** Keeps an event from beyond a gap, in case what is missing is only late. */
  hold(event) {
    if (this.#held.size < HELD) this.#held.set(event.seq, event);
  }

  /** The held event that is next by now, counted as applied; null when there is none. */
  release() {
    const event = this.#held.get(this.#last + 1) ?? null;
    if (event) {
      this.#held.delete(event.seq);
      this.#last = event.seq;
    }
    return event;
  }

  /** Is something missing before what is held? What was applied since is let go of. */
  get broken() {
    for (const seq of this.#held.keys()) if (seq <= this.#last) this.#held.delete(seq);
    return this.#held.size > 0;
  }

  /** Compares the server's newest seq (from `pong` or `resumed`) with ours. */
  check(seq) {
    return Number.isSafeInteger(seq) && seq > this.#last ? GAP : OLD;
  }
}
