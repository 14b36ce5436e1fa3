// <candor-chat>: the launcher on the host page, and the panel once it is opened.
//
//   <candor-chat site="default" accent="#2f5d50" position="left" locale="en" server="https://chat.example/"
//     identity="a token of your own server: docs/identity.md">
//   open(), close(), opened, identify(token); events candor:open, candor:close,
//   candor:message { role, seq }, candor:handoff { state } (never any text), candor:unidentified { reason }
//
// It knows: attributes, focus, the badge, when the rest is loaded.
// It must not know: what is said. Until `open` it loads nothing more (a page with
// triggers brings invitation.js, which watches it: docs/proactive.md), stores
// nothing and opens no socket, unless this tab is already in a conversation.
import { accentProperties } from "./accent.js";
import { icon, make } from "./dom.js";
import { Memory } from "./memory.js";
import { launcherSheet } from "./style.js";
import { Texts } from "./texts.js";

const PHONE = "(max-width: 480px), (max-height: 420px)";

export class CandorChat extends HTMLElement {
  static observedAttributes = ["accent", "identity"];

  #root = this.attachShadow({ mode: "open" });
  #ready = null; // the texts are there and the launcher is drawn
  #texts = null;
  #frame = null;
  #launcher = null;
  #badge = null;
  #notice = null;
  #memory = null;
  #conversation = null;
  #view = null;
  #loading = null;
  #opened = false;
  #returnTo = null;
  #identity = null;
  #invitations = null;
  #due = null;

  /** Is the panel shown? */
  get opened() {
    return this.#opened;
  }

