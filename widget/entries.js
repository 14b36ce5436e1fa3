// Draws the entries of a conversation into its log and keeps them up to date.
//
// It knows: how a message, a system line and the disclosure look as nodes.
// It must not know: sockets. It calls back for what the customer presses.
import { icon, make } from "./dom.js";
import { markdown, plain } from "./markdown.js";

export class Entries {
  #list;
  #texts;
  #actions;
  #drawn = new Map(); // key -> { node, update }

  /**
   * @param {HTMLElement} list the log
   * @param {import("./texts.js").Texts} texts
   * @param {{ choose(say: string): void, retry(entry: object): void, judge(entry: object, helpful: boolean): void, save(entry: object): void }} actions
   */
  constructor(list, texts, actions) {
    this.#list = list;
    this.#texts = texts;
    this.#actions = actions;
  }

  /** Makes the log show the conversation; touches only what differs. */
  sync(conversation) {
    const entries = conversation.entries;
    const wanted = this.#items(conversation, entries);
    // What each drawn entry may look at; made once, because a log can be long.
    const now = {
      owner: conversation.owner,
      online: conversation.status === "online",
      newest: entries.at(-1),
      newestOwn: entries.findLast((entry) => entry.role === "customer" && entry.kind === "message"),
      byKey: new Map(entries.map((entry) => [entry.key, entry])),
    };
    const kept = new Set(wanted.map(({ key }) => key));
    for (const [key, { node }] of this.#drawn) {
      if (kept.has(key)) continue;
      node.remove();
      this.#drawn.delete(key);
    }
    let cursor = this.#list.firstChild;
    for (const item of wanted) {
      let drawn = this.#drawn.get(item.key);
      if (!drawn) {
        drawn = item.draw();
        this.#drawn.set(item.key, drawn);
      }
      drawn.update?.(now);
      // A node that is already in place is never moved: moving would announce it again.
      if (drawn.node === cursor) cursor = cursor.nextSibling;
      else this.#list.insertBefore(drawn.node, cursor);
    }
  }

