// What a customer asks for besides messages: a person, a rating, the end of the chat. Each is kept until the server
// has stored it, also across a reload, under one id.
//
// It knows: a connection, the memory, and the frames' order.
// It must not know: what a frame means, or how an answer is shown.
import { newId } from "./connection.js";

export class Requests {
  #connection;
  #memory;
  #waiting = [];

  /** @param {import("./connection.js").Connection} connection @param {import("./memory.js").Memory} memory */
  constructor(connection, memory) {
    this.#connection = connection;
    this.#memory = memory;
  }

  /** What a reload left, to be sent again. */
  get kept() {
    return this.#memory.get("requests") ?? [];
  }

  /** Does one of this type wait? */
  has(type) {
    return this.#waiting.some((frame) => frame.type === type);
  }

  /** Sends a frame, under a new id unless it has one. Resolves when it is stored. */
  send(fields) {
    const frame = { id: newId(), ...fields };
    this.#waiting = [...this.#waiting, frame];
    this.#keep();
    const settle = () => {
      const left = this.#waiting.filter((other) => other !== frame);
      if (left.length === this.#waiting.length) return; // dropped meanwhile
      this.#waiting = left;
      this.#keep();
    };
    return this.#connection.request(frame).finally(settle);
  }

  /** Sends a frame now or not at all: what it is about may be another thing after a reconnect. */
  sendNow(fields) {
    return this.#connection.request({ id: newId(), ...fields }, { keep: false });
  }

  /** Nothing waits any more; what is kept for a reload is `keep`'s to write. */
  drop({ keep = true } = {}) {
    this.#waiting = [];
    if (keep) this.#keep();
  }

  #keep() {
    this.#memory.set("requests", this.#waiting);
  }
}