  get #site() {
    return this.getAttribute("site") || "default";
  }

  connectedCallback() {
    this.#ready ??= this.#build();
    document.addEventListener("visibilitychange", this.#seen);
    addEventListener("pageshow", this.#back);
    visualViewport?.addEventListener("resize", this.#fit);
    visualViewport?.addEventListener("scroll", this.#fit);
    this.#ready.then(() => {
      if (!this.isConnected) return;
      this.#paint();
      if (this.#conversation) this.#conversation.start();
      else if (Memory.has(this.#site)) this.#resume();
    });
  }

  disconnectedCallback() {
    document.removeEventListener("visibilitychange", this.#seen);
    removeEventListener("pageshow", this.#back);
    visualViewport?.removeEventListener("resize", this.#fit);
    visualViewport?.removeEventListener("scroll", this.#fit);
    this.#conversation?.stop();
  }

  attributeChangedCallback(name, before, now) {
    if (name === "identity") {
      if (now !== before) this.identify(now);
    } else if (this.#frame) {
      this.#paint();
    }
  }

  /** Says who the customer is, with a token of the business's own server; `null`: they signed out. */
  identify(token) {
    const left = this.#identity !== null || token === null;
    this.#identity = token || null;
    if (this.#identity) {
      this.#conversation?.identify(this.#identity);
    } else if (left) {
      // What this tab remembers is theirs, and the next person's to see no longer.
      if (this.#conversation) this.#conversation.signOut();
      else new Memory(this.#site).clear();
    }
  }

  /** Shows the panel and moves the focus into it. */
  async open() {
    if (this.#opened) return;
    this.#returnTo = document.activeElement === this ? null : document.activeElement;
    await this.#ready;
    if (!(await this.#load())) return;
    this.#show();
    this.#focusInside();
  }

  /** Hides the panel; the conversation goes on. The focus returns to where it was. */
  close() {
    if (!this.#opened) return;
    const held = this.#root.activeElement !== null;
    this.#opened = false;
    this.#view.node.hidden = true;
    this.#memory.set("open", false);
    this.#drawLauncher();
    if (held) this.#giveFocusBack();
    this.#emit("close", {});
  }

  /** For loader.js: lets invitation.js watch the page. `watchPage` is its function, `page` what it watches. */
  async invite(watchPage, page) {
    await this.#ready;
    this.#invitations = watchPage(page, {
      root: this.#root,
      texts: this.#texts,
      site: this.#site,
      server: this.#server(),
      free: () => !this.#opened && !this.#talking(),
      rated: () => this.#conversation?.rated ?? null,
      memory: () => (Memory.has(this.#site) ? this.#memory : null),
      due: (invitation) => { this.#due = invitation; },
      accept: (say) => this.#accept(say),
      focus: () => this.#launcher.focus(),
    });
    this.#frame.prepend(this.#invitations.node);
    if (this.#opened) this.#invitations.opened();
  }

  // The notice that a bot answers is shown before the first message goes.
  async #accept(say) {
    await this.open();
    if (!this.#opened || !say) return;
    const conversation = this.#conversation;
    const tell = () => {
      if (!conversation.welcomed || conversation.replaying) return;
      if (conversation.owner === "closed") return conversation.startAnew();
      conversation.removeEventListener("change", tell);
      conversation.say(say);
    };
    conversation.addEventListener("change", tell);
    tell();
  }

  // A conversation that goes on in this tab needs no invitation.
  #talking() {
    return Memory.has(this.#site) && this.#conversation?.owner !== "closed";
  }

  get #locale() {
    return this.getAttribute("locale") || document.documentElement.lang || navigator.language;
  }

  // A launcher in English that turns into another language would be read out twice.
  async #build() {
    this.#texts = await Texts.load(this.#locale);
    this.#root.adoptedStyleSheets = [launcherSheet];
    this.#badge = make("span", { class: "badge", "aria-hidden": "true", hidden: true });
    this.#launcher = make("button", { type: "button", class: "launcher", "aria-expanded": "false", onclick: () => (this.#opened ? this.close() : this.open()) },
      make("span", { class: "face closed" }, icon("chat", 26)), make("span", { class: "face opened" }, icon("down", 26)), this.#badge);
    this.#notice = make("p", { class: "notice", role: "alert", hidden: true });
    this.#frame = make("div", { class: "frame", dir: this.#texts.direction, onkeydown: (event) => this.#key(event) }, this.#launcher, this.#notice);
    this.#root.append(this.#frame);
    this.#drawLauncher();
  }

  // Everything past the launcher is fetched on the first opening, side by side.
  #load() {
    this.#loading ??= this.#fetchPanel().catch((error) => {
      console.error("candor: the chat could not be loaded.", error);
      this.#loading = null;
      this.#notice.textContent = this.#texts.say("loadFailed");
      this.#notice.hidden = false;
      return false;
    });
    return this.#loading;
  }

  async #fetchPanel() {
    this.#notice.hidden = true;
    const [{ Conversation }, { View }, { panelSheet, partsSheet }] = await Promise.all([
      import("./conversation.js"), import("./view.js"), import("./panel-style.js"),
      import("./connection.js"), import("./log.js"), import("./entries.js"),
      import("./markdown.js"), import("./composer.js"), import("./forms.js"),
    ]);
    this.#root.adoptedStyleSheets = [...this.#root.adoptedStyleSheets, panelSheet, partsSheet];
    this.#memory = new Memory(this.#site);
    this.#conversation = new Conversation({
      url: this.#socketAddress(),
      site: this.#site,
      locale: this.#locale,
      identity: this.#identity,
      memory: this.#memory,
      invitation: () => this.#due ?? undefined,
      noted: () => { this.#due = null; },
    });
    this.#view = new View({ conversation: this.#conversation, texts: this.#texts, memory: this.#memory, close: () => this.close() });
    // Before the launcher: what Tab reaches first is the chat.
    this.#frame.prepend(this.#view.node);
    this.#conversation.addEventListener("change", () => this.#changed());
    this.#conversation.addEventListener("message", ({ detail }) => this.#emit("message", { role: detail.role, seq: detail.seq }));
    this.#conversation.addEventListener("owner", ({ detail }) => {
      if (detail.state === "queued" || detail.state === "assigned") this.#emit("handoff", { state: detail.state });
    });
    this.#conversation.addEventListener("unidentified", ({ detail }) => {
      this.#identity = null;
      console.warn(`candor: the identity was not taken: ${detail.reason}.`);
      this.#emit("unidentified", { reason: detail.reason });
    });
    this.#conversation.start();
    return true;
  }

  // These modules lie at <server>/assets/<build>/widget/.
  #server() {
    return new URL(this.getAttribute("server") || "../../../", import.meta.url);
  }

  #socketAddress() {
    const address = new URL("v1/chat", this.#server());
    address.protocol = address.protocol === "http:" ? "ws:" : "wss:";
    return address.href;
  }

  async #resume() {
    if (!(await this.#load())) return;
    // On a phone the panel would cover the page that the customer has just asked for.
    if (this.#memory.get("open") && !matchMedia(PHONE).matches && !this.#opened) this.#show();
  }

  #show() {
    this.#invitations?.opened();
    this.#opened = true;
    this.#view.node.hidden = false;
    this.#fit();
    this.#view.shown();
    this.#memory.set("open", true);
    this.#drawLauncher();
    this.#seen();
    this.#emit("open", {});
  }

  #focusInside() {
    this.#view.node.focus({ preventScroll: true });
    // A field that takes the focus on a touch screen brings up the keyboard over the disclosure.
    if (matchMedia("(pointer: fine)").matches) this.#view.field?.focus({ preventScroll: true });
  }

  #giveFocusBack() {
    const before = this.#returnTo;
    this.#returnTo = null;
    if (before?.isConnected && before !== document.body) before.focus();
    else this.#launcher.focus();
  }

  #key(event) {
    if (event.key !== "Escape" || event.isComposing || !this.#opened) return;
    event.stopPropagation();
    this.close();
  }

  #changed() {
    this.#seen();
    this.#drawLauncher();
    // The field could not take the focus before the welcome came.
    if (this.#opened && this.#root.activeElement === this.#view.node) {
      queueMicrotask(() => this.#root.activeElement === this.#view.node && this.#focusInside());
    }
  }

  // Bound once: it is a listener too.
  #seen = () => {
    if (this.#opened && document.visibilityState === "visible") this.#conversation?.markRead();
  };

  #back = (event) => {
    if (event.persisted) this.#conversation?.takeOver();
  };

  // The screen keyboard shrinks what is visible, not the page: the panel follows.
  #fit = () => {
    if (!this.#opened || !visualViewport) return;
    this.#frame.style.setProperty("--visible-height", `${visualViewport.height}px`);
    this.#frame.style.setProperty("--visible-top", `${visualViewport.offsetTop}px`);
  };

  #drawLauncher() {
    const count = this.#opened ? 0 : (this.#conversation?.unread ?? 0);
    const texts = this.#texts;
    const label = this.#opened ? texts.say("closeChat") : count > 0 ? texts.say("openChatUnread", { count }) : texts.say("openChat");
    this.#frame.classList.toggle("open", this.#opened);
    this.#launcher.setAttribute("aria-label", label);
    this.#launcher.setAttribute("aria-expanded", String(this.#opened));
    this.#launcher.title = label;
    this.#badge.textContent = count > 9 ? "9+" : String(count);
    this.#badge.hidden = count === 0;
  }

  #paint() {
    const accent = this.getAttribute("accent") || getComputedStyle(this).getPropertyValue("--candor-accent").trim();
    const properties = accent ? accentProperties(accent, this.#frame) : {};
    for (const [name, value] of Object.entries(properties)) this.#frame.style.setProperty(name, value);
  }

  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(`candor:${name}`, { detail, bubbles: true, composed: true }));
  }
}
