// The chat's place on the host page: a frame with a document of candor's own origin, so that scripts of the
// page can neither read the chat nor write into it. Fetched when the chat is first opened, or goes on.
//
// It knows: the frame, its place, the focus, the badge, and the messages of frame.js.
// It must not know: what is said.
// It takes nothing from Array.prototype and JSON: pages break those.
import { sheet } from "./sheet.js";
import { Texts } from "./texts.js";

const PHONE = matchMedia("(max-width: 480px), (max-height: 420px)");
const SILENT = 4_000; // milliseconds that a frame may take to speak once it is loaded
const SLOW = 20_000; // and to be loaded, or drawn

export class Stage {
  #launcher;
  #texts = null;
  #frame = null;
  #ready = false; // the frame has said so
  #drawn = false; // there is something to see in it
  #clearing = false; // it is there to forget a customer, and goes then
  #say = null; // what is to be said then
  #silence = 0;
  #badge = document.createElement("span");
  #asked = false; // by the customer, who wants the focus in it
  #returnTo = null;
  #inert = null; // the body that cannot be reached meanwhile
  #title = null;
  #present = null; // what is heard while the launcher is on a page

  /** Is the chat shown? */
  opened = false;
  /** What the frame told last. */
  state = { unread: 0, label: "", owner: "bot", rated: null };

