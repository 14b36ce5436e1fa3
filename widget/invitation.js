// Invitations: a small note beside the launcher when a trigger of this site holds. Loaded only on pages
// that a trigger is about.
//
// It knows: the triggers, what can be seen of this page view (time, stillness, what the page reported),
// and the note's look. Nothing is stored, except the choice "don't show again", and, once the customer
// has written in a chat, how often an invitation was shown (for this tab). A
// request is made only when an invitation is due, and says which one; or to ask about an order that the
// page named, where a trigger wants that.
// It must not know: what is said in a chat.
import { accentProperties } from "./accent.js";
import { icon, make } from "./dom.js";
import { sheet } from "./sheet.js";
import { baseSheet } from "./style.js";
import { Texts } from "./texts.js";

const TICK = 1_000; // milliseconds between two looks at the conditions
const SPOKEN = 5_000; // milliseconds after which a screen reader has the words, and the note alone remains
const DAY = 86_400_000;
const ACTIVITY = ["pointerdown", "pointermove", "keydown", "wheel", "touchstart"];

/**
 * Watches a page view and invites once at most. `page` is { triggers, fits(trigger), events, pages, news } of
 * loader.js, `launcher` the element of launcher.js.
 */
export async function watchPage(page, launcher) {
  const texts = await Texts.load(launcher.locale);
  launcher.watch = new Invitations(page, launcher, texts);
  if (launcher.opened) launcher.watch.opened();
}

class Invitations {
  #page;
  #launcher;
  #texts;
  #timer = 0;
  #visible = 0;
  #moved = Date.now();
  #asked = new Map();
  #note = null;
  #node;
  #spoken;
  #ended = false;

  constructor(page, launcher, texts) {
    this.#page = page;
    this.#launcher = launcher;
    this.#texts = texts;
    const { root, widget } = launcher.parts;
    root.adoptedStyleSheets = [baseSheet, ...root.adoptedStyleSheets, invitationSheet];
    // A live region has to be there before what it says; it says the words alone, not the buttons.
    this.#spoken = make("p", { class: "invitation-spoken", "aria-live": "polite" });
    this.#node = make("div", {}, this.#spoken);
    for (const [name, value] of Object.entries(accentProperties(launcher.accent, widget))) widget.style.setProperty(name, value);
    widget.prepend(this.#node);
    if (silenced(launcher.key)) return;
    for (const name of ACTIVITY) addEventListener(name, this.#active, { passive: true, capture: true });
    for (const name of page.news) page.pages.addEventListener(name, this.#turned);
    this.#timer = setInterval(() => this.#look(), TICK);
  }

  /** The chat was opened: no invitation on this page view any more. */
  opened() {
    this.#hide();
    this.#end();
  }

  #key = (event) => {
    if (event.key === "Escape" && !event.isComposing && !event.defaultPrevented) this.#hide();
  };

  #active = () => {
    this.#moved = Date.now();
  };

  // Another address of the same document is another page, until an invitation was due.
  #turned = () => {
    this.#visible = 0;
    this.#moved = Date.now();
  };

  #look() {
    if (document.visibilityState !== "visible") return;
    this.#visible += TICK / 1_000;
    if (!this.#free()) return;
    const due = this.#page.triggers.list.filter((trigger) => this.#page.fits(trigger) && this.#holds(trigger) && this.#allowed(trigger));
    due.sort((a, b) => b.priority - a.priority);
    if (due.length > 0) this.#invite(due[0]);
  }

