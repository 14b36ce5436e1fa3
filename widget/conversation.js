// The customer's side of one conversation: what was said, who owns it now, and
// what still waits to be sent. The view draws this object and calls its verbs.
//
// It knows: the frames of the customer socket (docs/protocol.md) and their order (log.js).
// It must not know: the DOM, texts in any language, or how a socket comes back.
import { Connection, newId } from "./connection.js";
import { GAP, Log, NEXT } from "./log.js";
import { Requests } from "./requests.js";
import { Uploads } from "./uploads.js";

const TYPING_SHOWN = 6_000; // a typing sign without news fades after this
const GAP_GRACE = 250; // what is missing before an event may only be late
const NEWS_GRACE = 1_500; // an event may still be on its way when an ack names its seq

/**
 * Events: `change` (anything drawn may differ), `message` (detail = a new entry
 * from the bot or a person, not during replay), `owner` (detail = { state }),
 * `unidentified` (detail = { reason, current }: a signed word was not taken, the newest one or an earlier),
 * `left` (another customer is here, or this one has had everything deleted: what was being written goes too),
 * `read` (detail = { seq }: the customer has seen it here), `moved` (detail = { before }: another conversation began),
 * `unsent` (detail = { text }: what was written and not sent when another conversation began).
 */
export class Conversation extends EventTarget {
  #connection;
  #memory;
  #options;
  #log = new Log();
  #entries = [];
  #pending = [];
  #requests;
  #uploads = new Uploads();
  #leaving = null; // the last message that was left, until it is stored
  #fresh = false;
  #triedAnew = false;
  #named = undefined;
  #typingTimer = 0;
  #gapTimer = 0;
  #newsTimer = 0;
  #readSeq = 0;
  #sentRead = 0;
  #openNow = true;

  /** The connection's status, see connection.js. */
  status = "connecting";
  /** The first `welcome` has come: the disclosure can be shown. */
  welcomed = false;
  /** Old events are being replayed. */
  replaying = true;
  refused = false;
  business = "";
  botName = "";
  greeting = "";
  /** The survey that is due: { kind, question }, or null. */
  survey = null;
  /** May mood be read in what this customer writes? */
  analysis = true;
  /** May they delete the conversation? */
  erasable = false;
  /** How many bytes a file may have that they attach; 0 if they may attach none. */
  attachments = 0;
  /** What is asked before the first message, or null. */
  preChat = null;
  /** Has the business asked that customers sign in first? */
  unknown = false;
  disclosure = null;
  /** Is a person there? */
  open = true;
  /** When people are there again, in milliseconds, or null. */
  backAt = null;
  /** `bot`, `offered`, `queued`, `assigned` or `closed`. */
  owner = "bot";
  agent = "";
  position = null;
  wait = null;
  /** { role, name } of who is typing, or null. */
  typing = null;
  /** The satisfaction score that was given, or null. */
  rated = null;
  /** A survey was answered. */
  answered = false;
  /** The business's signed word on who the customer is, or null; held in memory only. */
  #identity = null;
  /** The one that the last hello held, and the one that the last welcome answered; undefined after a reload. */
  #told = null;
  #welcomedAs = undefined;
  #stateThen = null; // the owner at the welcome, until an event tells
  /** "Talk to a person" was pressed and is not answered yet. */
  asking = false;

  /** @param {{ url: string, site: string, locale?(): string, identity?: string, memory: import("./memory.js").Memory, page?(): string, invitation?(): object, noted?(): void }} options */
  constructor(options) {
    super();
    this.#options = options;
    this.#memory = options.memory;
    this.#identity = options.identity || null;
    this.#readSeq = this.#memory.get("read") ?? 0;
    this.#connection = new Connection({
      url: options.url,
      protocol: "candor.v1",
      hello: () => this.#hello(),
      ready: (frame) => frame.type === "welcome",
      pulse: () => ({ seq: this.#log.last }),
    });
    this.#requests = new Requests(this.#connection, this.#memory);
    this.#connection.addEventListener("frame", (event) => this.#take(event.detail));
    this.#connection.addEventListener("status", (event) => this.#follow(event.detail));
    this.#loadUnsent();
  }