  #items(conversation, entries) {
    const items = [];
    // Before the first welcome there is only what was written before a reload and still waits.
    const { welcomed } = conversation;
    if (welcomed && conversation.disclosure) {
      const { text, version } = conversation.disclosure;
      items.push({ key: `disclosure ${version}`, draw: () => this.#disclosure(text) });
    }
    if (welcomed && conversation.greeting) {
      const greeting = { role: "bot", name: conversation.botName, text: conversation.greeting, options: [] };
      items.push({ key: "greeting", draw: () => this.#message(greeting, conversation.business) });
    }
    let day = null;
    for (const entry of entries) {
      const entryDay = new Date(entry.at).toDateString();
      if (day !== null && entryDay !== day) {
        items.push({ key: `day ${entryDay}`, draw: () => this.#system(this.#texts.day(entry.at)) });
      }
      day = entryDay;
      items.push({ key: entry.key, draw: () => this.#entry(entry, conversation.business) });
    }
    return items;
  }

  #entry(entry, business) {
    if (entry.kind === "message" && entry.role !== "system") {
      return entry.role === "customer" ? this.#own(entry) : this.#message(entry, business);
    }
    if (entry.kind === "left_message") return this.#own(entry);
    return this.#system(...this.#systemText(entry));
  }

  #disclosure(text) {
    const body = make("div", { class: "disclosure-text", id: "disclosure" });
    body.append(markdown(text));
    return { node: make("div", { class: "disclosure", role: "note", "aria-label": this.#texts.say("aboutThisChat") }, icon("info", 18), body) };
  }

  #system(text, detail = "") {
    const node = make("div", { class: "system" });
    node.append(markdown(text));
    if (detail) node.append(markdown(detail));
    return { node };
  }

  // The server's own words (prompts/handoff.toml) go before ours.
  #systemText(entry) {
    const texts = this.#texts;
    if (entry.kind !== "state") return [entry.text ?? ""];
    const own = {
      queued: () => texts.say(entry.before === "assigned" ? "returnedToQueue" : entry.open ? "passedOn" : "passedOnNobody"),
      assigned: () => (entry.agent ? texts.say("joined", { agent: entry.agent }) : texts.say("joinedNameless")),
      closed: () => texts.say("closed"),
      bot: () => texts.say("returned"),
    };
    const [first, second] = [entry.reasonText, entry.text].filter(Boolean);
    return [first ?? own[entry.state]?.() ?? "", second];
  }

  // A message of the bot or of a person, with its label on every one.
  #message(entry, business) {
    const bot = entry.role === "bot";
    // "Juniper & Thread assistant" under the heading "Juniper & Thread" says nothing more than the chip.
    const named = entry.name && !(bot && repeats(entry.name, business));
    const label = make("div", { class: "from" },
      named ? make("bdi", { class: "name" }, entry.name) : null,
      make("span", { class: "chip" }, this.#texts.say(bot ? "aiAssistant" : "person")));
    const bubble = make("div", { class: "bubble", ...spokenIn(entry.lang) });
    bubble.append(bot ? markdown(entry.text) : plain(entry.text));
    const meta = make("div", { class: "meta" }, this.#time(entry.at));
    const node = make("div", { class: `message ${bot ? "bot" : "agent"}` }, label, bubble, meta);
    if (!entry.seq) return { node };
    const extras = { options: null, thumbs: null };
    const update = (now) => {
      const newest = now.newest === entry;
      const live = newest && now.owner !== "closed" && now.owner !== "assigned";
      this.#place(extras, "options", node, live && entry.options.length > 0, () => this.#options(entry));
      const asked = newest && now.owner === "bot" && !entry.offer && entry.options.length === 0;
      this.#place(extras, "thumbs", meta, bot && (asked || entry.helpful !== null), () => this.#thumbs(entry));
      extras.thumbs?.update();
    };
    return { node, update };
  }

  #place(extras, name, parent, wanted, draw) {
    if (wanted && !extras[name]) {
      extras[name] = draw();
      parent.append(extras[name].node);
    } else if (!wanted && extras[name]) {
      extras[name].node.remove();
      extras[name] = null;
    }
  }

  #options(entry) {
    const buttons = entry.options.map(({ label, say }) =>
      make("button", { type: "button", class: "option", ...spokenIn(entry.lang), onclick: () => this.#actions.choose(say) }, label));
    return { node: make("div", { class: "options" }, buttons) };
  }

  #thumbs(entry) {
    const judge = (helpful) => entry.helpful !== helpful && this.#actions.judge(entry, helpful);
    const thumb = (helpful) => make("button", {
      type: "button",
      class: "thumb",
      title: this.#texts.say(helpful ? "helpful" : "notHelpful"),
      "aria-label": this.#texts.say(helpful ? "helpful" : "notHelpful"),
      onclick: () => judge(helpful),
    }, icon(helpful ? "up" : "thumbDown", 16));
    const up = thumb(true);
    const down = thumb(false);
    const thanks = make("span", { class: "thanks" });
    const node = make("span", { class: "thumbs", role: "group", "aria-label": this.#texts.say("wasHelpful") }, up, down, thanks);
    const update = () => {
      up.setAttribute("aria-pressed", String(entry.helpful === true));
      down.setAttribute("aria-pressed", String(entry.helpful === false));
      thanks.textContent = entry.helpful === null ? "" : this.#texts.say("thanksFeedback");
    };
    return { node, update };
  }

  // A message of the customer, with the truth about where it is.
  #own(entry) {
    const left = entry.kind === "left_message";
    const bubble = make("div", { class: "bubble", dir: "auto" });
    const file = entry.attachment && this.#file(entry);
    bubble.append(file ?? plain(entry.text));
    const state = make("span", { class: "sending" });
    const retry = make("button", { type: "button", class: "retry" }, this.#texts.say("retry"));
    const meta = make("div", { class: "meta" }, state, this.#time(entry.at));
    const node = make("div", { class: "message own" },
      left ? make("div", { class: "from" }, make("span", { class: "chip" }, this.#texts.say("leftLabel"))) : null,
      bubble, meta);
    if (left && entry.email) {
      bubble.append(make("p", { class: "small" }, this.#texts.say("leftReply", { email: entry.email })));
    }
    const update = (now) => {
      // The confirmed entry takes the place of the one that was waiting, under the same key.
      const current = now.byKey.get(entry.key) ?? entry;
      const failed = current.sending === "failed";
      node.classList.toggle("failed", failed);
      node.classList.toggle("pending", current.sending === "sending");
      const text = this.#sendingText(current, now);
      if (state.textContent !== text) state.replaceChildren(...(failed ? [icon("warn", 14)] : []), text);
      if (file) {
        file.ariaDisabled = String(!current.attachment.id);
        file.onclick = () => current.attachment.id && this.#actions.save(current);
      }
      retry.onclick = () => this.#actions.retry(current);
      if (failed && !(current.error in UNSENDABLE) && now.owner !== "closed") meta.append(retry);
      else retry.remove();
    };
    return { node, update };
  }

  // A press saves it. A picture is not shown: what it is, its name says.
  #file({ text, attachment }) {
    return make("button", { type: "button", class: "file" }, icon("clip", 18),
      make("bdi", {}, text), make("span", { class: "size" }, this.#texts.size(attachment.bytes)));
  }

  #sendingText(entry, now) {
    if (entry.sending === "failed") {
      return this.#texts.say(UNSENDABLE[entry.error] ?? "failed");
    }
    if (entry.sending === "sending") return this.#texts.say(now.online ? "sending" : "waitingToSend");
    return now.newestOwn?.key === entry.key ? this.#texts.say("sent") : "";
  }

  #time(at) {
    if (!at) return null;
    return make("time", { datetime: new Date(at).toISOString() }, this.#texts.time(at));
  }
}

// What does not get better by being sent again.
const UNSENDABLE = { too_long: "failedTooLong", too_large: "fileTooLarge", file: "fileRefused", lost: "failed" };

// Languages written from right to left.
const RIGHT_TO_LEFT = new Set(["ar", "fa", "he", "ur"]);

/** What tells a screen reader and the browser which language a text is in; nothing is known of most. */
function spokenIn(language) {
  if (!/^[a-z]{2}$/.test(language ?? "")) return { dir: "auto" };
  return { lang: language, dir: RIGHT_TO_LEFT.has(language) ? "rtl" : "ltr" };
}

/** Does a bot's name only say the business's name again? */
export function repeats(botName, business) {
  return business !== "" && botName.toLowerCase().includes(business.toLowerCase());
}