  // A conversation that goes on in this tab needs no invitation.
  #free() {
    const { opened, kept, stage } = this.#launcher;
    return !opened && (!kept || stage?.state.owner === "closed");
  }

  get #rated() {
    return this.#launcher.stage?.state.rated ?? null;
  }

  #due(invitation) {
    this.#launcher.due = invitation;
    this.#launcher.stage?.invite();
  }

  #holds(trigger) {
    const { seconds, idle_seconds: idle, event, at_least: least, rated_at_most: rated, check } = trigger.when;
    if (seconds !== undefined && this.#visible < seconds) return false;
    if (idle !== undefined && Date.now() - this.#moved < idle * 1_000) return false;
    if (rated !== undefined && !(this.#rated <= rated && this.#rated > 0)) return false;
    const seen = this.#reported(trigger);
    if (event !== undefined && !seen) return false;
    if (least !== undefined && !(Number(seen.value) >= least)) return false;
    return check ? this.#confirmed(trigger, seen.number) : true;
  }

  // Asked once for each number; until the answer is here, the trigger does not hold.
  #confirmed({ name }, number) {
    if (typeof number !== "string" || !number) return false;
    const key = `${name} ${number}`;
    if (!this.#asked.has(key)) {
      this.#asked.set(key, false);
      this.#post("v1/invitations/check", { trigger: name, number }, "cors")
        .then((answer) => (answer.ok ? answer.json() : {}))
        .then(({ due }) => this.#asked.set(key, due === true))
        .catch(() => {}); // no answer is no reason to invite
    }
    return this.#asked.get(key);
  }

  // What was shown before is known only where the chat keeps a memory for this tab.
  #allowed({ name, cap }) {
    const shown = this.#shown();
    const since = (days) => shown.filter(([, at]) => Date.now() - at < days * DAY);
    return since(1).length < this.#page.triggers.per_day && since(cap.days).filter(([one]) => one === name).length < cap.times;
  }

  #invite(trigger) {
    this.#end();
    const counted = mayCount();
    const arm = counted && Math.random() < trigger.hold_out ? "held_out" : "shown";
    if (counted) {
      this.#due({ trigger: trigger.name, arm, accepted: false });
      this.#post("v1/invitations", { trigger: trigger.name, arm }, "no-cors").catch(() => {}); // one count less
    }
    if (arm === "held_out") return;
    this.#remember(trigger);
    this.#show(trigger, trigger.say?.replaceAll("{number}", () => this.#reported(trigger)?.number ?? ""));
  }

  #shown() {
    try {
      return this.#launcher.kept ? JSON.parse(sessionStorage.getItem(`${this.#launcher.key}:invited`) ?? "[]") : [];
    } catch {
      return []; // forbidden or damaged
    }
  }

  #remember({ name }) {
    if (!this.#launcher.kept) return;
    try {
      sessionStorage.setItem(`${this.#launcher.key}:invited`, JSON.stringify([...this.#shown(), [name, Date.now()]].slice(-50)));
    } catch {
      // Full or forbidden: then it may be shown once more.
    }
  }

  #reported({ when: { event } }) {
    return this.#page.events.seen.find(({ name }) => name === event);
  }

  #show(trigger, says) {
    const say = (name) => this.#texts.say(name);
    const accept = () => {
      if (mayCount()) this.#due({ trigger: trigger.name, arm: "shown", accepted: true });
      this.#hide();
      this.#launcher.open(says);
    };
    this.#note = make("div", { class: "invitation", role: "group", "aria-label": say("invitation") },
      make("p", { class: "invitation-from" }, icon("spark", 14), say("aiAssistant")),
      make("p", { class: "invitation-text", dir: "auto" }, trigger.text),
      make("button", { type: "button", class: "invitation-close", "aria-label": say("invitationClose"), title: say("invitationClose"), onclick: () => this.#hide() }, icon("close", 16)),
      make("button", { type: "button", class: "invitation-accept", dir: "auto", onclick: accept }, says ?? say("openChat")),
      make("button", { type: "button", class: "invitation-never", onclick: () => this.#never() }, say("invitationNever")));
    this.#node.append(this.#note);
    this.#spoken.textContent = `${say("aiAssistant")}: ${trigger.text}`;
    setTimeout(() => this.#spoken.replaceChildren(), SPOKEN);
    addEventListener("keydown", this.#key);
  }

  #never() {
    try {
      localStorage.setItem(silence(this.#launcher.key), "1");
    } catch {
      // Storage is forbidden: then nothing can be remembered, and the note is gone for this page view only.
    }
    this.#hide();
  }

  #hide() {
    if (!this.#note) return;
    const held = this.#note.contains(this.#launcher.parts.root.activeElement);
    this.#note.remove();
    this.#note = null;
    this.#spoken.replaceChildren();
    removeEventListener("keydown", this.#key);
    if (held) this.#launcher.parts.button.focus();
  }

  #end() {
    if (this.#ended) return;
    this.#ended = true;
    clearInterval(this.#timer);
    for (const name of ACTIVITY) removeEventListener(name, this.#active, { capture: true });
    for (const name of this.#page.news) this.#page.pages.removeEventListener(name, this.#turned);
  }

  // Without cookies and, as plain text, without a second request to ask whether it may be sent.
  #post(path, body, mode) {
    return fetch(new URL(path, this.#launcher.server), {
      method: "POST", mode, credentials: "omit", keepalive: true, referrerPolicy: "origin",
      headers: { "content-type": "text/plain" }, body: JSON.stringify(body),
    });
  }
}

// Who asks not to be tracked is neither counted nor drawn by lot.
const mayCount = () => !navigator.globalPrivacyControl && navigator.doNotTrack !== "1";

const silence = (key) => `${key}:no-invitations`;

function silenced(key) {
  try {
    return localStorage.getItem(silence(key)) !== null;
  } catch {
    return false;
  }
}

const invitationSheet = sheet(`
.invitation {
  position: fixed;
  inset-block-end: calc(var(--edge) + 68px + env(safe-area-inset-bottom, 0px));
  inset-inline-end: calc(var(--edge) + env(safe-area-inset-right, 0px));
  width: min(300px, calc(100vw - 2 * var(--edge)));
  display: grid;
  grid-template-columns: 1fr auto;
  gap: 6px 8px;
  padding: 12px 12px 10px 16px;
  border-radius: 14px;
  background: var(--surface);
  border: 1px solid var(--line);
  box-shadow: var(--shadow);
}
:host([position="left"]) .invitation { inset-inline: auto; left: calc(var(--edge) + env(safe-area-inset-left, 0px)); }
:host([position="right"]) .invitation { inset-inline: auto; right: calc(var(--edge) + env(safe-area-inset-right, 0px)); }
.invitation-spoken { position: fixed; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.invitation-from { display: flex; align-items: center; gap: 6px; color: var(--ink-soft); font-size: 13px; font-weight: 600; }
.invitation-text { grid-column: 1 / -1; overflow-wrap: anywhere; }
.invitation-close { grid-area: 1 / 2; display: grid; place-items: center; width: 32px; height: 32px; margin: -4px -4px 0 0; border-radius: 50%; color: var(--ink-soft); }
.invitation-close:hover { background: var(--canvas); color: var(--ink); }
.invitation-accept { grid-column: 1 / -1; justify-self: start; min-height: 40px; margin-block-start: 4px; padding: 8px 16px; border-radius: 20px; background: var(--tint); color: var(--accent-ink); font-weight: 600; text-align: start; overflow-wrap: anywhere; }
.invitation-accept:hover { filter: brightness(.97); }
.invitation-never { grid-column: 1 / -1; justify-self: start; min-height: 32px; color: var(--ink-soft); font-size: 13px; text-decoration: underline; text-underline-offset: 3px; }
.invitation-never:hover { color: var(--ink); }
@media (forced-colors: active) { .invitation-accept { border: 1px solid ButtonText; } }
`);
