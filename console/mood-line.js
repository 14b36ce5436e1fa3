// `<mood-line>`: frustration (a line) and sentiment (bars about zero) over the customer's turns,
// with the threshold and the turns where a person was offered or brought in. The same figures
// stand in a table for those who prefer or need it. Must not know where the turns come from.

import { h, replace, s, tableBox } from "./dom.js";
import { ACTIONS, MOODS, score } from "./format.js";

const PAD = { left: 30, right: 12 };
const MARKER_ROW = 15;
const LINE_HEIGHT = 78;
const BARS_HEIGHT = 44;
const GAP = 14;

class MoodLine extends HTMLElement {
  #turns = [];
  #threshold = null;
  #unread = () => false;
  #width = 0;
  #observer = new ResizeObserver(([entry]) => {
    const width = Math.round(entry.contentRect.width);
    if (width === this.#width || width === 0) return;
    this.#width = width;
    this.#draw();
  });
  #chart = h("div", { class: "mood-line-chart" });
  #rows = h("tbody");
  #table = h(
    "details",
    { class: "fold" },
    h("summary", null, "Show as a table"),
    tableBox("Mood by turn", h(
      "table",
      { class: "plain" },
      h("thead", null, h("tr", null, ["Turn", "Mood", "Frustration", "Sentiment", "Done"].map((name) => h("th", { scope: "col" }, name)))),
      this.#rows,
    )),
  );

  connectedCallback() {
    if (!this.#chart.isConnected) this.append(this.#chart, this.#legend(), this.#table);
    this.#observer.observe(this.#chart);
  }

  disconnectedCallback() {
    this.#observer.disconnect();
  }

  /**
   * Shows `turns` (as the server sends them, by seq) against `threshold` (0 to 1, or null).
   * `unread(turn)` is true for a turn without a text: it has its marker, but no scores.
   */
  show(turns, { threshold = null, unread = () => false } = {}) {
    this.#turns = turns;
    this.#threshold = threshold;
    this.#unread = unread;
    replace(this.#rows, turns.map((turn, index) => h(
      "tr",
      null,
      h("td", null, index + 1),
      h("td", null, unread(turn) ? "–" : MOODS[turn.mood]),
      h("td", null, unread(turn) ? "–" : score(turn.frustration)),
      h("td", null, unread(turn) ? "–" : signed(sentiment(turn))),
      h("td", null, ACTIONS[turn.action] ?? turn.action),
    )));
    if (this.#width) this.#draw();
  }

  #legend() {
    return h(
      "p",
      { class: "mood-line-legend", "aria-hidden": "true" },
      h("span", { class: "key key-frustration" }, "Frustration"),
      h("span", { class: "key key-threshold" }, "Threshold"),
      h("span", { class: "key key-sentiment" }, "Sentiment"),
    );
  }

  #draw() {
    const turns = this.#turns;
    // Offers are named in one row and hand-overs in the next, so that neighbours do not overlap.
    const both = new Set(turns.map((turn) => turn.action).filter((action) => action === "offer" || action === "handoff")).size > 1;
    const top = both ? 2 * MARKER_ROW + 2 : MARKER_ROW + 2;
    const height = top + LINE_HEIGHT + GAP + BARS_HEIGHT + 18;
    const inner = this.#width - PAD.left - PAD.right;
    const step = turns.length > 1 ? inner / turns.length : inner;
    const x = (index) => PAD.left + step * (index + 0.5);
    const y = (value) => top + LINE_HEIGHT * (1 - value);
    const zero = top + LINE_HEIGHT + GAP + BARS_HEIGHT / 2;
    const label = (left, top, text, anchor = "end", extra = "") => s("text", { x: left, y: top, "text-anchor": anchor, class: `axis ${extra}` }, text);

    const words = describe(turns, this.#threshold, this.#unread);
    const svg = s(
      "svg",
      { class: "mood-line-svg", width: this.#width, height, viewBox: `0 0 ${this.#width} ${height}`, role: "img", "aria-label": words },
      s("title", null, "Mood over the conversation"),
      s("desc", null, words),
      [0, 0.5, 1].map((value) => s("line", { class: "grid", x1: PAD.left, x2: this.#width - PAD.right, y1: y(value), y2: y(value) })),
      [0, 0.5, 1].map((value) => label(PAD.left - 6, y(value) + 4, value === 0.5 ? ".5" : value)),
      s("line", { class: "grid", x1: PAD.left, x2: this.#width - PAD.right, y1: zero, y2: zero }),
      label(PAD.left - 6, zero - BARS_HEIGHT / 2 + 10, "+"),
      label(PAD.left - 6, zero + BARS_HEIGHT / 2, "−"),
    );

    const width = Math.max(3, Math.min(22, step * 0.5));
    const every = Math.max(1, Math.ceil(18 / step));
    turns.forEach((turn, index) => {
      const value = sentiment(turn);
      const length = Math.max(1.5, Math.abs(value) * (BARS_HEIGHT / 2));
      if (!this.#unread(turn)) svg.append(s("rect", { class: value < 0 ? "bar bad" : "bar good", x: x(index) - width / 2, y: value < 0 ? zero : zero - length, width, height: length, rx: 1.5 }));
      if (turn.action === "offer" || turn.action === "handoff") svg.append(...event(turn, x(index), { width: this.#width, height, top, row: both && turn.action === "offer" ? 1 : 0 }));
      if (index % every === 0) svg.append(label(x(index), height - 4, index + 1, "middle"));
    });
    if (this.#threshold !== null) {
      svg.append(s("line", { class: "threshold", x1: PAD.left, x2: this.#width - PAD.right, y1: y(this.#threshold), y2: y(this.#threshold) }));
    }
    const points = turns.map((turn, index) => ({ turn, x: x(index), y: y(turn.frustration) })).filter(({ turn }) => !this.#unread(turn));
    if (points.length > 1) svg.append(s("polyline", { class: "frustration", points: points.map((point) => `${point.x},${point.y}`).join(" ") }));
    svg.append(...points.map((point) => dot(point.turn, point.x, point.y, step)));
    replace(this.#chart, svg);
  }
}

/** Positive less negative probability, -1 to 1. */
const sentiment = (turn) => (turn.positive ?? 0) - (turn.negative ?? 0);
const signed = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;

function event(turn, x, { width, height, top, row }) {
  const words = turn.action === "offer" ? "offered" : "handed over";
  const anchor = x > width - 60 ? "end" : x < 60 ? "start" : "middle";
  const place = anchor === "end" ? x + 8 : anchor === "start" ? x - 8 : x;
  return [
    s("line", { class: "marker", x1: x, x2: x, y1: top - 3 - row * MARKER_ROW, y2: height - 18 }),
    s("text", { class: "axis strong", x: place, y: top - 6 - row * MARKER_ROW, "text-anchor": anchor }, words),
  ];
}

function dot(turn, x, y, step) {
  const r = step < 14 ? 3 : 4.5;
  const title = s("title", null, `${MOODS[turn.mood]}, frustration ${score(turn.frustration)}`);
  const shapes = {
    positive: () => s("circle", { cx: x, cy: y, r: r * 0.9 }, title),
    neutral: () => s("rect", { x: x - r, y: y - r * 0.6, width: 2 * r, height: r * 1.2, rx: r * 0.5 }, title),
    negative: () => s("path", { d: `M${x - r} ${y - r * 0.9}h${2 * r}L${x} ${y + r}z` }, title),
    frustrated: () => s("path", { d: `M${x} ${y - r * 1.25}l${r * 1.25} ${r * 1.25}-${r * 1.25} ${r * 1.25}-${r * 1.25}-${r * 1.25}z` }, title),
  };
  const group = s("g", { class: `dot mood-${turn.mood}` });
  group.append((shapes[turn.mood] ?? shapes.neutral)());
  return group;
}

function describe(turns, threshold, unread) {
  const read = turns.filter((turn) => !unread(turn));
  if (read.length === 0) return "No customer turn was read yet.";
  const worst = read.reduce((most, turn) => (turn.frustration > most.frustration ? turn : most));
  const parts = [
    `${turns.length} customer turns. Frustration starts at ${score(read[0].frustration)} and ends at ${score(read.at(-1).frustration)}; it is highest at turn ${turns.indexOf(worst) + 1} with ${score(worst.frustration)}.`,
  ];
  if (threshold !== null) parts.push(`The threshold is ${score(threshold)}.`);
  turns.forEach((turn, index) => {
    if (turn.action === "offer") parts.push(`A person was offered at turn ${index + 1}.`);
    if (turn.action === "handoff") parts.push(`Handed to a person at turn ${index + 1}.`);
  });
  return parts.join(" ");
}

customElements.define("mood-line", MoodLine);

/** A mood line of `turns`, with the options of `show`. */
export function moodLine(turns = [], options = {}) {
  const element = document.createElement("mood-line");
  element.show(turns, options);
  return element;
}
