// The manager's list of conversations: filters, full-text search and pages of results. The
// address holds the filters, so a search can be kept and shared. Must not know one transcript.

import { reasons as loadReasons, transcripts } from "./api.js";
import { csatChip, moodChip, reasonChip, sampleChip, stateChip, verifiedMark } from "./chips.js";
import { demoBanner } from "./demo-banner.js";
import { h, replace, setText } from "./dom.js";
import { MOODS, STATES, fullTime, plural, shortTime } from "./format.js";
import { icon } from "./icons.js";
import { failure } from "./shell.js";

const FILTERS = ["q", "state", "reason", "mood"];
const PAGE = 30; // rows per request
const DEBOUNCE = 250;

let lastQuery = "";

/** The list's address as it was last filtered, so that Back from a transcript loses nothing. */
export const listAddress = () => `#/transcripts${lastQuery ? `?${lastQuery}` : ""}`;

class TranscriptsView extends HTMLElement {
  #filters = {};
  #next = null;
  #abort = null;
  #timer = 0;
  #search = h("input", { type: "search", class: "input search-input", placeholder: "Search what was said …", "aria-label": "Search the transcripts", autocomplete: "off", oninput: () => this.#typed() });
  #selects = {
    state: select("State", Object.entries(STATES), () => this.#changed()),
    reason: select("Reason", [], () => this.#changed()),
    mood: select("Mood", Object.entries(MOODS), () => this.#changed()),
  };
  #reset = h("button", { class: "button quiet", hidden: true, onclick: () => this.#clear() }, h("span", { class: "button-label" }, "Clear"));
  #found = h("p", { class: "found", role: "status" });
  #list = h("ol", { class: "transcript-rows" });
  #more = h("button", { class: "button more", hidden: true, onclick: () => this.#load(true) }, h("span", { class: "button-label" }, "Show more"));

  use(query) {
    this.#read(query);
    return this;
  }

  /** True where the address changed only in its filters; takes them over. */
  follows({ id, query }) {
    if (id) return false;
    if (this.#query() !== query.toString()) {
      this.#read(query);
      this.#load();
    }
    return true;
  }

  connectedCallback() {
    replace(
      this,
      h("div", { class: "page-body" },
        h("header", { class: "page-head" }, h("h1", null, "Transcripts")),
        demoBanner(() => this.#load()),
        h("form", { class: "filters", role: "search", onsubmit: (event) => { event.preventDefault(); this.#changed(); } },
          h("div", { class: "search" }, icon("search"), this.#search),
          Object.values(this.#selects),
          this.#reset),
        this.#found,
        this.#list,
        this.#more),
    );
    this.#load();
    loadReasons().then((list) => this.#offerReasons(list)).catch(() => {});
  }

  disconnectedCallback() {
    this.#abort?.abort();
    clearTimeout(this.#timer);
  }

  #read(query) {
    this.#filters = Object.fromEntries(FILTERS.map((name) => [name, query.get(name) ?? ""]));
    this.#search.value = this.#filters.q;
    for (const [name, element] of Object.entries(this.#selects)) element.value = this.#filters[name];
    lastQuery = this.#query();
  }

  #query() {
    return new URLSearchParams(Object.entries(this.#filters).filter(([, value]) => value)).toString();
  }

  #offerReasons(list) {
    this.#selects.reason.append(...list.map(({ code, label }) => h("option", { value: code }, label)));
    this.#selects.reason.value = this.#filters.reason;
  }

  #typed() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#changed(), DEBOUNCE);
  }

  #clear() {
    this.#search.value = "";
    for (const element of Object.values(this.#selects)) element.value = "";
    this.#changed();
    this.#search.focus();
  }

  #changed() {
    clearTimeout(this.#timer);
    this.#filters = { q: this.#search.value.trim(), ...Object.fromEntries(Object.entries(this.#selects).map(([name, element]) => [name, element.value])) };
    lastQuery = this.#query();
    // Typing must not fill the history: the filters replace the entry.
    history.replaceState(null, "", listAddress());
    this.#load();
  }

  async #load(more = false) {
    this.#abort?.abort();
    const abort = (this.#abort = new AbortController());
    this.#reset.hidden = !this.#query();
    this.#list.setAttribute("aria-busy", "true");
    try {
      const { items, next } = await transcripts({ ...this.#filters, limit: PAGE, before: more ? this.#next : null }, abort.signal);
      if (abort.signal.aborted) return;
      this.#next = next ?? null;
      if (!more) replace(this.#list);
      this.#list.append(...items.map(row));
      const shown = this.#list.children.length;
      setText(this.#found, shown === 0 ? "" : `${plural(shown, "conversation")}${this.#next ? " shown, more below" : ""}`);
      if (shown === 0) replace(this.#list, this.#nothing());
      this.#more.hidden = !this.#next;
    } catch (error) {
      if (abort.signal.aborted) return;
      setText(this.#found, "");
      this.#more.hidden = true;
      replace(this.#list, h("li", null, failure(error, () => this.#load())));
    } finally {
      if (!abort.signal.aborted) this.#list.removeAttribute("aria-busy");
    }
  }

  #nothing() {
    return this.#query()
      ? h("li", { class: "empty" }, h("h2", null, "Nothing found"), h("p", null, "No conversation fits all of these filters."), h("button", { class: "button", onclick: () => this.#clear() }, "Clear the filters"))
      : h("li", { class: "empty" }, h("h2", null, "No conversations yet"), h("p", null, "They appear here as soon as the first customer writes. ", h("a", { href: "#/install" }, "Add the chat to your site"), "."));
  }
}

function select(label, options, onchange) {
  return h("select", { class: "input filter", "aria-label": label, onchange }, h("option", { value: "" }, `${label}: any`), options.map(([value, text]) => h("option", { value }, text)));
}

function row(item) {
  const when = item.updated_at ?? item.created_at;
  return h(
    "li",
    null,
    h(
      "a",
      { class: "transcript-row", href: `#/transcripts/${encodeURIComponent(item.conversation)}` },
      h("span", { class: "transcript-top" },
        h("span", { class: "row-name" }, item.customer, verifiedMark(item.verified)),
        stateChip(item.state),
        item.agent && h("span", { class: "quiet-text" }, item.agent.name),
        h("time", { class: "row-when", datetime: new Date(when).toISOString(), title: fullTime(when) }, shortTime(when))),
      h("span", { class: "transcript-text", dir: "auto" }, item.snippet?.length ? item.snippet.map((part) => (part.hit ? h("mark", null, part.text) : part.text)) : item.first_text),
      h("span", { class: "row-chips" },
        reasonChip(item.reason),
        moods(item),
        csatChip(item.csat),
        h("span", { class: "quiet-text" }, plural(item.turns, "turn")),
        sampleChip(item.demo)),
    ),
  );
}

function moods({ mood_worst: worst, mood_end: end }) {
  if (!worst || worst === end) return moodChip(end);
  return [moodChip(worst, { prefix: "Worst: " }), moodChip(end, { prefix: "End: " })];
}

customElements.define("transcripts-view", TranscriptsView);

/** The list, with the filters that `query` (URLSearchParams) holds. */
export function transcriptsView(query) {
  return document.createElement("transcripts-view").use(query);
}