  /** @param {HTMLElement} launcher the element of launcher.js */
  constructor(launcher) {
    this.#launcher = launcher;
    const { root, widget, button } = launcher.parts;
    root.adoptedStyleSheets[root.adoptedStyleSheets.length] = stageSheet;
    this.#badge.className = "badge";
    this.#badge.ariaHidden = "true";
    this.#badge.hidden = true;
    const down = button.firstChild.cloneNode(true);
    down.firstChild.setAttribute("d", "M6 9.5l6 6 6-6");
    button.append(down, this.#badge);
    widget.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || event.isComposing || !this.opened) return;
      event.stopPropagation();
      this.close();
    });
  }

  /** The launcher is on a page (again). */
  enter() {
    this.#present = new AbortController();
    const { signal } = this.#present;
    addEventListener("message", this.#hear, { signal });
    document.addEventListener("visibilitychange", this.#drawTitle, { signal });
    PHONE.addEventListener("change", this.#place, { signal });
    visualViewport?.addEventListener("resize", this.#place, { signal });
    visualViewport?.addEventListener("scroll", this.#place, { signal });
    this.look();
    const { kept } = this.#launcher;
    if (!kept || this.#frame) return;
    this.#load();
    // On a phone the chat would cover the page that the customer has just asked for.
    if (kept === "open" && !PHONE.matches && !this.#launcher.hidden) this.#show();
  }

  /** The launcher was taken out, and the frame with it: where the conversation goes on, it is loaded again. */
  leave() {
    this.#present.abort();
    this.#drop();
  }

  /** Shows the chat; the focus returns to `from` when it is closed. */
  open(from, say) {
    if (typeof say === "string") this.#tellOnceReady(say);
    if (this.opened || !this.#launcher.isConnected) return;
    this.#returnTo = from;
    this.#asked = true;
    this.#load();
    this.#show();
  }

  close() {
    if (!this.opened) return;
    const { parts } = this.#launcher;
    const held = parts.root.activeElement !== null;
    this.opened = this.#asked = false;
    this.#frame.hidden = true;
    this.#tell({ type: "close" });
    if (this.#launcher.kept) this.#launcher.kept = "closed";
    this.#place();
    this.#draw();
    if (held) this.#giveFocusBack();
    this.#emit("close", {});
  }

  /** Another customer is here, or none: `left`. */
  identify(left) {
    const token = this.#launcher.identity;
    if (token || left) this.#tell({ type: "identify", token });
  }

  /** The customer is another one: what the frame's storage holds is forgotten, though no frame is there. */
  clear() {
    if (this.#frame) return;
    this.#clearing = true;
    this.#load();
  }

  /** An invitation was due on the page. */
  invite() {
    this.#tell({ type: "due", invitation: this.#launcher.due });
  }

  /** The launcher's language or colour may have changed. */
  async look() {
    this.#tellLook();
    const { locale } = this.#launcher;
    const texts = await Texts.load(locale);
    if (locale !== this.#launcher.locale) return;
    this.#texts = texts;
    this.#draw();
  }

  #tellLook() {
    const { locale, accent } = this.#launcher;
    this.#tell({ type: "look", locale, accent, phone: PHONE.matches, page: pageOf() });
  }

  #load() {
    if (this.#frame) return;
    this.#wait(SLOW);
    const { server, parts } = this.#launcher;
    const frame = document.createElement("iframe");
    const address = new URL("chat/", server);
    address.searchParams.set("site", this.#launcher.getAttribute("site") || "default");
    address.searchParams.set("host", location.origin);
    frame.className = "chat";
    frame.title = parts.button.title;
    frame.referrerPolicy = "origin";
    frame.hidden = true;
    frame.onload = () => !this.#ready && this.#wait(SILENT);
    frame.src = address.href;
    this.#frame = frame;
    // Before the launcher: what Tab reaches first is the chat.
    parts.widget.prepend(frame);
  }

  // A frame that the server's policy forbids on this page is loaded, and silent.
  #wait(patience) {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      if (this.opened) this.#launcher.fail();
      this.#drop();
    }, patience);
  }

  #drop() {
    clearTimeout(this.#silence);
    const was = this.opened;
    this.#frame?.remove();
    this.#frame = this.#say = null;
    this.#ready = this.#drawn = this.#clearing = this.opened = this.#asked = false;
    this.state = { ...this.state, unread: 0, label: "" };
    this.#place();
    this.#draw();
    this.#drawTitle();
    if (!was) return;
    this.#giveFocusBack();
    this.#emit("close", {});
  }

  #giveFocusBack() {
    const before = this.#returnTo;
    this.#returnTo = null;
    (before?.isConnected && before !== document.body ? before : this.#launcher.parts.button).focus();
  }

  #show() {
    this.#launcher.watch?.opened();
    this.opened = true;
    this.#frame.hidden = false;
    if (this.#launcher.kept) this.#launcher.kept = "open";
    this.#place();
    this.#draw();
    if (this.#ready) this.#opening();
    this.#emit("open", {});
  }

  #opening() {
    // The frame has to have the focus before something in it can take it.
    if (this.#asked) this.#frame.focus({ preventScroll: true });
    this.#tell({ type: "open", focus: this.#asked });
  }

  #tell(message) {
    if (this.#ready) this.#frame.contentWindow.postMessage(message, this.#launcher.server.origin);
  }

  #tellOnceReady(text) {
    if (this.#ready) this.#tell({ type: "say", text });
    else this.#say = text;
  }

  // Bound once: it is a listener.
  #hear = (event) => {
    const message = event.data;
    const launcher = this.#launcher;
    if (!this.#frame || event.source !== this.#frame.contentWindow || event.origin !== launcher.server.origin || !message) return;
    switch (message.type) {
      case "ready":
        return this.#begin();
      case "state":
        return this.#take(message);
      case "begun":
        launcher.kept = this.opened ? "open" : "closed";
        return undefined;
      case "forgotten":
        launcher.kept = null;
        if (!this.opened) return this.#drop();
        if (!this.#clearing) return undefined;
        this.#clearing = false;
        return this.#begin();
      case "close":
        return this.close();
      case "noted":
        launcher.due = null;
        return undefined;
      case "message":
        return this.#emit("message", { role: String(message.role), seq: Number(message.seq) });
      case "handoff":
        return this.#emit("handoff", { state: String(message.state) });
      case "unidentified":
        if (message.current) launcher.identity = null;
        console.warn(`candor: the identity was not taken: ${message.reason}.`);
        return this.#emit("unidentified", { reason: String(message.reason) });
      default:
        return undefined;
    }
  };

  #begin() {
    this.#ready = true;
    this.#wait(SLOW);
    if (this.#clearing) return this.#tell({ type: "forget" });
    const { kept, locale, accent, identity, due } = this.#launcher;
    this.#tell({
      type: "begin",
      kept: Boolean(kept),
      locale,
      accent,
      phone: PHONE.matches,
      identity,
      invitation: due,
      page: pageOf(),
    });
    if (this.#say !== null) this.#tell({ type: "say", text: this.#say });
    this.#say = null;
    if (this.opened) this.#opening();
  }

  #take({ unread, label, owner, rated }) {
    const before = this.state.unread;
    clearTimeout(this.#silence);
    const first = !this.#drawn;
    this.#drawn = true;
    this.state = { unread: Number(unread) || 0, label: String(label), owner: String(owner), rated: Number(rated) || null };
    if (first) this.#place();
    this.#draw();
    this.#drawTitle();
    if (before !== this.state.unread) this.#emit("unread", { count: this.state.unread });
  }

  #draw() {
    const { button, widget } = this.#launcher.parts;
    const { unread, label } = this.state;
    widget.classList.toggle("open", this.opened);
    widget.classList.toggle("drawn", this.#drawn);
    button.ariaExpanded = String(this.opened);
    this.#badge.textContent = unread > 9 ? "9+" : String(unread);
    this.#badge.hidden = this.opened || unread === 0;
    if (!this.#texts) return;
    button.ariaLabel = button.title = this.opened ? this.#texts.say("closeChat") : label || this.#texts.say("openChat");
    if (this.#frame) this.#frame.title = this.#texts.say("chat");
  }

  // A tab in the background says in its title that something came.
  #drawTitle = () => {
    const { unread } = this.state;
    if (this.#title && document.title === this.#title.shown) document.title = this.#title.before;
    this.#title = null;
    if (unread === 0 || !document.hidden) return;
    this.#title = { before: document.title, shown: `(${unread}) ${document.title}` };
    document.title = this.#title.shown;
  };

  // The screen keyboard shrinks what is visible, not the page: the chat follows. Where it covers the
  // page, nothing behind it can be reached.
  #place = () => {
    const { body } = document;
    const covers = this.opened && this.#drawn && PHONE.matches && !body.contains(this.#launcher);
    if (this.#inert && (!covers || this.#inert !== body)) {
      this.#inert.inert = false;
      this.#inert = null;
    }
    if (covers && !body.inert) {
      body.inert = true;
      this.#inert = body;
    }
    if (!this.opened || !visualViewport) return;
    const { style } = this.#launcher.parts.widget;
    style.setProperty("--visible-height", `${visualViewport.height}px`);
    style.setProperty("--visible-top", `${visualViewport.offsetTop}px`);
    this.#tellLook();
  };

  #emit(name, detail) {
    this.#launcher.dispatchEvent(new CustomEvent(`candor:${name}`, { detail, bubbles: true, composed: true }));
  }
}

// The query can hold what is nobody's business.
const pageOf = () => location.origin + location.pathname;

const stageSheet = sheet(`
.badge {
  position: absolute;
  inset-block-start: -4px;
  inset-inline-end: -4px;
  box-sizing: border-box;
  min-width: 22px;
  height: 22px;
  padding-inline: 6px;
  border-radius: 11px;
  background: #b3261e;
  color: #fff;
  border: 2px solid #fff;
  font: 700 12px/18px system-ui, sans-serif;
  text-align: center;
}
.launcher svg + svg, .open .launcher svg { display: none; }
.open .launcher svg + svg { display: block; }
.chat {
  position: fixed;
  inset-block-end: calc(var(--edge) + 70px + env(safe-area-inset-bottom, 0px));
  inset-inline-end: calc(var(--edge) + env(safe-area-inset-right, 0px));
  box-sizing: border-box;
  width: 380px;
  height: min(640px, calc(100dvh - var(--edge) - 86px));
  border: 1px solid light-dark(#dfe6e3, #343d39);
  border-radius: 18px;
  background: light-dark(#f5f7f6, #171c1a);
  box-shadow: 0 2px 6px rgb(16 32 26 / .1), 0 16px 48px rgb(16 32 26 / .24);
  color-scheme: light dark;
  animation: rise .2s ease-out;
}
:host([position="left"]) .chat { inset-inline: auto; left: var(--edge); }
:host([position="right"]) .chat { inset-inline: auto; right: var(--edge); }
@keyframes rise { from { opacity: 0; transform: translateY(10px); } }
@media (max-width: 480px), (max-height: 420px) {
  .drawn.open .launcher { display: none; }
  .chat, :host([position]) .chat {
    inset: auto 0;
    left: 0;
    right: 0;
    top: var(--visible-top, 0px);
    width: 100%;
    height: var(--visible-height, 100dvh);
    padding: env(safe-area-inset-top, 0px) env(safe-area-inset-right, 0px) env(safe-area-inset-bottom, 0px) env(safe-area-inset-left, 0px);
    border: 0;
    border-radius: 0;
    box-shadow: none;
    animation: none;
  }
}
@media (prefers-reduced-motion: reduce) { .chat { animation: none; } }
@media (forced-colors: active) {
  .badge { border: 2px solid ButtonText; }
  .chat { border: 1px solid CanvasText; }
}
`);
