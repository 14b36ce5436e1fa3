// Simple charts with their table: columns per day (SVG) and labelled horizontal bars.
// Must not know what is counted.

import { h, replace, s, tableBox } from "./dom.js";
import { count } from "./format.js";

const HEIGHT = 190;
const PAD = { left: 34, right: 8, top: 10, bottom: 24 };

/** `<day-columns>`: stacked columns, one per day. */
class DayColumns extends HTMLElement {
  #days = [];
  #series = [];
  #width = 0;
  #chart = h("div", { class: "columns-chart" });
  #rest = h("div");
  #observer = new ResizeObserver(([entry]) => {
    const width = Math.round(entry.contentRect.width);
    if (width === this.#width || width === 0) return;
    this.#width = width;
    this.#draw();
  });

  connectedCallback() {
    if (!this.#chart.isConnected) this.append(this.#chart, this.#rest);
    this.#observer.observe(this.#chart);
  }

  disconnectedCallback() {
    this.#observer.disconnect();
  }

  /** `days`: [{label, values: [n per series]}]; `series`: [{name, tone}] from the bottom up. */
  show(days, series) {
    this.#days = days;
    this.#series = series;
    replace(
      this.#rest,
      h("p", { class: "legend", "aria-hidden": "true" }, series.map(({ name, tone }) => h("span", { class: `legend-key tone-${tone}` }, name))),
      h("details", { class: "fold" }, h("summary", null, "Show as a table"),
        tableBox("By day", h("table", { class: "plain" },
          h("thead", null, h("tr", null, h("th", { scope: "col" }, "Day"), series.map(({ name }) => h("th", { scope: "col" }, name)))),
          h("tbody", null, days.map((day) => h("tr", null, h("th", { scope: "row" }, day.label), series.map((one, index) => h("td", null, count(day.values[index]))))))))),
    );
    if (this.#width) this.#draw();
  }

  #draw() {
    const days = this.#days;
    const most = niceCeiling(Math.max(1, ...days.map((day) => sum(day.values))));
    const inner = this.#width - PAD.left - PAD.right;
    const step = inner / Math.max(1, days.length);
    const tall = HEIGHT - PAD.top - PAD.bottom;
    const y = (value) => PAD.top + tall * (1 - value / most);
    const every = Math.ceil(56 / step);
    const label = `${this.#series.map(({ name }, index) => `${name}: ${sum(days.map((day) => day.values[index]))}`).join(", ")} over ${days.length} days.`;
    const svg = s(
      "svg",
      { width: this.#width, height: HEIGHT, viewBox: `0 0 ${this.#width} ${HEIGHT}`, role: "img", "aria-label": label },
      [0, 0.5, 1].map((part) => [
        s("line", { class: "grid", x1: PAD.left, x2: this.#width - PAD.right, y1: y(part * most), y2: y(part * most) }),
        s("text", { class: "axis", x: PAD.left - 6, y: y(part * most) + 4, "text-anchor": "end" }, Math.round(part * most)),
      ]),
    );
    const width = Math.max(2, Math.min(44, step * 0.62));
    days.forEach((day, index) => {
      let base = 0;
      const x = PAD.left + step * (index + 0.5);
      day.values.slice(0, this.#series.length).forEach((value, part) => {
        if (value > 0) {
          svg.append(s("rect", { class: `tone-${this.#series[part].tone}`, x: x - width / 2, width, y: y(base + value), height: y(base) - y(base + value), rx: 1.5 },
            s("title", null, `${day.label}: ${value} ${this.#series[part].name.toLowerCase()}`)));
        }
        base += value;
      });
      if (index % every === 0) svg.append(s("text", { class: "axis", x, y: HEIGHT - 7, "text-anchor": "middle" }, day.label));
    });
    replace(this.#chart, svg);
  }
}

const sum = (values) => values.reduce((total, value) => total + value, 0);

/** The next even round number, so that half of it is a whole number too. */
function niceCeiling(value) {
  const unit = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 3, 4, 5, 6, 8, 10].map((factor) => factor * unit).find((candidate) => candidate >= value && candidate % 2 === 0);
}

customElements.define("day-columns", DayColumns);

/** Stacked columns, one per day. */
export function dayColumns(days, series) {
  const element = document.createElement("day-columns");
  element.show(days, series);
  return element;
}

/** A list of labelled bars: [{label, value, note?}], longest first as given. */
export function barList(rows, { tone = "accent" } = {}) {
  const most = Math.max(1, ...rows.map((row) => row.value));
  return h(
    "ul",
    { class: "bar-list" },
    rows.map((row) => {
      const fill = h("span", { class: `bar-fill tone-${tone}`, hidden: row.value === 0 });
      fill.style.inlineSize = `${(100 * row.value) / most}%`;
      return h("li", null,
        h("span", { class: "bar-label" }, row.label),
        h("span", { class: "bar-track", "aria-hidden": "true" }, fill),
        h("span", { class: "bar-value" }, count(row.value), row.note && h("span", { class: "quiet-text" }, ` ${row.note}`)));
    }),
  );
}
