// Makes DOM nodes without a line of HTML text, so that no string can become markup.
//
// It knows: createElement, properties, attributes, listeners, children.
// It must not know: the chat.

const SVG = "http://www.w3.org/2000/svg";

/**
 * `make("button", { class: "send", type: "button", onclick: f, "aria-label": "Send" }, child, "text")`.
 * A key that starts with `on` is a listener, `true` is an empty attribute,
 * `false`, `null` and `undefined` are left out. Strings become text nodes.
 */
export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

// Drawn on a 24 x 24 grid with strokes in the current text colour.
const PATHS = {
  chat: ["M20 11.5a7.5 7.5 0 0 1-11 6.6L4 19.5l1.5-4.4A7.5 7.5 0 1 1 20 11.5Z", "M9 10.5h7M9 13.5h4.5"],
  close: ["M6 6l12 12M18 6L6 18"],
  down: ["M6 9.5l6 6 6-6"],
  clip: ["M19.5 11.5l-7.6 7.6a4.6 4.6 0 0 1-6.5-6.5l8-8a3.1 3.1 0 0 1 4.4 4.4l-7.9 7.9a1.5 1.5 0 0 1-2.2-2.2l7.2-7.1"],
  send: ["M12 19V5.5M6 11l6-6 6 6"],
  person: ["M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8Z", "M4.5 20c1-3.6 4-5.4 7.5-5.4s6.5 1.8 7.5 5.4"],
  spark: ["M12 3.5l1.9 5.1 5.1 1.9-5.1 1.9L12 17.5l-1.9-5.1L5 10.5l5.1-1.9L12 3.5Z", "M18.5 16v4M16.5 18h4"],
  info: ["M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18Z", "M12 11v5.5M12 7.6v.1"],
  up: ["M7.5 11v8.5H4.5V11h3Zm0 0l3.8-7c1.5 0 2.5 1 2.5 2.4V9.5h4.4c1.3 0 2.2 1.2 1.9 2.4l-1.4 5.9c-.2 1-1 1.7-2 1.7H7.5"],
  check: ["M5 12.5l4.5 4.5L19 7.5"],
  more: ["M12 5.5v.1M12 12v.1M12 18.4v.1"],
  warn: ["M12 4l9 16H3l9-16Z", "M12 10v4.5M12 17.3v.1"],
};
PATHS.thumbDown = PATHS.up;

/** An icon that screen readers skip; the control around it carries the name. */
export function icon(name, size = 20) {
  const svg = document.createElementNS(SVG, "svg");
  const attributes = {
    viewBox: "0 0 24 24", width: size, height: size, fill: "none", stroke: "currentColor",
    "stroke-width": "1.8", "stroke-linecap": "round", "stroke-linejoin": "round",
    "aria-hidden": "true", focusable: "false",
  };
  for (const [key, value] of Object.entries(attributes)) svg.setAttribute(key, value);
  for (const d of PATHS[name]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    if (name === "thumbDown") path.setAttribute("transform", "rotate(180 12 12)");
    svg.append(path);
  }
  return svg;
}
