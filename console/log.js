// Draws a conversation's log: what customer, bot and staff wrote, what happened between, and the
// reading of each customer turn under it. Shared by the desk (live) and the transcript (whole).
// Must not know the socket, and never sends anything.

import { h, replace } from "./dom.js";
import { day, fullTime, reasonLabel, stateLine, timeOfDay } from "./format.js";
import { icon } from "./icons.js";
import { markWords } from "./words.js";
import { markdown, plain } from "../widget/markdown.js";

const NEAR_END = 80;
const SCALES = { csat: 5, ces: 7, nps: 10 };

/** A growing list of entries; `drawTurn` makes the node that stands under a customer's message. */
export class ConversationLog {
  #entries = new Map();
  #turns = new Map();
  #texts = new Map();
  #last = { day: null, author: null, at: 0 };
  #holder = null;
  #drawTurn;
  #customer;

  /** `customer()` gives the customer's name at the time of drawing. */
  constructor({ drawTurn, customer }) {
    this.#drawTurn = drawTurn;
    this.#customer = customer;
    this.list = h("ol", { class: "log" });
    this.spoken = h("div", { role: "log", "aria-label": "Conversation", "aria-live": "off" }, this.list);
    this.tail = h("ol", { class: "log log-tail", "aria-label": "Messages on their way" });
    this.element = h("div", { class: "log-scroll", tabindex: "0", role: "region", "aria-label": "Messages" }, this.spoken, this.tail);
  }

