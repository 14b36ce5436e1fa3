// Builds DOM nodes. Text always becomes a text node, so nothing that a customer wrote can turn
// into markup. Must not know what the nodes are for.

const SVG = "http://www.w3.org/2000/svg";

/**
 * Makes an HTML element. Properties that start with `on` are listeners, `class` and everything
 * else are attributes; null, undefined and false are left out, true is an empty attribute.
 */
export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  if (tag === "button" && !props?.type) element.type = "button";
  return fill(element, props, children);
}

/** Makes an SVG element, with the same rules as `h`. */
export function s(tag, props, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

/** Replaces everything inside `element`. */
export function replace(element, ...children) {
  element.replaceChildren();
  append(element, children);
  return element;
}

/** Sets the text only where it differs, so that a screen reader is not told the same twice. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** An address that may break after its separators rather than in the middle of a word. */
export function breakable(address) {
  const parts = address.replace(/^https?:\/\//, "").split(/(?<=[/?&=#])/);
  return h("span", { class: "break", title: address }, parts.map((part, index) => [index > 0 && h("wbr"), part]));
}

/** A table in a box that scrolls sideways where it must, by keyboard too. */
export function tableBox(label, table) {
  return h("div", { class: "scroll-x", tabindex: "0", role: "group", "aria-label": label }, table);
}

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    if (Array.isArray(child)) append(element, child);
    else element.append(child instanceof Node ? child : String(child));
  }
}

/**
 * Keeps the children of `parent` equal to `items` without rebuilding rows that stay: each key's
 * row is made once and updated, and only rows whose place changed are moved (focus survives).
 */
export function reconcile(parent, items, { key, make, update }) {
  const rows = (parent.rows ??= new Map());
  const wanted = new Set();
  let place = parent.firstChild;
  for (const item of items) {
    const id = key(item);
    wanted.add(id);
    let row = rows.get(id);
    if (!row) {
      row = make(item);
      rows.set(id, row);
    }
    update(row, item);
    if (row === place) place = place.nextSibling;
    else parent.insertBefore(row, place);
  }
  for (const [id, row] of rows) {
    if (wanted.has(id)) continue;
    row.remove();
    rows.delete(id);
  }
}
