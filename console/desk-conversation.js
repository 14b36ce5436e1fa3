// One open conversation on the desk: header with actions, the summary, the live log, the composer.
// It listens to the store for its conversation only. Must not know the queue or the panel.

import { h, replace, setText } from "./dom.js";
import { STATES } from "./format.js";
import { icon } from "./icons.js";
import { button, moodChip, stateChip, verifiedMark, waitTime } from "./chips.js";
import { Composer } from "./composer.js";
import { actionsFor, isClosing, undoClose } from "./desk-actions.js";
import { waitingSince } from "./desk-store.js";
import { SummaryCard } from "./desk-summary.js";
import { ConversationLog } from "./log.js";
import { menu } from "./menu.js";
import { turnFold } from "./turn.js";

const TYPING_SHOWN = 5000;

export class ConversationView {
  #store;
  #id;
  #card;
  #listeners = new AbortController();
  #typingTimer = 0;
  #stamp = "";

  constructor(store, id, { back, details }) {
    this.#store = store;
    this.#id = id;
    this.#card = store.card(id);
    this.log = new ConversationLog({ drawTurn: turnFold, customer: () => this.#card?.customer ?? "Customer" });
    this.summary = new SummaryCard();
    this.composer = new Composer({ conversation: id, send: (kind, text) => this.#write(kind, text), typing: () => store.typing(id) });
    this.name = h("h2", { class: "conversation-name" });
    this.status = h("p", { class: "conversation-status" });
    this.actions = h("div", { class: "conversation-actions", role: "toolbar", "aria-label": "Actions" });
    this.loading = h("p", { class: "log-loading", role: "status" }, "Loading the conversation …");
    this.typing = h("p", { class: "typing", role: "status", "aria-live": "polite" });
    this.jump = h("button", { class: "button jump", hidden: true, onclick: () => this.#toEnd() }, "New message ↓");
    this.element = h(
      "section",
      { class: "conversation", "aria-label": "Conversation" },
      h(
        "header",
        { class: "conversation-head" },
        h("button", { class: "button quiet round back", "aria-label": "Back to the list", onclick: back }, icon("back")),
        h("div", { class: "conversation-title" }, this.name, this.status),
        this.actions,
        h("button", { class: "button quiet round details-toggle", "aria-label": "Details", title: "Why you have this", onclick: details }, icon("info")),
      ),
      this.summary.element,
      this.loading,
      this.log.element,
      h("div", { class: "conversation-foot" }, this.jump, this.typing, this.composer.element),
    );
    this.log.element.addEventListener("scroll", () => { if (this.log.atEnd) this.jump.hidden = true; }, { passive: true });
    this.#listen();
    store.open(id);
    this.update();
    this.#showPending();
  }

  /** The newest known card, marked closed once it is gone; null if there never was one. */
  get card() {
    return this.#card;
  }

  /** Stops following the conversation. */
  dispose() {
    this.#listeners.abort();
    clearTimeout(this.#typingTimer);
    this.#store.shut(this.#id);
  }

  /** Runs the action `name` if it fits now; opens its choices if it has some. */
  perform(name) {
    const action = actionsFor(this.#store, this.#card).find((one) => one.name === name);
    if (!action) return false;
    if (action.choices) [...this.actions.querySelectorAll(`[data-action=${name}]`)].find((one) => one.offsetParent)?.openMenu();
    else action.run();
    return true;
  }

  /** Draws header and composer again for the present card. */
  update() {
    const live = this.#store.card(this.#id);
    // A card that is gone belongs to a closed conversation; its last name is still worth showing.
    if (live) this.#card = live;
    else if (this.#card) this.#card = { ...this.#card, state: "closed" };
    const card = this.#card;
    const stamp = JSON.stringify([card?.state, card?.agent, card?.mood, card?.customer, card?.verified, card?.queued_at, isClosing(this.#id), this.#store.agents]);
    if (stamp === this.#stamp) return;
    this.#stamp = stamp;
    replace(this.name, card?.customer ?? "Conversation", verifiedMark(card?.verified));
    replace(this.status, statusLine(card, this.#store.me), card && moodChip(card.mood));
    this.#drawActions(card);
    this.#drawComposer(card);
  }

  #listen() {
    const { signal } = this.#listeners;
    const on = (type, run) =>
      this.#store.addEventListener(type, ({ detail }) => { if (detail.conversation === this.#id) run(detail); }, { signal });
    on("event", ({ event }) => this.#arrived(event));
    on("turn", ({ turn }) => this.#keepingEnd(() => this.log.addTurn(turn)));
    on("summary", ({ summary }) => this.#keepingEnd(() => this.summary.show(summary)));
    on("opened", () => this.#opened());
    on("pending", () => this.#keepingEnd(() => this.#showPending()));
    on("missing", ({ message }) => { setText(this.loading, `This conversation cannot be shown: ${message}.`); this.loading.hidden = false; });
    on("typing", ({ from }) => this.#showTyping(from));
    on("reset", () => { this.log.clear(); this.summary.show(null); this.loading.hidden = false; });
  }

  #opened() {
    this.loading.hidden = true;
    this.log.goLive();
    this.log.toEnd();
  }

  #arrived(event) {
    const loaded = this.#store.log(this.#id)?.loaded;
    const stay = loaded && !this.log.atEnd;
    this.log.add(event);
    if (!loaded) return;
    if (event.kind === "message") this.#showTyping(null);
    if (stay) this.jump.hidden = event.kind !== "message";
    else this.log.toEnd();
  }

  #keepingEnd(change) {
    const end = this.log.atEnd;
    change();
    if (end) this.log.toEnd();
  }

  // A message that is taken back returns to the field, so that its words are not lost.
  #showPending() {
    this.log.showPending(this.#store.pending(this.#id).map((message) => ({
      ...message,
      discard: () => { message.discard(); this.composer.restore(message.kind, message.text); },
    })));
  }

  #toEnd() {
    this.jump.hidden = true;
    this.log.toEnd();
  }

  #write(kind, text) {
    this.#store.write(kind, this.#id, text);
    this.#toEnd();
  }

  #showTyping(from) {
    clearTimeout(this.#typingTimer);
    const mine = from?.role === "agent" && from?.name === this.#store.me?.name;
    const name = from?.role === "customer" ? (this.#card?.customer ?? "The customer") : (from?.name ?? "Somebody");
    setText(this.typing, from && !mine ? `${name} is typing …` : "");
    if (from) this.#typingTimer = setTimeout(() => setText(this.typing, ""), TYPING_SHOWN);
  }

  #drawActions(card) {
    const actions = actionsFor(this.#store, card);
    const plain = actions.map((action) => {
      const title = action.key ? `${action.label} (${action.key})` : action.label;
      if (!action.choices) return button(action.label, { kind: action.primary ? "primary" : "", title, "data-action": action.name, onclick: action.run });
      const choices = menu(action.label, action.choices, { empty: "Nobody else is online." });
      choices.dataset.action = action.name;
      return choices;
    });
    replace(this.actions, h("div", { class: "actions-wide" }, plain), h("div", { class: "actions-narrow" }, this.#narrow(actions)));
  }

  // Phones have room for one menu; the first thing to do stands at the bottom, under the thumb.
  #narrow(actions) {
    if (actions.length === 0 || actions.some((action) => action.primary)) return null;
    const all = menu("Actions", () => actions.flatMap((action) => (action.choices ? action.choices().map((choice) => ({ ...choice, label: `Transfer to ${choice.label}` })) : [{ label: action.label, run: action.run }])), { kind: "quiet round", hideLabel: true });
    all.dataset.action = "transfer";
    return all;
  }

  #drawComposer(card) {
    const mine = card?.state === "assigned" && card.agent?.id === this.#store.me?.id;
    const first = actionsFor(this.#store, card).find((action) => action.primary);
    const word = (text) => h("span", null, text);
    if (isClosing(this.#id)) return this.composer.allow({ say: false, note: false }, word("Closing in a moment."), button("Undo", { onclick: () => undoClose(this.#id) }));
    switch (card?.state) {
      case "assigned":
        if (mine) return this.composer.allow({ say: true, note: true });
        return this.composer.allow({ say: false, note: true }, word(`${card.agent?.name ?? "A colleague"} has this conversation. You can leave a note.`));
      case "queued":
        return this.composer.allow({ say: false, note: true }, word("Waiting for a person. Claim it to reply."), button("Claim", { kind: "primary narrow-only", onclick: first?.run }));
      case "bot":
      case "offered":
        return this.composer.allow({ say: false, note: true }, word("The bot is answering. Take over to reply yourself."), button("Take over", { kind: "primary narrow-only", onclick: first?.run }));
      default:
        return this.composer.allow({ say: false, note: false }, word(card ? "This conversation is closed." : "This conversation is not on the desk."));
    }
  }
}

function statusLine(card, me) {
  if (!card) return h("span", { class: "quiet-text" }, "Not on the desk any more");
  if (card.state === "queued") return h("span", { class: "chip state state-queued" }, "Waiting ", waitTime(waitingSince(card)));
  if (card.state === "assigned") return h("span", { class: "chip state state-assigned" }, card.agent?.id === me?.id ? "Yours" : `With ${card.agent?.name ?? "a colleague"}`);
  return STATES[card.state] ? stateChip(card.state) : null;
}
