// The card above an open conversation: what whoever takes over has to know, in one look. Everything in it
// was taken from the log by the server. Must not act on the conversation, and must not draw the log.

import { h, replace } from "./dom.js";
import { count, plural, score, shortTime, timeOfDay, title } from "./format.js";
import { moodChip } from "./chips.js";

/** The fold of the card is remembered: who does not want it, does not want it in every conversation. */
const FOLDED = "candor.summary.folded";

export class SummaryCard {
  #line = h("span", { class: "summary-line" });
  #body = h("div", { class: "summary-body" });
  #stamp = "";

  constructor() {
    this.element = h(
      "details",
      { class: "summary", hidden: true },
      h("summary", null, h("span", { class: "summary-title" }, "Summary"), this.#line),
      this.#body,
    );
    // A phone has room for the messages or for the card: there it is opened when it is wanted.
    const folded = recall() ?? (matchMedia("(max-width: 760px)").matches ? "yes" : "no");
    this.element.open = folded !== "yes";
    this.element.firstChild.addEventListener("click", () => remember(this.element.open ? "yes" : "no"));
  }

  /** Folds the card or opens it; false where there is none. */
  toggle() {
    if (this.element.hidden) return false;
    remember(this.element.open ? "yes" : "no");
    this.element.open = !this.element.open;
    return true;
  }

  /** Draws a `summary` frame; hides the card where there is nothing to tell. */
  show(summary) {
    const stamp = JSON.stringify(summary);
    if (stamp === this.#stamp) return;
    this.#stamp = stamp;
    const rows = summary ? rowsOf(summary) : [];
    this.element.hidden = rows.length === 0;
    replace(this.#line, summary?.wants?.title ?? summary?.wants?.text ?? "");
    replace(this.#body, h("dl", { class: "summary-rows" }, rows.map(([name, value]) => h("div", { class: "summary-row" }, h("dt", null, name), h("dd", null, value)))));
  }
}

function rowsOf(summary) {
  return [
    ["Who", who(summary.who)],
    ["Wants", wants(summary.wants)],
    ["Gave", list(Object.entries(summary.given ?? {}).map(([slot, value]) => [title(slot), " ", h("b", null, value)]))],
    ["Bot did", list((summary.tried ?? []).map(tried))],
    ["Mood", mood(summary.mood, summary.repeats)],
    ["Why", list((summary.reasons ?? []).map(why))],
    ["Told", told(summary)],
    ["Left", list((summary.left ?? []).map(left))],
    ["Language", language(summary.language)],
    ["Before", before(summary)],
  ].filter(([, value]) => value);
}

function who(customer = {}) {
  const facts = Object.entries(customer.facts ?? {}).map(([name, value]) => `${title(name)} ${value}`);
  const parts = [
    customer.name && h("b", null, customer.name),
    customer.name && (customer.verified ? "verified" : "not verified"),
    customer.vip && "served first",
    customer.vulnerable && "marked as vulnerable",
    customer.contacts > 0 && `${plural(customer.contacts, "other conversation")} in the last 24 hours`,
    customer.last_rating && `rated the last one ${customer.last_rating} of 5`,
    ...facts,
  ];
  return inline(parts);
}

function wants(wanted) {
  if (!wanted) return null;
  return [wanted.title && h("b", { class: "summary-intent" }, wanted.title), h("q", { dir: "auto" }, wanted.text)];
}

const DID = {
  answer: ({ title: about }) => `Answered “${about}”`,
  lookup: ({ title: about, outcome }) => `Looked up “${about}”: ${OUTCOMES[outcome] ?? title(outcome ?? "")}`,
  ask: ({ slot }) => `Asked for the ${title(slot ?? "value").toLowerCase()}`,
  clarify: ({ title: about }) => `Asked which: ${about}`,
  fallback: () => "Did not understand",
  offer: ({ title: about }) => `Offered a person${about ? ` (${about})` : ""}`,
  declined_offer: () => "The offer was declined",
};
const OUTCOMES = { found: "found", not_found: "not found", failed: "could not be reached" };

function tried(done) {
  const words = DID[done.kind]?.(done) ?? [title(done.kind), done.title].filter(Boolean).join(": ");
  return done.times > 1 ? `${words}, ${count(done.times)} times` : words;
}

function mood(line, repeats) {
  const again = repeats > 0 && `said the same again ${repeats === 1 ? "once" : `${count(repeats)} times`}`;
  if (!line) return inline([again]);
  const at = (name, { mood: word, frustration }) => h("span", { class: "summary-mood" }, h("span", { class: "quiet-text" }, name), moodChip(word), score(frustration));
  const one = line.start.seq === line.now.seq;
  const points = one ? [["Now", line.now]] : [["Start", line.start], ["Worst", line.worst], ["Now", line.now]];
  return [h("span", { class: "summary-moods" }, points.map(([name, point]) => at(name, point))), again && h("span", { class: "summary-again" }, again)];
}

function why(reason) {
  const figure = typeof reason.value === "number" && `${figureOf(reason.value)}${typeof reason.threshold === "number" ? ` of ${figureOf(reason.threshold)}` : ""}`;
  return [h("b", null, reason.label), reason.evidence && ` · ${reason.evidence}`, figure && ` · ${figure}`];
}

const figureOf = (value) => (Number.isInteger(value) && value > 1 ? count(value) : score(value));

function told({ promised, times = [] }) {
  const lines = times.map((time) => h("q", { dir: "auto" }, time.text));
  if (promised) {
    const place = typeof promised.position === "number" && `place ${promised.position}`;
    const wait = promised.wait && `${seconds(promised.wait.low_s)} to ${seconds(promised.wait.high_s)}`;
    const nobody = promised.open === false && "that nobody was there";
    const back = promised.back_at && `people are back ${moment(promised.back_at)}`;
    const words = [place, wait, nobody, back].filter(Boolean).join(", ");
    if (words) lines.unshift(`${timeOfDay(promised.at)}: ${words}`);
  }
  return list(lines);
}

const seconds = (count) => (count < 90 ? `${count} s` : `${Math.round(count / 60)} min`);

/** `09:00` today, `24 Nov, 09:00` on another day. */
const moment = (ms) => [...new Set([shortTime(ms), timeOfDay(ms)])].join(", ");

function left(message) {
  return [h("q", { dir: "auto" }, message.text), message.email ? [" · answer to ", h("b", null, message.email)] : " · no address"];
}

function language(spoken) {
  // English is what everybody expects; anything else decides who can answer.
  if (!spoken || spoken.code === "en") return null;
  return `${nameOf(spoken.code)}${spoken.supported ? "" : ", which the bot does not read"}`;
}

function nameOf(code) {
  try {
    return new Intl.DisplayNames(undefined, { type: "language" }).of(code) ?? code;
  } catch {
    return code;
  }
}

function before({ people = [], since }) {
  // Whoever has it now has not had it before.
  const had = people.filter((held) => held.until);
  const lines = had.map((held) => [
    h("b", null, held.name), ` ${timeOfDay(held.from)} to ${timeOfDay(held.until)}`,
    held.last && [" · ", h("q", { dir: "auto" }, held.last.text)],
  ]);
  if (since) lines.push(`Back with the bot ${timeOfDay(since.at)}; the rest is since then.`);
  return list(lines);
}

/** Parts in a row with dots between; null for none. */
function inline(parts) {
  const there = parts.filter(Boolean);
  return there.length ? there.map((part, index) => [index > 0 && " · ", part]) : null;
}

/** One line each; a list only where there are several. */
function list(lines) {
  const there = lines.filter(Boolean);
  if (there.length < 2) return there[0] ?? null;
  return h("ul", { class: "summary-list" }, there.map((line) => h("li", null, line)));
}

function recall() {
  try {
    return localStorage.getItem(FOLDED);
  } catch {
    return null;
  }
}

function remember(value) {
  try {
    localStorage.setItem(FOLDED, value);
  } catch {
    // Without storage the card simply opens again.
  }
}
