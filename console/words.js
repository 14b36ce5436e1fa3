// Shows in a message which of its words carried the customer's frustration, as the server measured
// it. Places are counted in characters. Must not measure or decide anything itself.

import { h } from "./dom.js";
import { score } from "./format.js";

/** Less than this says nothing about a word. */
const LEAST = 0.03;
/** A word with this share of the strongest one's weight is shown like it. */
const STRONG = 0.6;
/** Weaker ones, down to this share, are shown at all. */
const SHOWN = 0.25;

/** The words that carried it, strongest first: [{start, end, frustration, strong}]. */
export function carriers(turn) {
  const words = [...(turn?.words ?? [])].sort((a, b) => b.frustration - a.frustration);
  const most = words[0]?.frustration ?? 0;
  return words
    .filter(({ frustration }) => frustration >= LEAST && frustration >= most * SHOWN)
    .map((word) => ({ ...word, strong: word.frustration >= most * STRONG }));
}

/** One line that names the strongest words of `text`, or null. */
export function carriersLine(turn, text, most = 4) {
  const letters = Array.from(text ?? "");
  const named = carriers(turn).slice(0, most);
  if (!named.length || !letters.length) return null;
  return h(
    "p",
    { class: "carriers" },
    "Carried by ",
    named.map(({ start, end, frustration }, index) => [index > 0 && ", ", h("q", null, letters.slice(start, end).join("")), ` ${score(frustration)}`]),
  );
}

/** Marks the words in `element`, which shows `text` in text nodes of its own, in order. */
export function markWords(element, text, turn) {
  const words = carriers(turn);
  if (!words.length || element.querySelector("mark")) return;
  const letters = Array.from(text);
  const at = (place) => letters.slice(0, place).join("").length;
  const places = words.map((word) => ({ ...word, start: at(word.start), end: at(word.end) })).sort((a, b) => b.start - a.start);
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  const nodes = [];
  while (walker.nextNode()) nodes.push(walker.currentNode);
  let cursor = 0;
  for (const node of nodes) {
    const base = text.indexOf(node.data, cursor);
    if (base < 0) continue; // Drawn otherwise than written: better no mark than a wrong one.
    cursor = base + node.data.length;
    for (const word of places) {
      if (word.start < base || word.end > cursor) continue;
      const part = node.splitText(word.start - base);
      part.splitText(word.end - word.start);
      const mark = h("mark", { class: word.strong ? "carrier strong" : "carrier", title: `Without it, frustration would be ${score(word.frustration)} lower` });
      part.replaceWith(mark);
      mark.append(part);
    }
  }
}
