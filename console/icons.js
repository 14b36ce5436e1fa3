// The console's few line icons, drawn on a 20-unit grid in the current colour.
// Must not carry meaning alone: every use has words beside it or an accessible name.

import { s } from "./dom.js";

const PATHS = {
  desk: "M3 11.5l2.2-7h9.6l2.2 7M3 11.5v4h14v-4M3 11.5h4l1 2h4l1-2h4",
  transcripts: "M5 3h7l3 3v11H5zM8 9h4M8 12h4",
  figures: "M4 16V9M8.5 16V4M13 16v-5M17 16H3",
  people: "M7.5 9.5a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM2.5 16.5c0-3 2.2-4.7 5-4.7s5 1.7 5 4.7M13 4a2.8 2.8 0 0 1 0 5.4M15 12.4c1.6.7 2.5 2.1 2.5 4.1",
  install: "M7 6l-4 4 4 4M13 6l4 4-4 4",
  back: "M12 4l-6 6 6 6",
  close: "M5 5l10 10M15 5L5 15",
  chevron: "M6 8l4 4 4-4",
  send: "M4 10h11M10 5l5 5-5 5",
  info: "M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM10 9v5M10 6.2v.1",
  search: "M9 15A6 6 0 1 0 9 3a6 6 0 0 0 0 12zM13.5 13.5L17 17",
  clock: "M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM10 6v4l2.5 2",
  check: "M4 10.5l4 4 8-9",
  note: "M4 4h12v8l-4 4H4zM12 16v-4h4",
  bot: "M4 8h12v8H4zM10 8V4M7.5 11.5v1M12.5 11.5v1",
  keyboard: "M2.5 5.5h15v9h-15zM6 12h8M5.5 8.5h.1M8.5 8.5h.1M11.5 8.5h.1M14.5 8.5h.1",
  copy: "M7 7h9v9H7zM13 7V4H4v9h3",
};

/** A decorative icon, hidden from assistive technology. */
export function icon(name) {
  return s(
    "svg",
    { class: "icon", viewBox: "0 0 20 20", "aria-hidden": "true", focusable: "false" },
    s("path", { d: PATHS[name], fill: "none", stroke: "currentColor", "stroke-width": "1.6", "stroke-linecap": "round", "stroke-linejoin": "round" }),
  );
}

/** The mark of the product: two speech bubbles, one of them open. */
export function mark() {
  return s(
    "svg",
    { class: "mark", viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false" },
    s("path", { d: "M4 3h11a3 3 0 0 1 3 3v5a3 3 0 0 1-3 3H9l-4 3v-3H4a3 3 0 0 1-3-3V6a3 3 0 0 1 3-3z", fill: "currentColor" }),
    s("path", { d: "M20.5 9A2.5 2.5 0 0 1 23 11.5v4a2.5 2.5 0 0 1-2.5 2.5H20v3l-3.6-3H12", fill: "none", stroke: "currentColor", "stroke-width": "1.8", "stroke-linejoin": "round", "stroke-linecap": "round" }),
  );
}

/** The shape of a mood, so that it is told without colour: circle, bar, triangle, diamond. */
export function moodShape(mood) {
  const shapes = {
    positive: s("circle", { cx: 6, cy: 6, r: 4.5 }),
    neutral: s("rect", { x: 1.5, y: 4.5, width: 9, height: 3, rx: 1.5 }),
    negative: s("path", { d: "M1.2 2.2h9.6L6 10.8z" }),
    frustrated: s("path", { d: "M6 .4L11.6 6 6 11.6.4 6z" }),
  };
  return s("svg", { class: "mood-shape", viewBox: "0 0 12 12", "aria-hidden": "true", focusable: "false" }, shapes[mood] ?? shapes.neutral);
}
