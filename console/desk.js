// The agent's desk: queue, conversation and panel side by side, one at a time on a phone.
// `<desk-view>` holds them together and owns the keys. Must not speak to the server itself.

import { h, replace } from "./dom.js";
import { button } from "./chips.js";
import { ConversationView } from "./desk-conversation.js";
import { listenForKeys, showHelp } from "./desk-keys.js";
import { Panel } from "./desk-panel.js";
import { Queue } from "./desk-queue.js";
import { waitingSince } from "./desk-store.js";
import { icon } from "./icons.js";

class DeskView extends HTMLElement {
  #store;
  #open = null;
  #view = null;
  #listeners = new AbortController();
  #middle = h("div", { class: "desk-middle" });
  #side = h("div", { class: "desk-side" });
  #queue;
  #panel = null;

  /** Sets what the desk works on; before it is put into the page. */
  use(store) {
    this.#store = store;
    this.#queue = new Queue(store, (conversation) => go(conversation));
    this.append(h("h1", { class: "spoken" }, "Desk"), this.#queue.element, this.#middle, this.#side);
    return this;
  }

  connectedCallback() {
    const { signal } = this.#listeners;
    for (const type of ["cards", "agents"]) this.#store.addEventListener(type, () => this.#update(), { signal });
    for (const type of ["turn", "opened"]) {
      this.#store.addEventListener(type, ({ detail }) => { if (detail.conversation === this.#open) this.#updatePanel(); }, { signal });
    }
    listenForKeys(
      {
        j: () => this.#queue.move(1),
        k: () => this.#queue.move(-1),
        c: () => this.#claim(),
        r: () => this.#view?.composer.focus("say") ?? false,
        n: () => this.#view?.composer.focus("note") ?? false,
        t: () => this.#view?.perform("transfer") ?? false,
        b: () => this.#view?.perform("return_to_bot") ?? false,
        e: () => this.#view?.perform("close") ?? false,
        s: () => this.#view?.summary.toggle() ?? false,
        d: () => this.#toggleDetails(),
        Escape: () => (this.#open ? go(null) : false),
        "?": showHelp,
      },
      signal,
    );
    this.show(this.#open);
  }

  disconnectedCallback() {
    this.#listeners.abort();
    this.#view?.dispose();
  }

  /** Shows `conversation`, or the empty middle for null. */
  show(conversation) {
    if (this.#view && conversation === this.#open) return;
    this.#view?.dispose();
    this.#open = conversation;
    this.dataset.screen = conversation ? "conversation" : "list";
    document.body.classList.toggle("in-conversation", Boolean(conversation));
    if (conversation) {
      this.#view = new ConversationView(this.#store, conversation, { back: () => go(null), details: () => this.#toggleDetails() });
      this.#panel = new Panel({ onclose: () => this.#toggleDetails(false) });
      replace(this.#middle, this.#view.element);
      replace(this.#side, this.#panel.element);
    } else {
      this.#view = this.#panel = null;
      this.#toggleDetails(false);
      replace(this.#side);
    }
    this.#update();
  }

  #update() {
    this.#queue.update(this.#open);
    this.#view?.update();
    if (this.#open) this.#updatePanel();
    else replace(this.#middle, this.#nothingOpen());
  }

  #updatePanel() {
    const log = this.#store.log(this.#open);
    if (log) this.#panel?.update(this.#view.card, log);
  }

  #toggleDetails(on = !this.classList.contains("with-details")) {
    this.classList.toggle("with-details", on);
    if (on) this.#side.querySelector(".panel-close")?.focus();
  }

  // `c` claims what the cursor is on, else what is open, else whoever waits first.
  #claim() {
    const focused = this.#queue.focused;
    const first = this.#store.sections().waiting[0]?.conversation;
    const target = focused ?? (this.#view ? this.#open : first);
    if (!target) return false;
    if (target !== this.#open) go(target, { now: this });
    return this.#view?.perform("claim") ?? false;
  }

  #nothingOpen() {
    const { waiting, mine } = this.#store.sections();
    const next = waiting[0];
    return h(
      "div",
      { class: "desk-empty" },
      h("div", { class: "desk-empty-mark" }, icon("desk")),
      next
        ? [h("h2", null, waiting.length === 1 ? "One customer is waiting" : `${waiting.length} customers are waiting`),
           h("p", null, `${next.customer} has waited since ${new Date(waitingSince(next)).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}${next.reason ? ` · ${next.reason.label}` : ""}`),
           button("Open the first", { kind: "primary", onclick: () => go(next.conversation) })]
        : [h("h2", null, "Nobody is waiting"), h("p", null, mine.length ? "Your conversations are in the list." : "New customers appear here by themselves.")],
      h("p", { class: "quiet-text desk-empty-keys" }, h("kbd", null, "j"), " ", h("kbd", null, "k"), " move · ", h("kbd", null, "c"), " claim · ", h("button", { class: "link", onclick: showHelp }, "all keys")),
    );
  }
}

// The address names the open conversation, so that a phone's Back leads to the list.
function go(conversation, { now = null } = {}) {
  location.hash = conversation ? `#/desk/${conversation}` : "#/desk";
  now?.show(conversation);
}

customElements.define("desk-view", DeskView);

/** The desk over `store`. */
export function deskView(store) {
  return document.createElement("desk-view").use(store);
}
