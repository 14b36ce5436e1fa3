// The tabs of one browser in step: a tab in which the chat is opened goes on with what another one is in, and they tell
// each other what was read, who has left, and which conversation is next. What is said comes to each of them from the
// server.
//
// It knows: a channel that only documents of this origin on the same site hear, and who may hear a token on it.
// It must not know: frames, or what is drawn.

/**
 * Events: `found` (detail = { token, conversation }: where another tab is, while this one is nowhere), `read`
 * (detail = { seq }), `left`, `moved` (detail = { token, conversation }), all of the conversation that this tab is in.
 */
export class Tabs extends EventTarget {
  #channel = null;
  #where;

  /** @param {string} site @param {() => { token?: string, conversation?: string, begun: boolean, customer: string | null }} where what this tab is in, and whom the business has signed for */
  constructor(site, where) {
    super();
    this.#where = where;
    if (typeof BroadcastChannel === "undefined") return;
    this.#channel = new BroadcastChannel(`candor:chat:${site}`);
    this.#channel.onmessage = ({ data }) => this.#hear(data ?? {});
  }

  /** Asks the other tabs where they are. */
  ask() {
    this.#tell("who");
  }

  /** This tab's customer has said something for the first time. */
  begun() {
    if (this.#where().token) this.#tell("here", { token: this.#where().token });
  }

  /** Everything up to here was seen. */
  read(seq) {
    this.#tell("read", { seq });
  }

  /** This tab's customer has signed out of `conversation`. */
  left(conversation) {
    this.#tell("left", { conversation });
  }

  /** This tab has gone on from `before` to another conversation. */
  moved(before) {
    const { token, conversation } = this.#where();
    this.#tell("moved", { conversation: before, token, next: conversation });
  }

  // A token is a secret of one customer: a tab in which somebody else is signed in does not take it.
  #tell(type, detail = {}) {
    const { conversation, customer } = this.#where();
    this.#channel?.postMessage({ type, conversation, customer, ...detail });
  }

  #hear({ type, conversation, customer, token, next, seq }) {
    const here = this.#where();
    if (customer !== here.customer) return;
    if (type === "who") {
      if (here.begun && here.token && here.conversation) this.#tell("here", { token: here.token });
    } else if (type === "here") {
      if (!here.begun && token && conversation) this.#say("found", { token, conversation });
    } else if (conversation && conversation === here.conversation) {
      this.#say(type, { seq, token, conversation: next });
    }
  }

  #say(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** Whom a signed word is about, as far as it says so; nobody checks it here. */
export function customerOf(identity) {
  if (!identity) return null;
  try {
    const claims = identity.split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
    return String(JSON.parse(atob(claims)).sub);
  } catch {
    return identity; // then nobody but its holder is this customer
  }
}
