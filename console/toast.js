// Short messages at the edge of the screen, spoken by screen readers as they appear, and the
// "done, unless you undo it" pattern. Must not know what the messages are about.

import { h } from "./dom.js";

const region = h("div", { class: "toasts", role: "status", "aria-live": "polite" });

/** Puts the region into the page; once, before the first toast. */
export function mountToasts(parent) {
  parent.append(region);
}

/**
 * Shows `text` for `seconds`. `action` {label, run} adds a button. Gives a function that takes
 * the toast away early.
 */
export function toast(text, { action = null, seconds = 5, kind = "" } = {}) {
  const dismiss = () => {
    clearTimeout(timer);
    element.remove();
  };
  const element = h(
    "div",
    { class: `toast ${kind}`.trim() },
    h("span", { class: "toast-text" }, text),
    action &&
      h("button", { class: "button quiet", onclick: () => { dismiss(); action.run(); } }, action.label),
  );
  region.append(element);
  const timer = setTimeout(dismiss, seconds * 1000);
  return dismiss;
}

export const toastError = (error) => toast(error.detail || error.message || "That did not work.", { kind: "bad", seconds: 9 });

/**
 * Does `run` after `seconds`, or not at all if the person presses Undo first. Leaving the page
 * does it at once: what was decided is not lost. Gives {now, undo}.
 */
export function undoable(text, run, { seconds = 6, onundo = () => {} } = {}) {
  let settled = false;
  const finish = (act) => () => {
    if (settled) return;
    settled = true;
    clearTimeout(timer);
    removeEventListener("pagehide", now);
    dismiss();
    act();
  };
  const now = finish(run);
  const undo = finish(onundo);
  const dismiss = toast(text, { action: { label: "Undo", run: undo }, seconds: seconds + 1, kind: "undo" });
  const timer = setTimeout(now, seconds * 1000);
  addEventListener("pagehide", now);
  return { now, undo };
}