  #loadUnsent() {
    for (const { id, text, error } of this.#memory.get("pending") ?? []) {
      if (error) this.#pending.push({ ...unsent(id, text), sending: "failed", error });
      else this.#send(id, text);
    }
    for (const frame of this.#requests.kept) {
      if (frame.type === "human") this.#requestPerson(frame);
      else this.#requests.send(frame).catch(() => {}); // there is nobody left to tell
    }
  }

  /** Everything to draw, oldest first; what the server has not confirmed comes last. */
  get entries() {
    return [...this.#entries, ...this.#pending];
  }

  /** The newest confirmed seq. */
  get last() {
    return this.#log.last;
  }

  /** The bot has said that the wait is long, and offered to take a message. */
  get late() {
    return this.#entries.some((entry) => entry.leave);
  }

  get unread() {
    return this.#entries.filter((entry) => fromUs(entry) && entry.seq > this.#readSeq).length;
  }

  start() {
    this.#connection.open();
  }

  /** Hangs up until `start`; what was not stored yet is sent then. */
  stop() {
    this.#setTyping(null);
    this.#stopLooking();
    this.#connection.suspend();
  }

  #stopLooking() {
    clearTimeout(this.#gapTimer);
    clearTimeout(this.#newsTimer);
    this.#gapTimer = 0;
  }

  /** Tries to connect now instead of waiting for the back-off. */
  tryNow() {
    this.#connection.open();
  }

  /** Leaves this conversation as it is and begins another. */
  startAnew() {
    const unsent = this.#unsent;
    this.#begin();
    this.#giveBack(unsent);
  }

  get #unsent() {
    return this.#pending.filter((entry) => entry.sending !== "sent" && !entry.attachment).map((entry) => entry.text);
  }

  #giveBack(unsent) {
    if (unsent.length) this.dispatchEvent(new CustomEvent("unsent", { detail: { text: unsent.join("\n") } }));
  }

  #begin() {
    this.#fresh = true;
    this.#forget();
    this.#dropUnsent();
    this.welcomed = false;
    this.#connection.restart();
    this.#changed();
  }

  #dropUnsent() {
    this.#connection.cancel();
    this.#uploads.cancel();
    this.#pending = [];
    this.#requests.drop();
    this.#leaving = null;
    this.asking = false;
    this.#keepPending();
  }

  /** Says who the customer is, in the business's signed word. */
  identify(token) {
    this.#identity = token;
    if (this.unknown) {
      this.refused = this.unknown = false;
      this.#connection.open();
    } else if (this.welcomed && token !== this.#told) {
      this.#connection.restart();
    }
  }

  /** The customer has signed out: what was said is left behind, and who said it. */
  signOut() {
    this.#identity = null;
    this.#memory.clear();
    this.#begin();
    this.dispatchEvent(new Event("left"));
  }

  /** Goes on with what another tab is in. */
  join(token, conversation) {
    const unsent = this.#unsent;
    this.#dropUnsent();
    this.#forget();
    this.#fresh = false;
    this.welcomed = false;
    this.#memory.set("token", token);
    this.#memory.set("conversation", conversation);
    this.#memory.begin();
    // A restart would wait where the connection has only begun.
    this.#connection.suspend();
    this.#connection.open();
    this.#giveBack(unsent);
    this.#changed();
  }

  /** Back from the browser's cache: another page of this tab may have gone on with the chat, or ended it. */
  takeOver() {
    const token = this.#memory.get("token");
    if (!this.#memory.reread()) return;
    // It has what was unsent here, or has sent it.
    this.#connection.cancel();
    this.#uploads.cancel();
    this.#requests.drop({ keep: false });
    [this.#pending, this.#leaving] = [[], null];
    this.#forget();
    this.#fresh = false;
    this.welcomed = false;
    this.#readSeq = this.#memory.get("read") ?? 0;
    const other = token !== undefined && this.#memory.get("token") !== token;
    if (other) this.#identity = null;
    this.#loadUnsent();
    this.#connection.restart();
    if (other) this.dispatchEvent(new Event("left"));
    this.#changed();
  }

  say(text) {
    this.#memory.begin();
    this.#send(newId(), text);
    this.#keepPending();
    this.#changed();
  }

  /** Sends a file. It is held in memory: a reload ends what was not stored, and the log says so then. */
  attach(file) {
    this.#memory.begin();
    const id = newId();
    this.#upload({ ...unsent(id, file.name), file, attachment: { bytes: file.size } });
    this.#keepPending();
    this.#changed();
  }

  #upload(entry) {
    this.#pending.push(Object.assign(entry, { sending: "sending", error: undefined }));
    const settle = (sending, error) => {
      Object.assign(entry, { sending, error });
      this.#keepPending();
      this.#changed();
    };
    if (entry.file.size > this.attachments) return settle("failed", "too_large");
    const where = () => ({ conversation: this.#memory.get("conversation"), token: this.#memory.get("token") });
    return this.#uploads.send(entry.id, entry.file, where).then(() => settle("sent"), ({ code }) => code !== "cancelled" && settle("failed", code));
  }

  /** Sends a failed message again: under its id, unless the server holds another text there. */
  retry(entry) {
    this.#pending = this.#pending.filter((other) => other !== entry);
    if (entry.file) this.#upload(entry);
    else this.#send(entry.error === "conflict" ? newId() : entry.id, entry.text);
    this.#keepPending();
    this.#changed();
  }

  askForPerson() {
    if (this.asking) return;
    this.#memory.begin();
    this.#requestPerson({ type: "human" });
    this.#changed();
  }

  #requestPerson(frame) {
    this.asking = true;
    const settle = () => {
      this.asking = this.#requests.has("human");
      this.#changed();
    };
    // The new state follows the ack; should it not, the button comes back.
    this.#requests.send(frame).then(() => setTimeout(settle, NEWS_GRACE), settle);
  }

  /** Answers the survey that is due. Resolves when that is stored. */
  rate(score, comment) {
    const { kind } = this.survey;
    return this.#requests.send({ type: "rate", kind, score, ...(comment && { comment }) }).then(() => {
      this.#noteRating(kind, score);
      this.#changed();
    });
  }

  #noteRating(kind, score) {
    this.answered = true;
    if (kind === "csat") this.rated = score;
  }

  /** Answers what is asked before the first message. Resolves when that is stored. */
  answerPreChat(answers) {
    this.#memory.begin();
    return this.#requests.sendNow({ type: "pre_chat", answers }).then(() => this.skipPreChat());
  }

  skipPreChat() {
    this.preChat = null;
    this.#changed();
  }

  /** Ends the conversation, whoever has it. Resolves when that is stored. */
  end() {
    return this.#requests.send({ type: "end" });
  }

  /** Goes on with a closed one. Resolves when that is stored. */
  reopen() {
    return this.#requests.send({ type: "reopen" });
  }

  /** Has what was said deleted, and forgets it. Resolves when that is done; it is not tried again later. */
  async erase() {
    const conversation = this.#memory.get("conversation");
    await this.#requests.sendNow({ type: "erase" });
    this.#forgetErased(conversation);
  }

  /** Allows the reading of mood, or not. Resolves when that is stored. */
  allowAnalysis(allowed) {
    return this.#requests.send({ type: "analysis", allowed }).then(() => {
      this.analysis = allowed;
      this.#changed();
    });
  }

  /** The secret by which the server knows this browser, or undefined. */
  get token() {
    return this.#memory.get("token");
  }

  /** The business's signed word on who the customer is, or null. */
  get identity() {
    return this.#identity;
  }

  // Whoever had it deleted and their other tabs hear of it in more than one way.
  #forgetErased(conversation) {
    if (this.#memory.get("conversation") !== conversation) return;
    this.#memory.clear();
    this.#begin();
    this.dispatchEvent(new CustomEvent("left", { detail: { erased: true } }));
  }

  judge(entry, helpful) {
    const before = entry.helpful;
    entry.helpful = helpful;
    this.#changed();
    this.#requests.send({ type: "feedback", seq: entry.seq, helpful }).catch(() => {
      entry.helpful = before;
      this.#changed();
    });
  }

  /** Resolves when the message is stored. Left again after a failure it keeps its id, and is stored once. */
  leave(text, email) {
    this.#memory.begin();
    const before = this.#leaving;
    const same = before?.text === text && before.email === (email || undefined);
    const frame = { type: "leave", id: same ? before.id : newId(), text, ...(email && { email }) };
    this.#leaving = frame;
    return this.#requests.send(frame).then(() => { this.#leaving = null; });
  }

  /** Tells a person that something is being written; never what, and nobody but a person. */
  type() {
    if (this.owner === "assigned") this.#connection.send({ type: "typing" });
  }

  /** The customer has seen everything up to here, in another tab. */
  readUpTo(seq) {
    if (!(seq > this.#readSeq)) return;
    this.#readSeq = seq;
    this.#memory.set("read", seq);
    this.#changed();
  }

  /** Everything that is here was seen. */
  markRead() {
    if (this.#log.last <= this.#sentRead && this.unread === 0) return;
    this.#readSeq = this.#log.last;
    this.#memory.set("read", this.#readSeq);
    this.dispatchEvent(new CustomEvent("read", { detail: { seq: this.#readSeq } }));
    if (this.#log.last > this.#sentRead && this.#connection.send({ type: "read", seq: this.#log.last })) {
      this.#sentRead = this.#log.last;
    }
  }

  #hello() {
    this.#told = this.#identity;
    const conversation = this.#fresh ? undefined : this.#memory.get("conversation");
    this.#named = conversation ? undefined : this.#options.invitation?.();
    return {
      type: "hello",
      site: this.#options.site,
      token: this.#memory.get("token"),
      conversation,
      after: conversation ? this.#log.last : undefined,
      epoch: conversation ? (this.#log.epoch ?? undefined) : undefined,
      locale: this.#options.locale?.() || undefined,
      page: this.#options.page?.() || undefined,
      identity: this.#identity || undefined,
      fresh: this.#fresh || undefined,
      invitation: this.#named,
    };
  }

  #follow({ status, code }) {
    this.status = status;
    if (status === "online") this.#uploads.wake();
    if (status === "offline") this.#setTyping(null);
    if (status === "closed" && code === 4003) this.#startOver();
    this.#changed();
  }

  // The token is unknown by now, or the site is not allowed at all: try once without a past.
  #startOver() {
    this.refused = this.unknown || this.#triedAnew || !this.#memory.get("token");
    if (this.refused) return;
    this.#triedAnew = true;
    this.#memory.clear();
    this.#forget();
    this.#connection.open();
  }

  #forget() {
    this.#stopLooking();
    this.#log.reset();
    this.#entries = [];
    this.#readSeq = 0;
    this.#sentRead = 0;
    Object.assign(this, { owner: "bot", agent: "", position: null, wait: null, backAt: null, typing: null, rated: null, answered: false, survey: null, asking: false });
  }

  #take(frame) {
    switch (frame.type) {
      case "welcome":
        return this.#welcome(frame);
      case "event":
        return this.#apply(frame);
      case "resumed":
        this.replaying = false;
        // The newest events may begin after the last change of owner.
        if (this.#stateThen) this.owner = this.#stateThen;
        this.#stateThen = null;
        this.open = this.#openNow; // replayed events tell how it was then
        if (this.#log.check(frame.seq) === GAP) this.#connection.restart();
        return this.#changed();
      case "ack":
        return this.#acknowledge(frame);
      case "pong":
        return this.#compare(frame.seq);
      case "reset":
        return this.#startFrom(frame.after ?? 0);
      case "error":
        if (frame.code === "identity_required") this.unknown = true;
        return frame.code === "identity" ? this.#unidentified(frame.message) : undefined;
      case "typing":
        return this.#showTyping(frame.from);
      case "position":
        this.position = frame.position ?? null;
        this.wait = frame.wait ?? null;
        if (typeof frame.open === "boolean") this.open = frame.open;
        this.backAt = frame.back_at ?? null;
        return this.#changed();
      default:
    }
  }

  // The server's log is not the one that is here, or far ahead of it: what follows takes its place.
  #startFrom(after) {
    const { epoch } = this.#log;
    this.#forget();
    this.#log.reset(after);
    this.#log.adopt(epoch);
    this.replaying = true;
  }

  // Sent again it would only be refused again; the page may come with a newer one.
  #unidentified(reason) {
    const current = this.#identity === this.#told;
    if (current) this.#identity = null;
    this.dispatchEvent(new CustomEvent("unidentified", { detail: { reason, current } }));
  }

  #welcome(frame) {
    const known = this.#memory.get("conversation");
    const other = known !== undefined && known !== frame.conversation;
    if (other || this.#fresh) this.#forget();
    // A new visitor by another word on who they are: what waits to be sent is not theirs to send, nor to see.
    if (other && frame.token && this.#told && this.#told !== this.#welcomedAs) {
      this.#dropUnsent();
      this.dispatchEvent(new Event("left"));
    }
    this.#welcomedAs = this.#told;
    this.#memory.set("conversation", frame.conversation);
    if (frame.token) this.#memory.set("token", frame.token);
    if (other) this.dispatchEvent(new CustomEvent("moved", { detail: { before: known } }));
    // Another epoch or a shorter log: the server was restored from a backup.
    if (!this.#log.adopt(frame.epoch) || frame.seq < this.#log.last) {
      this.#forget();
      return this.#connection.restart();
    }
    this.#fresh = false;
    this.#triedAnew = false;
    if (this.#named) this.#options.noted?.();
    this.welcomed = true;
    this.replaying = frame.seq > this.#log.last;
    this.business = frame.business ?? "";
    this.botName = frame.bot_name ?? "";
    this.greeting = frame.greeting ?? "";
    this.disclosure = frame.disclosure ?? null;
    this.analysis = frame.analysis !== false;
    this.erasable = frame.erase === true;
    this.attachments = frame.attachments ?? 0;
    this.preChat = frame.pre_chat ?? null;
    this.#openNow = this.open = frame.open !== false;
    this.wait = frame.wait ?? this.wait;
    if (this.replaying) this.#stateThen = frame.state ?? null;
    else this.owner = frame.state ?? this.owner;
    // It came while the hello was on its way.
    if (this.#identity && this.#identity !== this.#told) return this.#connection.restart();
    this.#changed();
  }

  #apply(event) {
    const verdict = this.#log.offer(event.seq);
    if (verdict === GAP) return this.#hold(event);
    if (verdict !== NEXT) return;
    this.#add(event);
    for (let held = this.#log.release(); held; held = this.#log.release()) this.#add(held);
    this.#changed();
  }

  #hold(event) {
    this.#log.hold(event);
    this.#gapTimer ||= setTimeout(() => {
      this.#gapTimer = 0;
      if (this.#log.broken) this.#connection.restart();
    }, GAP_GRACE);
  }

  #add(event) {
    const entry = this.#entryOf(event);
    if (entry) {
      if (event.id) {
        this.#pending = this.#pending.filter((other) => other.id !== event.id);
        this.#keepPending();
      }
      this.#entries.push(entry);
      if (fromUs(entry)) {
        this.#setTyping(null);
        if (!this.replaying) this.dispatchEvent(new CustomEvent("message", { detail: entry }));
      }
    }
  }

  // An entry: { key, kind: "message" | "system", role, at, seq, text?, ... }.
  #entryOf(event) {
    const { seq, at, kind, from = {}, text } = event;
    const base = { key: `s${seq}`, kind, seq, at, role: from.role, name: from.name ?? "", text };
    switch (kind) {
      case "message": {
        if (from.role !== "customer") return { ...base, options: event.options ?? [], offer: event.offer === true, leave: event.leave === true, lang: event.lang ?? "", helpful: null };
        const sent = this.#pending.find((other) => other.id === event.id);
        return { ...base, key: sent?.key ?? base.key, id: event.id, sending: "sent", attachment: event.attachment };
      }
      case "left_message":
        return { ...base, role: "customer", email: event.email, sending: "sent" };
      case "state":
        return this.#change(event, base);
      case "rating":
        this.#noteRating(event.survey, event.score);
        return null;
      case "feedback": {
        const judged = this.#entries.find((other) => other.seq === event.of);
        if (judged) judged.helpful = event.helpful;
        return null;
      }
      default:
        return null; // `welcome` brings the disclosure, the new state answers a human_request; the rest is not for customers
    }
  }

  #change(event, base) {
    const before = this.owner;
    if (event.reason === "erased") {
      const conversation = this.#memory.get("conversation");
      queueMicrotask(() => this.#forgetErased(conversation));
    }
    this.#stateThen = null;
    this.owner = event.state;
    this.survey = event.survey ?? null;
    this.asking = false;
    this.position = event.position ?? null;
    this.wait = event.wait ?? null;
    if (typeof event.open === "boolean") this.open = event.open;
    this.backAt = event.back_at ?? null;
    if (!this.replaying) this.#openNow = this.open;
    if (event.state === "assigned") this.agent = event.agent?.name ?? event.from?.name ?? "";
    if (event.state !== "assigned") this.#setTyping(null);
    if (!this.replaying) this.dispatchEvent(new CustomEvent("owner", { detail: { state: this.owner } }));
    const quiet = event.state === "offered" || (event.state === "bot" && ["bot", "offered"].includes(before));
    if (quiet) return null;
    return { ...base, state: event.state, before, agent: this.agent, open: this.open, reasonText: event.reason_text };
  }

  #send(id, text) {
    const entry = unsent(id, text);
    this.#pending.push(entry);
    this.#connection.request({ type: "say", id, text }).catch((error) => {
      entry.sending = "failed";
      entry.error = error.code;
      this.#keepPending();
      this.#changed();
    });
  }

  #acknowledge(frame) {
    const entry = this.#pending.find((other) => other.id === frame.id);
    if (!entry) return;
    entry.sending = "sent";
    entry.at = frame.at ?? entry.at;
    this.#changed();
    this.#compare(frame.seq);
  }

  // What is not in the log yet survives a reload: under its id, so that it is stored once, and a failure as one. Of a file
  // only its name does.
  #keepPending() {
    const kept = ({ id, text, error, file }) => ({ id, text, ...((file || error) && { error: file ? "lost" : error }) });
    this.#memory.set("pending", this.#pending.map(kept));
  }

  // The server has more than we do. What is missing may be on its way, so it gets a moment.
  #compare(seq) {
    if (this.#log.check(seq) !== GAP) return;
    clearTimeout(this.#newsTimer);
    this.#newsTimer = setTimeout(() => this.#log.check(seq) === GAP && this.#connection.restart(), NEWS_GRACE);
  }

  #showTyping(from) {
    if (!from || from.role === "customer") return;
    this.#setTyping({ role: from.role, name: from.name ?? (from.role === "agent" ? this.agent : this.botName) });
    this.#changed();
  }

  #setTyping(typing) {
    clearTimeout(this.#typingTimer);
    this.typing = typing;
    if (!typing) return;
    this.#typingTimer = setTimeout(() => {
      this.typing = null;
      this.#changed();
    }, TYPING_SHOWN);
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

function unsent(id, text) {
  return { key: id, id, kind: "message", role: "customer", name: "", text, at: Date.now(), sending: "sending" };
}

function fromUs(entry) {
  return entry.kind === "message" && (entry.role === "bot" || entry.role === "agent");
}
