// The menu in the chat's header: what a customer may do with the conversation as a whole.
//
// It knows: the pattern of a menu button (ARIA Authoring Practices), its keys and where the focus goes.
// It must not know: what an entry does.
import { icon, make } from "./dom.js";

const STEPS = { ArrowDown: 1, ArrowUp: -1 };

export class Menu {
  #button;
  #list;
  #entries;
  #ended;

  /** @param {string} label @param {() => Array<{ text: string, checked?: boolean, run(): void }>} entries those that apply now @param {AbortSignal} ended */
  constructor(label, entries, ended) {
    this.#entries = entries;
    this.#ended = ended;
    this.#button = make("button", {
      type: "button", class: "icon-button", "aria-label": label, title: label, "aria-haspopup": "menu", "aria-expanded": "false", "aria-controls": "menu",
      onclick: () => (this.#open ? this.#shut() : this.#show(0)),
      onkeydown: (event) => this.#fromButton(event),
    }, icon("more", 20));
    this.#list = make("div", { class: "menu", id: "menu", role: "menu", "aria-label": label, hidden: true, onkeydown: (event) => this.#inside(event) });
    this.node = make("div", { class: "menu-place" }, this.#button, this.#list);
    const outside = ({ target }) => this.#open && !this.node.contains(target) && this.#shut();
    document.addEventListener("pointerdown", outside, { signal: ended });
    // The focus may go to another document, which is outside too.
    this.node.addEventListener("focusout", ({ relatedTarget }) => this.#open && !this.node.contains(relatedTarget) && this.#shut());
  }

  /** Takes the focus, after what was chosen is over. */
  focus() {
    this.#button.focus();
  }

  get #open() {
    return !this.#list.hidden;
  }

  get #items() {
    return Array.from(this.#list.children);
  }

  #show(at) {
    if (this.#ended.aborted) return;
    this.#list.replaceChildren(...this.#entries().map(({ text, checked, run }) => make("button", {
      type: "button", class: "menu-item", role: checked === undefined ? "menuitem" : "menuitemcheckbox",
      "aria-checked": checked === undefined ? null : String(checked), tabindex: -1,
      onclick: () => {
        this.#shut();
        this.focus();
        run();
      },
    }, make("span", { class: "menu-mark" }, checked ? icon("check", 16) : null), text)));
    this.#list.hidden = false;
    this.#button.setAttribute("aria-expanded", "true");
    this.#items.at(at)?.focus();
  }

  #shut() {
    this.#list.hidden = true;
    this.#button.setAttribute("aria-expanded", "false");
  }

  #fromButton(event) {
    if (!(event.key in STEPS) || this.#open) return;
    event.preventDefault();
    this.#show(event.key === "ArrowUp" ? -1 : 0);
  }

  #inside(event) {
    const items = this.#items;
    const now = items.indexOf(document.activeElement);
    const next = event.key in STEPS ? items.at((now + STEPS[event.key]) % items.length) : { Home: items[0], End: items.at(-1) }[event.key];
    if (next) {
      event.preventDefault();
      next.focus();
    } else if (event.key === "Escape") {
      // The chat itself stays open.
      event.preventDefault();
      event.stopPropagation();
      this.#shut();
      this.focus();
    } else if (event.key === "Tab") {
      this.focus();
      this.#shut();
    }
  }
}
