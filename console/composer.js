// Where an agent writes: reply or internal note, with a draft kept per conversation.
// Must not know the socket or the log: it calls `send(kind, text)` and `typing()`.

import { h, replace, setText } from "./dom.js";
import { icon } from "./icons.js";

const DRAFT = "candor.draft.";
const TYPING_EVERY = 3000;

let author = ""; // whose drafts are shown

/** Whose drafts they are from now on; nobody sees those of another whose session ended in this tab. */
export function draftsOf(agent) {
  author = agent;
}

/** Removes every draft, at sign-out: the next person at this machine must not see them. */
export function forgetDrafts() {
  for (const key of Object.keys(sessionStorage)) if (key.startsWith(DRAFT)) sessionStorage.removeItem(key);
}

export class Composer {
  #conversation;
  #send;
  #typing;
  #typed = 0;
  #kind = "say";
  #rights = { say: false, note: false };

  constructor({ conversation, send, typing }) {
    this.#conversation = conversation;
    this.#send = send;
    this.#typing = typing;
    this.notice = h("div", { class: "composer-notice", hidden: true });
    this.reply = h("button", { class: "mode", "aria-pressed": "true", onclick: () => this.switchTo("say") }, "Reply");
    this.note = h("button", { class: "mode mode-note", "aria-pressed": "false", onclick: () => this.switchTo("note") }, icon("note"), "Internal note");
    this.field = h("textarea", {
      class: "composer-field",
      rows: 2,
      maxlength: 4000,
      spellcheck: "true",
      "aria-label": "Reply",
      oninput: () => this.#changed(),
      onkeydown: (event) => this.#keydown(event),
    });
    this.submit = h("button", { class: "button primary send", type: "submit" }, h("span", { class: "button-label" }, "Send"), icon("send"));
    this.hint = h("span", { class: "composer-hint" }, h("kbd", null, "Enter"), " sends · ", h("kbd", null, "Shift"), "+", h("kbd", null, "Enter"), " new line");
    this.warning = h("span", { class: "note-label", hidden: true }, "Note: the customer never sees this");
    this.form = h(
      "form",
      { class: "composer-form", onsubmit: (event) => { event.preventDefault(); this.#submit(); } },
      h("div", { class: "composer-modes", role: "group", "aria-label": "What to write" }, this.reply, this.note, this.warning),
      this.field,
      h("div", { class: "composer-foot" }, this.hint, this.submit),
    );
    this.addNote = h("button", { class: "button quiet", onclick: () => this.focus("note") }, icon("note"), h("span", { class: "button-label" }, "Add a note"));
    this.element = h("div", { class: "composer" }, this.notice, this.form);
    this.#load();
  }

  /** Sets what may be written, and what is said instead of the form: nodes or null. */
  allow(rights, ...notice) {
    const gained = rights.say && !this.#rights.say;
    this.#rights = rights;
    this.reply.hidden = !rights.say;
    this.note.hidden = !rights.note;
    const [text, ...buttons] = notice;
    this.notice.hidden = !text;
    replace(this.notice, text, h("span", { class: "composer-notice-buttons" }, rights.note && !rights.say && this.addNote, buttons));
    if (rights.say && (gained || this.#kind !== "note")) {
      // Who has just claimed wants to answer; a note that was begun keeps the field.
      if (this.#kind !== "note" || !this.field.value) this.switchTo("say", false);
    } else if (!rights.say && rights.note) this.switchTo("note", false);
    // Where only notes are possible, the field stays away until it is asked for.
    this.form.hidden = !rights.say && !(rights.note && this.field.value);
  }

  switchTo(kind, focus = true) {
    if (kind !== this.#kind) {
      this.#keep();
      this.#kind = kind;
      this.#load();
    }
    const note = kind === "note";
    this.reply.setAttribute("aria-pressed", String(!note));
    this.note.setAttribute("aria-pressed", String(note));
    this.element.classList.toggle("noting", note);
    this.warning.hidden = !note;
    this.field.setAttribute("aria-label", note ? "Internal note" : "Reply");
    this.field.placeholder = note ? "Write to your team …" : "Write to the customer …";
    setText(this.submit.querySelector(".button-label"), note ? "Add note" : "Send");
    if (focus) this.focus();
  }

  /** Focuses the field in the given mode if that may be written now. */
  focus(kind = this.#kind) {
    if (!this.#rights[kind]) return false;
    this.form.hidden = false;
    this.switchTo(kind, false);
    this.#grow();
    this.field.focus();
    return true;
  }

  /** Puts a text back that could not be sent, before what was written since. */
  restore(kind, text) {
    this.switchTo(kind, false);
    this.field.value = [text, this.field.value].filter(Boolean).join("\n");
    this.#changed();
    this.focus(kind);
  }

  get #key() {
    return `${DRAFT}${author}.${this.#conversation}.${this.#kind}`;
  }

  #load() {
    this.field.value = sessionStorage.getItem(this.#key) ?? "";
    this.#grow();
  }

  #keep() {
    if (this.field.value) sessionStorage.setItem(this.#key, this.field.value);
    else sessionStorage.removeItem(this.#key);
  }

  #changed() {
    this.#keep();
    this.#grow();
    if (this.#kind === "say" && this.field.value && Date.now() - this.#typed > TYPING_EVERY) {
      this.#typed = Date.now();
      this.#typing();
    }
  }

  #grow() {
    this.field.style.blockSize = "auto";
    if (this.field.scrollHeight) this.field.style.blockSize = `${Math.min(this.field.scrollHeight + 2, 220)}px`;
  }

  #keydown(event) {
    if (event.key === "Escape") {
      event.stopPropagation();
      this.field.blur();
    }
    // While an input method composes a character, Enter belongs to it.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.#submit();
  }

  #submit() {
    const text = this.field.value.trim();
    if (!text || !this.#rights[this.#kind]) return;
    this.#send(this.#kind, text);
    this.field.value = "";
    this.#typed = 0;
    this.#keep();
    this.#grow();
    this.field.focus();
  }
}
