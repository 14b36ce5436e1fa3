// The open chat: header, who is speaking, the log, and what is at its foot.
//
// It knows: a Conversation (conversation.js), which it draws and whose verbs it calls.
// It must not know: sockets, storage keys, or the document around it.
import { Composer } from "./composer.js";
import { icon, make } from "./dom.js";
import { Entries, repeats } from "./entries.js";
import { eraseForm, leaveForm, preChatForm, ratingForm } from "./forms.js";
import { attached, download, keptAbout, transcript } from "./keepsakes.js";
import { Menu } from "./menu.js";

const NEAR_END = 48; // px from the end that still count as reading the newest

export class View {
  #conversation;
  #texts;
  #memory;
  #parts = {};
  #entries;
  #composer;
  #foot = "";
  #leaveLater = false;
  #leaving = false; // the form was asked for
  #erasing = false; // so was this one
  #menu;
  #sound;
  #following = true;
  #lastKey = null;
  #queued = false;
  #observer;
  #ended = new AbortController();

  /** @param {{ conversation: object, texts: object, memory: object, sound: object, close: (() => void) | null }} options; without `close` there is no button for it */
  constructor({ conversation, texts, memory, sound, close }) {
    this.#conversation = conversation;
    this.#sound = sound;
    this.#texts = texts;
    this.#memory = memory;
    this.#composer = new Composer(texts, memory.get("draft") ?? "", {
      send: (text) => this.#say(text),
      attach: (files) => this.#attach(files),
      type: () => conversation.type(),
      keep: (draft) => memory.set("draft", draft),
    });
    this.node = this.#build(close);
    this.#entries = new Entries(this.#parts.list, texts, {
      choose: (say) => this.#say(say),
      retry: (entry) => conversation.retry(entry),
      judge: (entry, helpful) => conversation.judge(entry, helpful),
      save: (entry) => this.#try(() => this.#saveFile(entry)),
    });
    const { signal } = this.#ended;
    conversation.addEventListener("change", () => this.#schedule(), { signal });
    conversation.addEventListener("left", ({ detail }) => this.#forget(detail?.erased), { signal });
    conversation.addEventListener("unsent", ({ detail }) => this.#composer.restore(detail.text), { signal });
    // The log grows by messages and shrinks by the screen keyboard: stay with the newest.
    this.#observer = new ResizeObserver(() => this.#following && this.#toEnd());
    this.#observer.observe(this.#parts.log);
    this.#observer.observe(this.#parts.list);
    this.#update();
  }

  /** Draws nothing more: another view takes its place. */
  end() {
    this.#ended.abort();
    this.#observer.disconnect();
  }

  /** The field, when something can be typed. */
  get field() {
    return this.#foot === "composer" && !this.#composer.field.disabled ? this.#composer.field : null;
  }

  /** To be called after the panel became visible. */
  shown() {
    this.#composer.fit();
    if (this.#following) this.#toEnd();
  }

  #build(close) {
    const say = (name) => this.#texts.say(name);
    const parts = this.#parts;
    parts.avatar = make("span", { class: "avatar" });
    parts.title = make("h2", { class: "title" }, make("bdi"));
    parts.who = make("p", { class: "who" });
    parts.stripText = make("p", { class: "strip-text", role: "status" });
    parts.human = make("button", { type: "button", class: "human", onclick: () => this.#conversation.askForPerson() });
    parts.leave = make("button", { type: "button", class: "human", onclick: () => this.#openLeave() }, say("leaveTitle"));
    parts.strip = make("div", { class: "strip" }, parts.stripText, parts.human, parts.leave);
    parts.bannerText = make("p", {});
    parts.tryNow = make("button", { type: "button", class: "try", onclick: () => this.#conversation.tryNow() }, say("tryNow"));
    parts.banner = make("div", { class: "banner", role: "status", hidden: true }, parts.bannerText, parts.tryNow);
    parts.list = make("div", { class: "list" });
    parts.typing = this.#typing();
    parts.log = make("div", {
      class: "log", role: "log", "aria-live": "polite", "aria-relevant": "additions", "aria-label": say("conversation"), tabindex: 0,
      onscroll: () => this.#scrolled(),
    }, parts.list, parts.typing);
    parts.jump = make("button", { type: "button", class: "jump", hidden: true, onclick: () => this.#follow() }, icon("down", 16), say("newMessages"));
    parts.foot = make("div", { class: "foot", tabindex: -1 });
    // The screen reader hears what became of something that is done from the menu.
    parts.news = make("p", { class: "news", role: "status" });
    this.#menu = new Menu(say("menu"), () => this.#menuEntries(), this.#ended.signal);
    return make("section", { class: "panel", role: "dialog", tabindex: -1, "aria-labelledby": "title", dir: this.#texts.direction, lang: this.#texts.locale, onscroll: () => this.#scrolled(), ondragover: (event) => this.#drag(event), ondrop: (event) => this.#drop(event) },
      make("div", { class: "header" }, parts.avatar,
        make("div", { class: "heading", id: "title" }, parts.title, parts.who),
        this.#menu.node,
        close && make("button", { type: "button", class: "icon-button", "aria-label": say("closeChat"), title: say("closeChat"), onclick: close }, icon("close", 20))),
      parts.strip, parts.banner, parts.news,
      make("div", { class: "middle" }, parts.log, parts.jump),
      parts.foot);
  }

  #typing() {
    this.#parts.typingFrom = make("div", { class: "from" });
    const dots = make("div", { class: "bubble dots" }, make("i"), make("i"), make("i"));
    // Hidden from screen readers: the message itself is announced, its making need not be.
    return make("div", { class: "message bot typing", "aria-hidden": "true", hidden: true }, this.#parts.typingFrom, dots);
  }

  // Many frames can arrive in one go; they are drawn once.
  #schedule() {
    if (this.#queued) return;
    this.#queued = true;
    queueMicrotask(() => {
      this.#queued = false;
      this.#update();
    });
  }

  #update() {
    const conversation = this.#conversation;
    const { log } = this.#parts;
    const held = this.#focused();
    log.setAttribute("aria-busy", String(conversation.replaying));
    this.#drawHeader();
    this.#drawStrip();
    this.#drawBanner();
    const newest = conversation.entries.at(-1)?.key ?? null;
    const fresh = newest !== null && newest !== this.#lastKey;
    this.#lastKey = newest;
    this.#entries.sync(conversation);
    this.#drawTyping();
    this.#drawFoot();
    this.#keepFocus(held);
    if (newest === null) {
      log.scrollTop = 0; // the disclosure is read from its beginning
    } else if (this.#following) {
      this.#toEnd();
    } else if (fresh) {
      this.#parts.jump.hidden = false;
    }
  }

  #focused() {
    const node = this.node.getRootNode().activeElement;
    return node && this.node.contains(node) ? node : null;
  }

  // What was pressed may be gone by its own effect; whoever pressed it stays in the chat.
  #keepFocus(held) {
    const now = this.#focused();
    if (!held || held.checkVisibility() || (now && now !== held)) return;
    // On a touch screen the field would bring up the keyboard over the news.
    const field = matchMedia("(pointer: fine)").matches ? this.field : null;
    (field ?? this.#parts.log).focus({ preventScroll: true });
  }

  // What applies now. A conversation that holds nothing has nothing to end, to keep or to delete.
  #menuEntries() {
    const conversation = this.#conversation;
    const say = (name) => this.#texts.say(name);
    const said = conversation.entries.some((entry) => entry.role === "customer");
    return [
      { text: say("sound"), checked: this.#sound.on, run: () => this.#sound.switch(!this.#sound.on) },
      { text: say("readMood"), checked: conversation.analysis, run: () => this.#try(() => conversation.allowAnalysis(!conversation.analysis)) },
      said && { text: say("saveChat"), run: () => this.#saveChat() },
      { text: say("saveData"), run: () => this.#try(() => this.#saveData()) },
      said && conversation.owner !== "closed" && { text: say("endChat"), run: () => this.#try(() => conversation.end()) },
      said && conversation.erasable && { text: say("eraseChat"), run: () => this.#openErase() },
    ].filter(Boolean);
  }

  async #try(action) {
    this.#tell("");
    try {
      await action();
    } catch {
      this.#tell("notDone");
    }
  }

  #tell(name) {
    this.#parts.news.textContent = name && this.#texts.say(name);
  }

  #saveChat() {
    const day = new Date().toLocaleDateString("sv"); // year, month and day, in the customer's own time zone
    download(`chat-${day}.txt`, "text/plain;charset=utf-8", transcript(this.#conversation, this.#texts));
  }

  async #saveData() {
    download("my-data.json", "application/json", await keptAbout(this.#conversation.token));
  }

  async #saveFile({ text, attachment }) {
    const bytes = await attached(attachment, this.#conversation.token);
    download(text, bytes.type, bytes);
  }

  #attach(files) {
    for (const file of files) this.#conversation.attach(file);
    this.#following = true;
  }

  // A file that is dropped beside its place would take the place of the chat.
  #drag(event) {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = this.#attaching ? "copy" : "none";
  }

  #drop(event) {
    if (event.dataTransfer.files.length === 0) return;
    event.preventDefault();
    if (this.#attaching) this.#attach(event.dataTransfer.files);
  }

  get #attaching() {
    return this.#foot === "composer" && this.#conversation.attachments > 0;
  }

  #openErase() {
    this.#erasing = true;
    this.#update();
    this.#parts.foot.querySelector("button")?.focus();
  }

  #drawHeader() {
    const { owner, welcomed, business, botName, agent } = this.#conversation;
    this.#menu.node.hidden = !welcomed;
    const texts = this.#texts;
    const face = owner === "assigned" || owner === "queued" ? "person" : owner === "closed" ? "check" : "spark";
    if (this.#parts.avatar.dataset.face !== face) {
      this.#parts.avatar.dataset.face = face;
      this.#parts.avatar.replaceChildren(icon(face, 20));
    }
    this.#parts.title.firstChild.textContent = business || texts.say("chat");
    const named = (name, role) => (name ? [make("bdi", {}, name), ` · ${role}`] : [role]);
    const bot = () => named(repeats(botName, business) ? "" : botName, texts.say("aiAssistant"));
    const who = {
      bot,
      offered: bot,
      queued: () => [texts.say("headerQueue")],
      assigned: () => named(agent, texts.say("personSuffix")),
      closed: () => [texts.say("headerClosed")],
    };
    this.#parts.who.replaceChildren(...(welcomed ? (who[owner] ?? bot)() : [texts.say("connecting")]));
  }

  #drawStrip() {
    const { owner, welcomed, open, asking, agent, position, wait, backAt, late } = this.#conversation;
    const { strip, stripText, human, leave } = this.#parts;
    const texts = this.#texts;
    const withBot = owner === "bot" || owner === "offered";
    strip.hidden = !welcomed || owner === "closed";
    strip.dataset.owner = owner;
    human.hidden = !withBot;
    leave.hidden = !(owner === "queued" && (this.#leaveLater || late) && this.#wantedFoot() !== "leave" && !this.#left());
    human.setAttribute("aria-disabled", String(asking));
    human.replaceChildren(icon("person", 16), texts.say(asking ? "askingPerson" : "talkToPerson"));
    let text = texts.say("stripBot");
    if (owner === "assigned") text = agent ? texts.say("stripPerson", { agent }) : texts.say("joinedNameless");
    if (owner === "queued") {
      const place = position === 1 ? texts.say("nextInLine") : position > 1 ? texts.say("position", { position }) : "";
      const known = [place, open ? texts.wait(wait) : ""].filter(Boolean).join(" · ");
      const nobody = backAt ? texts.say("stripNobodyUntil", { when: texts.moment(backAt) }) : texts.say("stripNobody");
      text = open ? known || texts.say("stripQueue") : nobody;
    }
    if (stripText.textContent !== text) stripText.textContent = text;
  }

  #drawBanner() {
    const { status, welcomed, refused, unknown } = this.#conversation;
    const { banner, bannerText, tryNow } = this.#parts;
    let text = "";
    if (refused) text = unknown ? "signIn" : "refused";
    else if (status === "offline") text = !navigator.onLine ? "offline" : welcomed ? "reconnecting" : "unreachable";
    else if (status === "connecting" && !banner.hidden) text = bannerText.dataset.text;
    banner.hidden = text === "";
    tryNow.hidden = refused;
    if (text && bannerText.dataset.text !== text) bannerText.textContent = this.#texts.say(text);
    bannerText.dataset.text = text;
  }

  #drawTyping() {
    const { typing: who } = this.#conversation;
    const { typing, typingFrom } = this.#parts;
    typing.hidden = !who;
    if (!who) return;
    const text = who.name ? this.#texts.say("typing", { name: who.name }) : this.#texts.say("typingNameless");
    typing.classList.toggle("agent", who.role === "agent");
    if (typingFrom.textContent !== text) typingFrom.replaceChildren(make("bdi", {}, text));
  }

  #drawFoot() {
    const conversation = this.#conversation;
    const wanted = this.#wantedFoot();
    const { foot } = this.#parts;
    if (wanted !== this.#foot) {
      // Who was typing here keeps the place in the tab order when the foot changes.
      const held = foot.contains(foot.getRootNode().activeElement ?? null);
      this.#foot = wanted;
      foot.replaceChildren(...this.#footNodes(wanted));
      foot.dataset.foot = wanted;
      if (wanted === "composer") this.#composer.fit();
      if (held) (this.field ?? foot).focus({ preventScroll: true });
    }
    this.#composer.update({
      ready: conversation.welcomed && !conversation.refused,
      placeholder: this.#texts.say(!conversation.welcomed ? "connecting" : conversation.owner === "queued" ? "placeholderQueue" : "placeholder"),
      described: conversation.welcomed && conversation.entries.length === 0,
      attaching: this.#attaching && conversation.welcomed,
    });
  }

  #wantedFoot() {
    const { owner, open, survey, answered, welcomed, replaying, preChat, entries } = this.#conversation;
    if (!welcomed || replaying) return this.#foot || "composer";
    if (this.#erasing) return "erase";
    if (preChat && entries.length === 0) return "preChat";
    if (owner === "closed") return survey && !answered && !this.#skipped() ? "rating" : "closed";
    const offered = this.#leaving || (!open && !this.#leaveLater);
    if (owner === "queued" && offered && !this.#left()) return "leave";
    return "composer";
  }

  #footNodes(name) {
    const conversation = this.#conversation;
    const texts = this.#texts;
    switch (name) {
      case "rating":
        return [ratingForm(texts, {
          survey: conversation.survey,
          rate: (score, comment) => conversation.rate(score, comment),
          skip: () => {
            this.#memory.set("skipped", this.#memory.get("conversation"));
            this.#update();
          },
        })];
      case "preChat":
        return [preChatForm(texts, {
          form: conversation.preChat,
          answer: (answers) => conversation.answerPreChat(answers),
          skip: () => conversation.skipPreChat(),
        })];
      case "erase":
        return [eraseForm(texts, {
          erase: () => conversation.erase(),
          cancel: () => {
            this.#erasing = false;
            this.#update();
            this.#menu.focus();
          },
        })];
      case "leave":
        return [leaveForm(texts, {
          draft: this.#composer.draft,
          leave: (text, email) => conversation.leave(text, email).then(() => this.#clearDraft()),
          later: () => {
            this.#leaveLater = true;
            this.#leaving = false;
            this.#update();
          },
        })];
      case "closed": {
        const { rated, answered } = conversation;
        const thanks = rated === null ? answered && texts.say("thanksFeedback") : texts.say("rated", { score: rated, word: texts.score(rated) });
        return [make("div", { class: "form ended" },
          thanks && make("p", { class: "hint", role: "status" }, thanks),
          make("button", { type: "button", class: "quiet wide", onclick: () => this.#try(() => conversation.reopen()) }, texts.say("reopenChat")),
          make("button", { type: "button", class: "primary wide", onclick: () => this.#startAnew() }, texts.say("newConversation")))];
      }
      default:
        return [this.#composer.node];
    }
  }

  #say(text) {
    this.#following = true;
    this.#tell("");
    this.#conversation.say(text);
  }

  #startAnew() {
    this.#leaveLater = this.#leaving = this.#erasing = false;
    this.#following = true;
    this.#foot = "";
    this.#tell("");
    this.#conversation.startAnew();
    this.node.focus();
  }

  #openLeave() {
    this.#leaveLater = false;
    this.#leaving = true;
    this.#update();
    this.#parts.foot.focus();
  }

  #clearDraft() {
    this.#composer.field.value = "";
    this.#memory.set("draft", "");
  }

  // The forms are made anew: they hold what was typed.
  #forget(erased) {
    const held = this.#focused();
    this.#clearDraft();
    this.#leaveLater = this.#leaving = this.#erasing = false;
    this.#foot = "";
    this.#update();
    this.#tell(erased ? "erased" : "");
    if (held) this.node.focus();
  }

  #left() {
    return this.#conversation.entries.some((entry) => entry.kind === "left_message");
  }

  #skipped() {
    return this.#memory.get("skipped") === this.#memory.get("conversation");
  }

  #scrolled() {
    const { log, jump } = this.#parts;
    // In a very small window the whole panel scrolls instead of the log.
    const rest = [log, this.node].map((part) => part.scrollHeight - part.scrollTop - part.clientHeight);
    this.#following = Math.max(...rest) < NEAR_END;
    if (this.#following) jump.hidden = true;
  }

  #follow() {
    this.#following = true;
    this.#toEnd();
    this.#parts.log.focus({ preventScroll: true });
  }

  #toEnd() {
    const { log, jump } = this.#parts;
    if (this.#conversation.entries.length === 0) return;
    log.scrollTop = log.scrollHeight;
    this.node.scrollTop = this.node.scrollHeight;
    jump.hidden = true;
  }
}
