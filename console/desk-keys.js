// The desk's keyboard: one table for the keys and for the help that `?` shows.
// Must not know how an action is done; it calls what it is given.

import { h } from "./dom.js";
import { icon } from "./icons.js";

const HELP = [
  ["j / k", "Next and previous conversation in the list"],
  ["Enter", "Open the conversation"],
  ["c", "Claim or take over"],
  ["r", "Write a reply"],
  ["n", "Write an internal note"],
  ["t", "Transfer to a colleague"],
  ["b", "Give back to the bot"],
  ["e", "Close (with a moment to undo)"],
  ["s", "Fold or open the summary"],
  ["d", "Show or hide the details"],
  ["Esc", "Leave the text field, then the conversation"],
  ["?", "This help"],
];

/**
 * Listens on the document until `signal` aborts. `commands` maps a key to what it does; a key
 * that is typed into a field, or with a modifier, is left alone.
 */
export function listenForKeys(commands, signal) {
  document.addEventListener(
    "keydown",
    (event) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
      if (event.target.closest?.("input, textarea, select, [contenteditable], dialog, [role=menu]")) return;
      const run = commands[event.key];
      if (!run || run() === false) return;
      event.preventDefault();
    },
    { signal },
  );
}

/** Opens the list of keys. */
export function showHelp() {
  const shut = () => dialog.close();
  const dialog = h(
    "dialog",
    { class: "help", "aria-labelledby": "help-title", onclose: () => dialog.remove() },
    h("div", { class: "help-head" }, h("h2", { id: "help-title" }, "Keys"), h("button", { class: "button quiet round", "aria-label": "Close the help", onclick: shut }, icon("close"))),
    h("dl", { class: "help-keys" }, HELP.map(([keys, text]) => [h("dt", null, keys.split(" / ").map((key, index) => [index > 0 && " ", h("kbd", null, key)])), h("dd", null, text)])),
  );
  dialog.addEventListener("click", (event) => { if (event.target === dialog) shut(); });
  document.body.append(dialog);
  dialog.showModal();
}
