// What a site writes to have the chat: the tag, and the lines of its Content-Security-Policy. Pure.

/** The choices of the Install page; an empty string is what the chat chooses itself. */
export const CHOICES = { accent: "", position: "", locale: "", hidden: false, quiet: false };

/** The tag for `origin`, with an attribute for each choice that was made. */
export function snippet(origin, { accent, position, locale, hidden, quiet }) {
  const attributes = [
    ["data-site", "default"],
    ["data-accent", accent],
    ["data-position", position],
    ["data-locale", locale],
  ].filter(([, value]) => value).map(([name, value]) => ` ${name}="${escaped(value)}"`);
  const flags = [hidden && " data-hidden", quiet && " data-no-triggers"].filter(Boolean);
  return `<script src="${escaped(origin)}/widget.js"${attributes.join("")}${flags.join("")} async></script>`;
}

/** What a page with such a policy has to allow. */
export function policy(origin, { quiet }) {
  return [`script-src ${origin};`, `frame-src ${origin};`, !quiet && `connect-src ${origin};`].filter(Boolean).join(" ");
}

/** The address of a page, as somebody types it, as an origin; null if it is none. */
export function originOf(typed) {
  const address = typed.trim();
  try {
    const { origin, protocol, hostname } = new URL(/^[a-z]+:\/\//i.test(address) ? address : `https://${address}`);
    // Some browsers take a sentence for a host, its spaces written as signs.
    return /^https?:$/.test(protocol) && /^[^%]+$/.test(hostname) ? origin : null;
  } catch {
    return null;
  }
}

const escaped = (value) => value.replace(/&/g, "&amp;").replace(/"/g, "&quot;").replace(/</g, "&lt;");