  /** Adds one event; events come in order of seq, and one that is here already is left alone. */
  add(event) {
    if (this.#entries.has(event.seq)) return;
    const today = day(event.at);
    if (today !== this.#last.day) {
      this.list.append(h("li", { class: "log-day" }, h("span", null, today)));
      this.#last = { day: today, author: null, at: 0 };
    }
    const entry = drawEntry(event, { customer: this.#customer(), follows: this.#follows(event), holder: this.#holder });
    if (event.kind === "state") this.#holder = event.state === "assigned" ? (event.agent?.name ?? null) : null;
    entry.dataset.seq = event.seq;
    this.#entries.set(event.seq, entry);
    if (event.from?.role === "customer" && event.text) this.#texts.set(event.seq, event.text);
    this.list.append(entry);
    this.#placeTurn(event.seq);
  }

  /** Puts a turn's reading under its message, whichever of the two came first. */
  addTurn(turn) {
    this.#turns.set(turn.seq, turn);
    this.#placeTurn(turn.seq);
  }

  /** Shows the messages that the server has not confirmed: [{text, kind, failed, retry, discard}]. */
  showPending(pending) {
    replace(this.tail, pending.map(drawPending));
  }

  /** From now on, what arrives is spoken. */
  goLive() {
    this.spoken.setAttribute("aria-live", "polite");
  }

  /** Empties the log: the server's history is another one than was shown. */
  clear() {
    this.#entries.clear();
    this.#turns.clear();
    this.#texts.clear();
    this.#last = { day: null, author: null, at: 0 };
    this.#holder = null;
    replace(this.list);
    this.spoken.setAttribute("aria-live", "off");
  }

  get atEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.element;
    return scrollHeight - scrollTop - clientHeight < NEAR_END;
  }

  toEnd() {
    this.element.scrollTop = this.element.scrollHeight;
  }

  #follows(event) {
    const author = `${event.kind}:${event.from?.role}:${event.from?.name ?? ""}`;
    const same = author === this.#last.author && event.at - this.#last.at < 120_000;
    this.#last = { ...this.#last, author, at: event.at };
    return same;
  }

  #placeTurn(seq) {
    const entry = this.#entries.get(seq);
    const turn = this.#turns.get(seq);
    if (!entry || !turn) return;
    const said = entry.querySelector(".bubble .plain-text");
    if (said && this.#texts.has(seq)) markWords(said, this.#texts.get(seq), turn);
    const old = entry.querySelector(":scope > .turn-slot");
    const slot = h("div", { class: "turn-slot" }, this.#drawTurn(turn));
    if (old) {
      const open = old.querySelector("details")?.open;
      if (open) slot.querySelector("details").open = true;
      old.replaceWith(slot);
    } else entry.append(slot);
  }
}

function drawEntry(event, { customer, follows, holder }) {
  if (isErased(event)) return h("li", { class: "entry line" }, h("span", null, "Deleted by the customer", " · ", time(event.at)));
  switch (event.kind) {
    case "message":
      return bubble(event, { customer, follows });
    case "note":
      if (event.pre_chat) return saidBefore(event, customer);
      return h(
        "li",
        { class: "entry from-note" },
        h("div", { class: "bubble" },
          h("p", { class: "note-label" }, icon("note"), "Note: the customer never sees this"),
          h("div", { class: "plain-text", dir: "auto" }, plain(event.text)),
          h("p", { class: "who" }, `${event.from?.name ?? "Staff"} · `, time(event.at)),
        ),
      );
    case "left_message":
      return h(
        "li",
        { class: "entry from-customer" },
        who([`${customer} left a message`, event.email && ` · ${event.email}`], event.at),
        h("div", { class: "bubble" }, h("div", { class: "plain-text", dir: "auto" }, plain(event.text))),
      );
    default:
      return h("li", { class: `entry line line-${event.kind}` }, h("span", null, happening(event, holder), " · ", time(event.at)));
  }
}

// Their own word before the first message, proven by nobody.
function saidBefore({ pre_chat: answers, at }, customer) {
  return h("li", { class: "entry from-customer" }, who([`${customer} said before the chat`], at),
    h("div", { class: "bubble" }, h("dl", { class: "pre-chat" }, answers.flatMap(({ label, said }) => [h("dt", null, label), h("dd", { dir: "auto" }, said)]))));
}

// What the customer has deleted keeps its place in the log, and no words.
const isErased = (event) => ["message", "note", "left_message"].includes(event.kind) && !event.text;

function bubble(event, { customer, follows }) {
  const role = event.from?.role ?? "system";
  const names = { customer, bot: [icon("bot"), `${event.from?.name ?? "Bot"} · bot`], agent: event.from?.name ?? "Agent", system: "candor" };
  const body = event.attachment ? fileLink(event) : role === "bot" ? h("div", { class: "markdown" }, markdown(event.text)) : h("div", { class: "plain-text", dir: "auto" }, plain(event.text));
  return h(
    "li",
    { class: `entry from-${role}${follows ? " follows" : ""}` },
    who(names[role], event.at),
    h("div", { class: "bubble" }, body, event.options?.length > 0 && choices(event.options)),
  );
}

// Re-encoded by the server, served as a download: a picture is shown here, a document is only saved.
function fileLink({ text, attachment }) {
  const address = `/v1/attachments/${encodeURIComponent(attachment.id)}`;
  const size = attachment.bytes < 1e6 ? `${Math.max(1, Math.round(attachment.bytes / 1e3))} kB` : `${(attachment.bytes / 1e6).toFixed(1)} MB`;
  return h("a", { class: "attached", href: address, download: text },
    attachment.kind === "pdf" ? icon("note") : h("img", { src: address, alt: "", loading: "lazy" }),
    h("span", { class: "plain-text", dir: "auto" }, text), h("span", { class: "size" }, size));
}

const who = (name, at) => h("p", { class: "who" }, h("span", { class: "who-name" }, name), " · ", time(at));
const time = (at) => h("time", { datetime: new Date(at).toISOString(), title: fullTime(at) }, timeOfDay(at));

function choices(options) {
  return h("ul", { class: "choices", "aria-label": "Answers that were offered" }, options.map((option) => h("li", null, option.label)));
}

function happening(event, holder) {
  switch (event.kind) {
    case "disclosure":
      return "The notice that a bot answers was shown";
    case "human_request":
      return "The customer pressed the button for a person";
    case "state":
      return stateLine(event, holder);
    case "rating":
      return `Rated ${event.score} of ${SCALES[event.survey] ?? 5}${event.text ? `: “${event.text}”` : ""}`;
    case "feedback":
      return event.helpful ? "Found the bot's answer helpful" : "Found the bot's answer not helpful";
    default:
      return event.text ?? reasonLabel(event.kind);
  }
}

function drawPending(message) {
  return h(
    "li",
    { class: `entry from-${message.kind === "note" ? "note" : "agent"} pending${message.failed ? " failed" : ""}` },
    h(
      "div",
      { class: "bubble" },
      message.kind === "note" && h("p", { class: "note-label" }, icon("note"), "Note: the customer never sees this"),
      h("div", { class: "plain-text", dir: "auto" }, plain(message.text)),
    ),
    message.failed
      ? h(
          "p",
          { class: "who" },
          h("span", { class: "bad-text" }, `Not sent: ${message.failed} `),
          h("button", { class: "link", onclick: message.retry }, "Try again"),
          " · ",
          h("button", { class: "link", onclick: message.discard }, "Take back"),
        )
      : h("p", { class: "who", role: "status" }, message.sent ? "Sent" : "Sending …"),
  );
}
