// What a reload needs to go on with the same conversation, kept for this tab only.
//
// It knows: one sessionStorage entry per site, and that nothing is written
// before `begin` (the customer's first message): until then the device is left alone.
// It must not know: sockets or the DOM.

export class Memory {
  #key;
  #begun = false;
  #values = {};

  constructor(site) {
    this.#key = `candor:${site}`;
    try {
      const stored = JSON.parse(sessionStorage.getItem(this.#key) ?? "null");
      if (stored && typeof stored === "object") {
        this.#values = stored;
        this.#begun = true;
      }
    } catch {
      // Storage is forbidden or damaged: a reload then starts anew, nothing else is lost.
    }
  }

  /** Is a conversation kept from before the reload? */
  static has(site) {
    try {
      return sessionStorage.getItem(`candor:${site}`) !== null;
    } catch {
      return false;
    }
  }

  get(name) {
    return this.#values[name];
  }

  /** Holds a value; writes it down only when the customer has begun. */
  set(name, value) {
    if (this.#values[name] === value) return;
    this.#values[name] = value;
    this.#write();
  }

  /** From now on the values are kept for a reload. */
  begin() {
    if (this.#begun) return;
    this.#begun = true;
    this.#write();
  }

  /** Forgets everything, on the device too. */
  clear() {
    this.#values = {};
    this.#begun = false;
    try {
      sessionStorage.removeItem(this.#key);
    } catch {
      // Nothing could have been written either.
    }
  }

  #write() {
    if (!this.#begun) return;
    try {
      sessionStorage.setItem(this.#key, JSON.stringify(this.#values));
    } catch {
      // Full or forbidden: the chat goes on in memory.
    }
  }
}
