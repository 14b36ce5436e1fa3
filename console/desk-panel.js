// The panel beside a conversation: why a person has it, how the mood went, what is known about
// the customer. Must not act on the conversation.

import { breakable, h, replace } from "./dom.js";
import { fullTime, plural, reasonLabel, shortTime } from "./format.js";
import { icon } from "./icons.js";
import { moodChip } from "./chips.js";
import { churnPart } from "./churn.js";
import { moodLine } from "./mood-line.js";
import { changeLine } from "./changes.js";
import { abusiveTurns, frustrationThreshold, isUnread, readTrace } from "./trace.js";
import { reasonList } from "./turn.js";
import { carriersLine } from "./words.js";

export class Panel {
  #why = h("section", { class: "panel-part" });
  #mood = h("section", { class: "panel-part" });
  #churn = h("section", { class: "panel-part" });
  #facts = h("section", { class: "panel-part" });
  #line = moodLine();

  constructor({ onclose }) {
    this.element = h(
      "aside",
      { class: "panel", "aria-label": "About this conversation" },
      h("div", { class: "panel-head" }, h("h2", null, "About this conversation"), h("button", { class: "button quiet round panel-close", "aria-label": "Hide the details", onclick: onclose }, icon("close"))),
      this.#why,
      this.#mood,
      this.#churn,
      this.#facts,
    );
    replace(this.#mood, h("h3", null, "Mood"), this.#line);
  }

  /** Draws what is known: the card (or null once it is gone) and the open log. */
  update(card, log) {
    const turns = [...log.turns.values()].sort((a, b) => a.seq - b.seq);
    replace(this.#why, why(card, turns, log.events));
    this.#mood.hidden = turns.length === 0;
    if (turns.length) this.#line.show(turns, { threshold: frustrationThreshold(turns), unread: isUnread });
    const churn = churnPart(turns, { open: this.#churn.querySelector("details")?.open === true });
    this.#churn.hidden = !churn;
    replace(this.#churn, churn);
    replace(this.#facts, facts(card, log, turns));
  }
}

function why(card, turns, events) {
  const decisive = [...turns].reverse().find((turn) => turn.reasons?.length > 0);
  const heading = { queued: "Why they wait for you", assigned: "Why a person has this", offered: "Why a person was offered" }[card?.state];
  if (!decisive && !card?.reason) {
    return [h("h3", null, "Why a person"), h("p", { class: "quiet-text" }, "Nothing has asked for a person so far.")];
  }
  const reason = card?.reason ?? { code: decisive.reasons[0].code };
  // A yes to an offer has no words of its own: those of the turn before it, which led to the offer.
  const carried = turns.findLast((turn) => turn.words?.length > 0 && turn.seq <= (decisive?.seq ?? turn.seq));
  const insults = abusiveTurns(turns);
  return [
    h("h3", null, heading ?? "Why a person was brought in"),
    h("p", { class: "why-sentence" }, reason.label ?? reasonLabel(reason.code)),
    insults > 0 && h("p", { class: "content-note" }, `Content note: insults on ${plural(insults, "turn")} of this conversation.`),
    decisive && reasonList(decisive.reasons, { said: reason.code }),
    carried && carriersLine(carried, events.find((event) => event.seq === carried.seq)?.text),
    decisive && changeLine(decisive) && h("p", { class: "why-change" }, changeLine(decisive)),
    card?.mood && h("p", { class: "why-now" }, "Mood now ", moodChip(card.mood)),
  ];
}

function facts(card, log, turns) {
  // A press of the button was read by nobody: the newest turn that was tells the model.
  const read = turns.findLast((turn) => !isUnread(turn)) ?? turns.at(-1);
  const trace = read ? readTrace(read) : {};
  const { locale, page, created_at: started = card?.created_at } = log.facts;
  const rows = [
    ["Customer", card?.demo ? `${card.customer} (sample, made up)` : card?.customer],
    ["Identity", card?.verified && "Verified by your own server"],
    ["Started", started && h("time", { datetime: new Date(started).toISOString(), title: fullTime(started) }, shortTime(started))],
    ["Language", locale ?? trace.language],
    ["Page", page && breakable(page)],
    ["Turns", turns.length ? plural(turns.length, "customer turn") : null],
    ["Model", trace.model],
    ["Prompts", trace.prompts],
  ].filter(([, value]) => value);
  return [
    h("h3", null, "Known"),
    h("dl", { class: "facts" }, rows.map(([name, value]) => [h("dt", null, name), h("dd", null, value)])),
  ];
}
