// The list on the left of the desk: who waits, mine, others', with the bot.
// Must not know the conversation view: it tells which row was chosen, and marks the open one.

import { h, reconcile, replace, setText } from "./dom.js";
import { shortTime } from "./format.js";
import { moodChip, sampleChip, verifiedMark, waitTime } from "./chips.js";
import { churnChip } from "./churn.js";
import { waitingSince, yourTurn } from "./desk-store.js";

const SECTIONS = [
  { name: "waiting", title: "Waiting", empty: "Nobody is waiting." },
  { name: "mine", title: "Mine", empty: "Claim a conversation, or press c." },
  { name: "others", title: "Others", empty: null },
  { name: "bot", title: "With the bot", empty: null },
];
const FOLDED = "candor.desk.folded";

/** The queue. `choose(conversation)` is called when a row is opened. */
export class Queue {
  #store;
  #choose;
  #open = null;
  #cursor = null;
  #sections = new Map();

  constructor(store, choose) {
    this.#store = store;
    this.#choose = choose;
    const folded = new Set((localStorage.getItem(FOLDED) ?? "").split(","));
    this.element = h("nav", { class: "queue", "aria-label": "Conversations" });
    for (const { name, title, empty } of SECTIONS) {
      const total = h("span", { class: "queue-count" });
      const rows = h("ul", { class: "queue-rows" });
      const none = empty && h("p", { class: "queue-empty" }, empty);
      const section = h("details", { class: `queue-section queue-${name}`, open: !folded.has(name), ontoggle: () => this.#remember() },
        h("summary", null, h("h2", null, title), total), rows, none);
      section.dataset.name = name;
      this.#sections.set(name, { section, rows, none, total });
      this.element.append(section);
    }
  }

  /** Draws the present cards; `open` is the conversation that is shown, or null. */
  update(open) {
    const focused = this.focused;
    this.#open = open;
    const groups = this.#store.sections();
    for (const [name, { section, rows, none, total }] of this.#sections) {
      const cards = groups[name];
      setText(total, cards.length);
      if (none) none.hidden = cards.length > 0;
      else section.hidden = cards.length === 0;
      reconcile(rows, cards, { key: (card) => card.conversation, make: (card) => this.#make(card), update: (row, card) => this.#update(row, card) });
    }
    // A row that moved has lost the focus; the cursor stays with its conversation.
    if (focused && this.focused !== focused) {
      this.element.querySelector(`[data-conversation="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
    }
  }

  /** Moves the cursor by `step` rows and focuses the row. */
  move(step) {
    const rows = [...this.element.querySelectorAll(".queue-section[open] .queue-row")];
    if (rows.length === 0) return;
    const from = document.activeElement?.closest?.(".queue-row")?.dataset.conversation ?? this.#cursor ?? this.#open;
    const at = rows.findIndex((row) => row.dataset.conversation === from);
    const next = rows[at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + step))];
    this.#cursor = next.dataset.conversation;
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  }

  /** The row under the cursor if the queue has the focus, else null. */
  get focused() {
    return document.activeElement?.closest?.(".queue-row")?.dataset.conversation ?? null;
  }

  #make(card) {
    const parts = { top: h("span", { class: "row-top" }), name: h("span", { class: "row-name" }), extra: h("span", { class: "row-extra" }), when: h("span", { class: "row-when" }), preview: h("span", { class: "row-preview", dir: "auto" }), chips: h("span", { class: "row-chips" }) };
    parts.top.append(parts.name, parts.extra, parts.when);
    const row = h("button", { class: "queue-row", onclick: () => this.#choose(card.conversation) }, parts.top, parts.preview, parts.chips);
    row.dataset.conversation = card.conversation;
    const item = h("li", null, row);
    item.parts = { ...parts, row };
    return item;
  }

  #update(item, card) {
    const { row, name, extra, when, preview, chips } = item.parts;
    const isOpen = card.conversation === this.#open;
    row.setAttribute("aria-current", isOpen ? "true" : "false");
    const stamp = JSON.stringify(card);
    if (item.stamp === stamp) return;
    item.stamp = stamp;
    const due = card.state === "assigned" && yourTurn(card) && card.agent?.id === this.#store.me?.id;
    row.classList.toggle("due", due);
    replace(name, card.customer, verifiedMark(card.verified));
    if (card.state === "queued") replace(when, waitTime(waitingSince(card)));
    else replace(when, due && h("span", { class: "due-label" }, "Your turn"), shortTime(card.last_at));
    replace(
      extra,
      card.state === "queued" && card.priority > 0 && h("span", { class: "row-priority", title: "Higher priorities are served first" }, h("span", { class: "spoken" }, "Priority "), h("span", { "aria-hidden": "true" }, "P"), card.priority),
      sampleChip(card.demo),
    );
    setText(preview, previewOf(card));
    replace(
      chips,
      moodChip(card.mood),
      // The reason beside it would say the same.
      !(card.state !== "bot" && card.reason?.code === "churn") && churnChip(card.churn),
      card.state === "offered" && h("span", { class: "chip" }, "Person offered"),
      card.agent && card.agent.id !== this.#store.me?.id && h("span", { class: "chip" }, card.agent.name),
      card.state !== "bot" && card.reason && h("span", { class: "row-reason" }, card.reason.label),
    );
  }

  #remember() {
    const folded = [...this.#sections].filter(([, { section }]) => !section.open).map(([name]) => name);
    localStorage.setItem(FOLDED, folded.join(","));
  }
}

// Of those who wait, their own last words say more than the bot's "a person will come".
function previewOf(card) {
  if (card.state === "queued" && card.last_customer_text) return card.last_customer_text;
  const who = { bot: "Bot: ", agent: "Agent: ", system: "" }[card.last_role] ?? "";
  return `${who}${card.last_text ?? ""}`;
}
