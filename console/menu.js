// A button that opens a short list of choices, with arrow keys, Escape and click-away.
// Must not know what the choices do.

import { h, replace } from "./dom.js";
import { icon } from "./icons.js";

/** `items()` gives [{label, hint?, run, kind?}] each time the menu opens. */
export function menu(label, items, { kind = "", empty = "Nothing to choose", hideLabel = false } = {}) {
  const list = h("div", { class: "menu-list", role: "menu", "aria-label": label, hidden: true });
  const opener = h(
    "button",
    { class: `button ${kind}`.trim(), "aria-haspopup": "menu", "aria-expanded": "false", "aria-label": hideLabel ? label : null, onclick: () => (list.hidden ? open() : shut()) },
    hideLabel ? h("span", { class: "dots", "aria-hidden": "true" }, "•••") : [h("span", { class: "button-label" }, label), icon("chevron")],
  );
  const root = h("div", { class: "menu" }, opener, list);

  const away = (event) => {
    if (!root.contains(event.target)) shut(false);
  };

  function open() {
    const choices = items();
    replace(
      list,
      choices.length === 0 && h("p", { class: "menu-empty" }, empty),
      choices.map((choice) =>
        h(
          "button",
          { class: `menu-item ${choice.kind ?? ""}`.trim(), role: "menuitem", tabindex: "-1", onclick: () => { shut(); choice.run(); } },
          h("span", null, choice.label),
          choice.hint && h("span", { class: "menu-hint" }, choice.hint),
        ),
      ),
    );
    list.hidden = false;
    opener.setAttribute("aria-expanded", "true");
    list.querySelector("button")?.focus();
    document.addEventListener("pointerdown", away);
  }

  function shut(refocus = true) {
    list.hidden = true;
    opener.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", away);
    if (refocus) opener.focus();
  }

  root.addEventListener("keydown", (event) => {
    if (list.hidden) return;
    const entries = [...list.querySelectorAll("button")];
    const at = entries.indexOf(document.activeElement);
    const moves = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: entries.length - 1 };
    if (event.key === "Escape") shut();
    else if (event.key === "Tab") return shut(false);
    else if (event.key in moves && entries.length) entries.at(moves[event.key] % entries.length).focus();
    else return undefined;
    event.preventDefault();
    event.stopPropagation();
    return undefined;
  });
  root.addEventListener("focusout", (event) => {
    if (!list.hidden && event.relatedTarget && !root.contains(event.relatedTarget)) shut(false);
  });

  root.openMenu = open;
  return root;
}
