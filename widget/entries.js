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
   * @param {{ choose(say: string): void, retry(entry: object): void, judge(entry: object, helpful: boolean): void }} actions
   */
  constructor(list, texts, actions) {
    this.#list = list;
    this.#texts = texts;
    this.#actions = actions;
  }

  /** Makes the log show the conversation; touches only what differs. */
  sync(conversation) {
    const wanted = conversation.welcomed ? this.#items(conversation) : [];
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
      drawn.update?.(conversation);
      // A node that is already in place is never moved: moving would announce it again.
      if (drawn.node === cursor) cursor = cursor.nextSibling;
      else this.#list.insertBefore(drawn.node, cursor);
    }
  }

  #items(conversation) {
    const items = [];
    if (conversation.disclosure) {
      const { text, version } = conversation.disclosure;
      items.push({ key: `disclosure ${version}`, draw: () => this.#disclosure(text) });
    }
    if (conversation.greeting) {
      const greeting = { role: "bot", name: conversation.botName, text: conversation.greeting, options: [] };
      items.push({ key: "greeting", draw: () => this.#message(greeting, conversation.business) });
    }
    let day = null;
    for (const entry of conversation.entries) {
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
    const node = make("div", { class: "system", dir: "auto" });
    node.append(markdown(text));
    if (detail) node.append(markdown(detail));
    return { node };
  }

  // The server's own words (prompts/handoff.toml) go before ours.
  #systemText(entry) {
    const texts = this.#texts;
    if (entry.kind !== "state") return [entry.text ?? ""];
    const named = { agent: entry.agent };
    switch (entry.state) {
      case "queued": {
        const again = entry.before === "assigned";
        const own = texts.say(again ? "returnedToQueue" : "passedOn");
        const [first, second] = [entry.reasonText, entry.text].filter(Boolean);
        return [first ?? own, second === first ? "" : second];
      }
      case "assigned":
        return [entry.text || (entry.agent ? texts.say("joined", named) : texts.say("joinedNameless"))];
      case "closed":
        return [entry.text || texts.say("closed")];
      default:
        return [entry.text || texts.say("returned")];
    }
  }

  // A message of the bot or of a person, with its label on every one.
  #message(entry, business) {
    const bot = entry.role === "bot";
    // "Juniper & Thread assistant" under the heading "Juniper & Thread" says nothing more than the chip.
    const named = entry.name && !(bot && repeats(entry.name, business));
    const label = make("div", { class: "from" },
      named ? make("bdi", { class: "name" }, entry.name) : null,
      make("span", { class: "chip" }, this.#texts.say(bot ? "aiAssistant" : "person")));
    const bubble = make("div", { class: "bubble", dir: "auto" });
    bubble.append(bot ? markdown(entry.text) : plain(entry.text));
    const meta = make("div", { class: "meta" }, this.#time(entry.at));
    const node = make("div", { class: `message ${bot ? "bot" : "agent"}` }, label, bubble, meta);
    if (!entry.seq) return { node };
    const extras = { options: null, thumbs: null };
    const update = (conversation) => {
      const newest = conversation.entries.at(-1) === entry;
      const live = newest && conversation.owner !== "closed" && conversation.owner !== "assigned";
      this.#place(extras, "options", node, live && entry.options.length > 0, () => this.#options(entry));
      const asked = newest && conversation.owner === "bot" && !entry.offer && entry.options.length === 0;
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
      make("button", { type: "button", class: "option", dir: "auto", onclick: () => this.#actions.choose(say) }, label));
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
    bubble.append(plain(entry.text));
    const state = make("span", { class: "sending" });
    const retry = make("button", { type: "button", class: "retry" }, this.#texts.say("retry"));
    const meta = make("div", { class: "meta" }, state, this.#time(entry.at));
    const node = make("div", { class: "message own" },
      left ? make("div", { class: "from" }, make("span", { class: "chip" }, this.#texts.say("leftLabel"))) : null,
      bubble, meta);
    if (left && entry.email) {
      bubble.append(make("p", { class: "small" }, this.#texts.say("leftReply", { email: entry.email })));
    }
    const update = (conversation) => {
      const now = conversation.entries.find((other) => other.key === entry.key) ?? entry;
      const failed = now.sending === "failed";
      node.classList.toggle("failed", failed);
      node.classList.toggle("pending", now.sending === "sending");
      const text = this.#sendingText(now, conversation);
      if (state.textContent !== text) state.replaceChildren(...(failed ? [icon("warn", 14)] : []), text);
      retry.onclick = () => this.#actions.retry(now);
      if (failed && now.error !== "too_long" && conversation.owner !== "closed") meta.append(retry);
      else retry.remove();
    };
    return { node, update };
  }

  #sendingText(entry, conversation) {
    if (entry.sending === "failed") {
      if (entry.error === "too_long") return this.#texts.say("failedTooLong");
      return this.#texts.say(entry.error === "rate_limited" ? "failedTooFast" : "failed");
    }
    if (entry.sending === "sending") return this.#texts.say(conversation.status === "online" ? "sending" : "waitingToSend");
    const newest = conversation.entries.filter((other) => other.role === "customer" && other.kind === "message").at(-1);
    return newest?.key === entry.key ? this.#texts.say("sent") : "";
  }

  #time(at) {
    if (!at) return null;
    return make("time", { datetime: new Date(at).toISOString() }, this.#texts.time(at));
  }
}

/** Does a bot's name only say the business's name again? */
export function repeats(botName, business) {
  return business !== "" && botName.toLowerCase().includes(business.toLowerCase());
}
