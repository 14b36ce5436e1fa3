// The field in which the customer writes, with its send button, its draft, and files that are attached.
//
// It knows: Enter, growing with the text, the character limit, keeping the draft.
// It must not know: sockets. What is not sent stays here.
import { icon, make } from "./dom.js";

const LENGTH = 4_000;
const WARN_BELOW = 300;
const TYPING_EVERY = 5_000; // a fixed beat, so that no rhythm of keys can be read from it

export class Composer {
  #texts;
  #actions;
  #field;
  #send;
  #attach;
  #files;
  #count;
  #typedAt = 0;

  /** @param {{ send(text: string): void, attach(files: Iterable<File>): void, type(): void, keep(draft: string): void }} actions */
  constructor(texts, draft, actions) {
    this.#texts = texts;
    this.#actions = actions;
    this.#field = make("textarea", {
      class: "composer-field",
      rows: 1,
      maxlength: LENGTH,
      dir: "auto",
      enterkeyhint: "send",
      autocomplete: "off",
      "aria-label": texts.say("placeholder"),
      "aria-describedby": "send-hint",
      oninput: () => this.#changed(),
      onkeydown: (event) => this.#key(event),
      onpaste: (event) => this.#paste(event),
    });
    this.#field.value = draft;
    this.#send = make("button", { type: "submit", class: "send", "aria-label": texts.say("send"), title: texts.say("send") }, icon("send", 20));
    // Named one by one, a telephone offers its camera and gives its photographs as JPEG.
    this.#files = make("input", { type: "file", hidden: true, multiple: true, accept: "image/jpeg,image/png,image/webp,application/pdf", onchange: () => this.#choose() });
    this.#attach = make("button", { type: "button", class: "attach", hidden: true, "aria-label": texts.say("attachFile"), title: texts.say("attachFile"), onclick: () => this.#files.click() }, icon("clip", 20));
    this.#count = make("p", { class: "count", "aria-live": "polite" });
    this.node = make("form", { class: "composer", onsubmit: (event) => this.#submit(event) },
      make("div", { class: "composer-row" }, this.#attach, this.#files, this.#field, this.#send),
      this.#count,
      make("p", { id: "send-hint", class: "unseen" }, texts.say("sendHint")));
    this.#show();
  }

  get field() {
    return this.#field;
  }

  get draft() {
    return this.#field.value;
  }

  /** Puts a text back that was not sent, before what was written since. */
  restore(text) {
    this.#field.value = [text, this.#field.value].filter(Boolean).join("\n");
    this.#changed();
  }

  /** Nothing can be typed while `ready` is false: the disclosure comes first. */
  update({ ready, placeholder, described, attaching }) {
    this.#attach.hidden = !attaching;
    this.#field.disabled = !ready;
    this.#field.placeholder = placeholder;
    // The first message is written under the disclosure, for those who hear the page too.
    this.#field.setAttribute("aria-describedby", described ? "disclosure send-hint" : "send-hint");
    this.#show();
  }

  /** To be called when the field becomes visible: only then it has a height. */
  fit() {
    this.#field.style.height = "auto";
    if (this.#field.scrollHeight) this.#field.style.height = `${this.#field.scrollHeight}px`;
  }

  #choose() {
    this.#actions.attach(this.#files.files);
    this.#files.value = ""; // the same file may be chosen again
    this.#field.focus();
  }

  // A picture from the clipboard is a file; copied words are none.
  #paste(event) {
    const { files } = event.clipboardData;
    if (this.#attach.hidden || files.length === 0) return;
    event.preventDefault();
    this.#actions.attach(files);
  }

  #changed() {
    this.#actions.keep(this.#field.value);
    const now = performance.now();
    if (this.#field.value && now - this.#typedAt > TYPING_EVERY) {
      this.#typedAt = now;
      this.#actions.type();
    }
    this.fit();
    this.#show();
  }

  #show() {
    const left = LENGTH - this.#field.value.length;
    this.#count.textContent = left < WARN_BELOW ? this.#texts.say("charactersLeft", { count: left }) : "";
    this.#send.setAttribute("aria-disabled", String(!this.#sendable()));
  }

  #sendable() {
    return !this.#field.disabled && this.#field.value.trim() !== "";
  }

  #key(event) {
    // While an input method composes a word, Enter belongs to it.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    this.node.requestSubmit();
  }

  #submit(event) {
    event.preventDefault();
    if (!this.#sendable()) return;
    const text = this.#field.value.trim();
    this.#field.value = "";
    this.#actions.keep("");
    this.#actions.send(text);
    this.fit();
    this.#show();
    this.#field.focus();
  }
}
