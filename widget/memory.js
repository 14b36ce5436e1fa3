// What a reload needs to go on with the same conversation, kept for this tab only.
//
// It knows: one sessionStorage entry per site in the frame's own origin (the page's is launcher.js's), and that
// nothing is written before `begin` (the customer's first message): until then the device is left alone.
// It must not know: sockets or the DOM.

export class Memory {
  #key;
  #told;
  #begun = false;
  #values = {};
  #text = null; // as it is stored, so far as is known here

  /** @param {string} site @param {{ begun?(): void, cleared?(): void }} told when it begins to keep, and when it forgot */
  constructor(site, told = {}) {
    this.#told = told;
    this.#key = `candor:chat:${site}`;
    this.#read();
  }

  #read() {
    try {
      this.#text = sessionStorage.getItem(this.#key);
      const stored = JSON.parse(this.#text ?? "null");
      this.#begun = Boolean(stored) && typeof stored === "object";
      this.#values = this.#begun ? stored : {};
    } catch {
      // Storage is forbidden or damaged: a reload then starts anew, nothing else is lost.
    }
  }

  /** Takes over what another page of this tab wrote, or removed, since. False when that is nothing. */
  reread() {
    const before = this.#text;
    try {
      if (sessionStorage.getItem(this.#key) === before) return false;
    } catch {
      return false;
    }
    this.#read();
    return true;
  }

  /** Is something kept for a reload? */
  get begun() {
    return this.#begun;
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
    if (this.#write()) this.#told.begun?.();
  }

  /** Forgets everything, on the device too. */
  clear() {
    this.#values = {};
    this.#begun = false;
    this.#text = null;
    try {
      sessionStorage.removeItem(this.#key);
    } catch {
      // Nothing could have been written either.
    }
    this.#told.cleared?.();
  }

  #write() {
    if (!this.#begun) return false;
    try {
      const text = JSON.stringify(this.#values);
      sessionStorage.setItem(this.#key, text);
      this.#text = text;
      return true;
    } catch {
      return false; // full or forbidden: the chat goes on in memory
    }
  }
}
