// Turns the Markdown subset of the bot's texts into DOM nodes.
//
// It knows: paragraphs, line breaks, `- ` lists, **bold**, [text](address) and
// bare http(s) addresses. Everything else stays the text that it is.
// It must not know: HTML. Every string ends in a text node; only an address
// that the URL parser calls http, https or mailto becomes a link.
import { make } from "./dom.js";

const SAFE = new Set(["http:", "https:", "mailto:"]);
const INLINE = /\*\*([^*\n]+)\*\*|\[([^\]\n]+)\]\(([^()\s]+)\)|(https?:\/\/[^\s<>"')\]]+)/g;
const TRAILING = /[.,;:!?]+$/;

/** One fragment of block nodes for a whole text. */
export function markdown(text) {
  const fragment = document.createDocumentFragment();
  for (const block of String(text ?? "").replace(/\r\n?/g, "\n").split(/\n{2,}/)) {
    appendBlock(fragment, block.split("\n").filter((line) => line.trim() !== ""));
  }
  return fragment;
}

/** A customer's or an agent's own words: paragraphs and links that spell out their address. */
export function plain(text) {
  const fragment = document.createDocumentFragment();
  for (const block of String(text ?? "").replace(/\r\n?/g, "\n").split(/\n{2,}/)) {
    const paragraph = make("p");
    block.split("\n").forEach((line, index) => {
      if (index > 0) paragraph.append(make("br"));
      appendInline(paragraph, line, /(https?:\/\/[^\s<>"')\]]+)/g);
    });
    fragment.append(paragraph);
  }
  return fragment;
}

function appendBlock(parent, lines) {
  let paragraph = null;
  let list = null;
  for (const line of lines) {
    const item = /^\s*[-*]\s+(.*)$/.exec(line);
    if (item) {
      paragraph = null;
      list ??= parent.appendChild(make("ul"));
      appendInline(list.appendChild(make("li")), item[1], INLINE);
    } else {
      list = null;
      if (paragraph) paragraph.append(make("br"));
      else paragraph = parent.appendChild(make("p"));
      appendInline(paragraph, line, INLINE);
    }
  }
}

function appendInline(parent, text, pattern) {
  let from = 0;
  for (const match of text.matchAll(pattern)) {
    let whole = match[0];
    let node = null;
    if (pattern !== INLINE || match[4]) {
      whole = whole.replace(TRAILING, "");
      node = link(whole, whole);
    } else if (match[1]) {
      node = make("strong");
      appendInline(node, match[1], INLINE);
    } else {
      node = link(match[2], match[3]);
    }
    if (!node) continue;
    parent.append(text.slice(from, match.index), node);
    from = match.index + whole.length;
  }
  parent.append(text.slice(from));
}

function link(label, address) {
  let url;
  try {
    url = new URL(address);
  } catch {
    return null;
  }
  if (!SAFE.has(url.protocol)) return null;
  return make("a", { href: url.href, target: "_blank", rel: "noopener noreferrer nofollow" }, label);
}
