// Small labels that every view shares: mood, state, reason, sample mark, and the ticking wait.
// Must not know the views: each takes plain values and gives a node.

import { h, setText } from "./dom.js";
import { MOODS, STATES, fullTime, title, wait } from "./format.js";
import { icon, moodShape } from "./icons.js";

/** Mood as shape, colour and word; nothing where no turn was read yet. */
export function moodChip(mood, { prefix = "" } = {}) {
  if (!mood) return null;
  return h("span", { class: `chip mood mood-${mood}` }, moodShape(mood), `${prefix}${MOODS[mood] ?? title(mood)}`);
}

export const stateChip = (state) => h("span", { class: `chip state state-${state}` }, STATES[state] ?? title(state));

export const reasonChip = (reason) => (reason ? h("span", { class: "chip reason" }, reason.label ?? title(reason.code)) : null);

export const sampleChip = (demo) => (demo ? h("span", { class: "chip sample", title: "A sample conversation, not a real customer" }, "Sample") : null);

/** Beside a name for which the business's own server vouched. */
export const verifiedMark = (verified) =>
  verified ? h("span", { class: "verified", title: "Your own server vouched for who this is" }, h("span", { "aria-hidden": "true" }, "✓"), h("span", { class: "spoken" }, " verified")) : null;

/** Five steps as words and marks, for a CSAT score of 1 to 5. */
export function csatChip(value) {
  if (!value) return null;
  return h("span", { class: "chip csat", title: `Rated ${value} of 5` }, `CSAT ${value}/5`);
}

/** A button of plain text with an optional icon. */
export function button(label, { kind = "", glyph = null, ...props } = {}) {
  return h("button", { class: `button ${kind}`.trim(), ...props }, glyph && icon(glyph), h("span", { class: "button-label" }, label));
}

const ticking = new Set();
let timer = null;

function tick() {
  for (const element of ticking) element.render();
}

/** `<wait-time>`: counts up from the time in its `since` property, once a second. */
class WaitTime extends HTMLElement {
  set since(ms) {
    this.start = ms;
    this.title = `Since ${fullTime(ms)}`;
    this.render();
  }

  connectedCallback() {
    ticking.add(this);
    timer ??= setInterval(tick, 1000);
  }

  disconnectedCallback() {
    ticking.delete(this);
    if (ticking.size === 0) {
      clearInterval(timer);
      timer = null;
    }
  }

  render() {
    if (this.start === undefined) return;
    const passed = Date.now() - this.start;
    setText(this, wait(passed));
    this.dataset.level = passed > 300_000 ? "long" : passed > 120_000 ? "rising" : "short";
  }
}
customElements.define("wait-time", WaitTime);

/** A ticking wait that began at `since` (milliseconds since 1970). */
export function waitTime(since) {
  const element = document.createElement("wait-time");
  element.since = since;
  return element;
}
