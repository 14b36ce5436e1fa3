// <candor-chat>: the launcher on the host page. What it opens is stage.js, which is fetched then.
//
//   <candor-chat site="default" accent="#2f5d50" position="left" locale="en" server="https://chat.example/"
//     identity="a token of your own server: docs/identity.md">
//   open(), close(), opened, identify(token); events candor:open, candor:close, candor:unread { count },
//   candor:message { role, seq }, candor:handoff { state } (never any text), candor:unidentified { reason }
//
// It knows: attributes, the button, and whether this tab is already in a conversation: then the page's
// sessionStorage says so with one word, and holds nothing else. It must not know: the chat.
// Until it is opened it makes no request and stores nothing.
// It takes nothing from Array.prototype and JSON: pages break those.
import { groundProperties } from "./contrast.js";
import { launcherSheet } from "./launcher-style.js";
import { languageOf } from "./language.js";

const SVG = "http://www.w3.org/2000/svg";

/** The element's class. `home` is the server's address, `words` what the launcher says by language. */
export const launcherClass = (home, words) => class extends HTMLElement {
  // No array, whose iterator may be the page's.
  static observedAttributes = { *[Symbol.iterator]() { yield "accent"; yield "identity"; yield "locale"; yield "hidden"; } };

  /** For stage.js and invitation.js: the tree, its parts, who the customer is, and each other. */
  parts = { root: this.attachShadow({ mode: "open" }), widget: make("div"), button: make("button"), notice: make("p") };
  identity = null;
  stage = null;
  watch = null; // an invitation may be due
  due = null; // the one that was
  #coming = null;
  #failures = 0;
  #wanted = false; // open, and not closed since

  constructor() {
    super();
    const { root, widget, button, notice } = this.parts;
    root.adoptedStyleSheets[0] = launcherSheet;
    widget.className = "widget";
    widget.style.opacity = 0; // until it has its colours
    button.className = "launcher";
    button.type = "button";
    button.onclick = () => (this.opened ? this.close() : this.open());
    const svg = document.createElementNS(SVG, "svg");
    const path = document.createElementNS(SVG, "path");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.ariaHidden = true;
    path.setAttribute("d", "M20 11.5a7.5 7.5 0 0 1-11 6.6L4 19.5l1.5-4.4A7.5 7.5 0 1 1 20 11.5ZM9 10.5h7M9 13.5h4.5");
    svg.append(path);
    button.append(svg);
    notice.className = "notice";
    notice.role = "alert";
    notice.hidden = true;
    widget.append(button, notice);
    root.append(widget);
  }

  /** Is the chat shown? */
  get opened() {
    return !!this.stage?.opened;
  }

  /** Where the server is. */
  get server() {
    return new URL(this.getAttribute("server") || ".", home);
  }

  get locale() {
    return this.getAttribute("locale") || document.documentElement.lang || navigator.language;
  }

  get accent() {
    return this.getAttribute("accent") || getComputedStyle(this).getPropertyValue("--candor-accent").trim();
  }

  /** Under which name the page's storage knows of a conversation. */
  get key() {
    return `candor:${this.getAttribute("site") || "default"}`;
  }

  /** `open` or `closed` where this tab is in a conversation, else null. */
  get kept() {
    try {
      return sessionStorage.getItem(this.key);
    } catch {
      return null; // storage is forbidden: a reload then starts anew, nothing else is lost
    }
  }

  set kept(word) {
    try {
      if (word) return sessionStorage.setItem(this.key, word);
      sessionStorage.removeItem(this.key);
      sessionStorage.removeItem(`${this.key}:invited`);
    } catch {
      // The chat goes on without.
    }
  }

  connectedCallback() {
    this.#draw();
    if (this.stage) this.stage.enter();
    else if (this.kept) this.#fetch();
  }

  disconnectedCallback() {
    this.stage?.leave();
  }

  attributeChangedCallback(name, before, now) {
    if (now === before) return;
    if (name === "identity") return this.identify(now);
    if (name === "hidden") return now === null ? undefined : this.close();
    this.#draw();
    this.stage?.look();
  }

  /** Says who the customer is, with a token of the business's own server; `null`: they signed out. */
  identify(token) {
    const left = !token && (this.identity !== null || token === null);
    this.identity = token || null;
    this.stage?.identify(left);
    if (!left || !this.kept) return;
    // What this tab remembers is theirs, and the next person's to see no longer: also what only the frame can reach.
    this.kept = null;
    this.#fetch()?.then((stage) => stage?.clear());
  }

  /** Shows the chat and moves the focus into it; `say` is said in it, once it can be. */
  open(say) {
    const asked = document.activeElement;
    this.#wanted = true;
    this.#fetch()?.then((stage) => this.#wanted && stage?.open(asked === this ? null : asked, say));
  }

  /** Hides the chat; the conversation goes on. The focus returns to where it was. */
  close() {
    this.#wanted = false;
    this.stage?.close();
  }

  #fetch() {
    this.parts.notice.hidden = true;
    // A browser may remember that an address could not be loaded.
    this.#coming ||= import(new URL(`assets/__BUILD__/widget/stage.js?${this.#failures}`, this.server).href).then(
      ({ Stage }) => {
        this.stage = new Stage(this);
        if (this.isConnected) this.stage.enter();
        return this.stage;
      },
      (error) => {
        console.error("candor:", error);
        this.#coming = null;
        this.#failures += 1;
        this.fail();
      });
    return this.#coming;
  }

  /** Says that the chat could not be loaded. */
  fail() {
    this.parts.notice.textContent = this.#words[1];
    this.parts.notice.hidden = false;
  }

  get #words() {
    return words[languageOf(this.locale, words)];
  }

  #draw() {
    if (!this.isConnected) return;
    const { button, widget } = this.parts;
    widget.dir = /^(ar|he|iw)\b/.test(this.locale) ? "rtl" : "ltr";
    if (!this.stage) button.ariaLabel = button.title = this.#words[0];
    // Colours are asked for once the page was drawn: before, that would have it laid out one more time.
    requestAnimationFrame(() => setTimeout(() => {
      const properties = groundProperties(this.accent, widget);
      for (const name in properties) widget.style.setProperty(name, properties[name]);
      widget.style.opacity = 1;
    }));
  }
};

function make(tag) {
  return document.createElement(tag);
}
