// What the desk knows: cards of live conversations, who is here, and the logs that are open.
// Filled by the desk socket, read by views through events and getters. It outlives the views, so
// a new customer is announced whatever page is open. Must not touch the DOM.

import { Connection, newId } from "../widget/connection.js";
import { Outbox, keepStatus, keptStatus } from "./outbox.js";

const GAP_GRACE = 250; // what is missing may only be late
const LIVE = 30 * 60_000; // what the bot handles leaves the list after so long without a word, as from a snapshot

/**
 * Events (each a CustomEvent):
 * - `cards`, `agents`, `status`: read the getters again
 * - `arrived` {card}: a customer began to wait; `handed` {card}: somebody transferred one to me
 * - `event`, `turn`, `summary`, `opened`, `missing`, `typing`, `pending`, `reset`, each {conversation, …}
 */
export class DeskStore extends EventTarget {
  #connection;
  #agent;
  #cards = new Map();
  #logs = new Map();
  #pending = new Map();
  #outbox = new Outbox();
  #saidPresence = null; // what this desk said last, until the server has told everybody
  #claiming = new Set();
  #stopped = false;
  #asked = new Map(); // id of an `open` frame -> its conversation
  #epoch = null;
  #version = 0; // of the list of cards and colleagues
  #gapTimer = 0;
  #newest = { at: 0, seen: 0 }; // the server's latest time that is known, and when it was
  #askTimers = new Map(); // conversation -> timer, while its log has a gap

  me = null;
  agents = [];
  demo = false;
  status = "connecting";

  /** `agent` is the id of who sits here. */
  constructor(agent, url = deskUrl()) {
    super();
    this.#agent = agent;
    this.#connection = new Connection({
      url,
      protocol: "candor.desk.v1",
      // Only the first desk of an agent after a drop is asked; else the others know better.
      hello: () => ({ type: "hello", status: this.#saidPresence ?? this.me?.status ?? keptStatus(this.#agent) }),
      pulse: () => ({ version: this.#version }),
    });
    this.#connection.addEventListener("frame", ({ detail }) => this.#take(detail));
    this.#connection.addEventListener("status", ({ detail }) => {
      this.status = detail.status;
      this.#tell("status", detail);
    });
  }

  start() {
    this.#connection.open();
  }

  stop() {
    clearTimeout(this.#gapTimer);
    for (const timer of this.#askTimers.values()) clearTimeout(timer);
    this.#stopped = true;
    this.#connection.close();
  }

  /** All cards, unsorted. */
  get cards() {
    return [...this.#cards.values()];
  }

  card(conversation) {
    return this.#cards.get(conversation) ?? null;
  }

  /** Cards by the sections of the queue, each in the order in which to work. */
  sections() {
    const cards = this.cards;
    const newest = (a, b) => b.last_at - a.last_at;
    const mine = (card) => card.agent?.id === this.me?.id;
    return {
      waiting: cards.filter((card) => card.state === "queued").sort((a, b) => b.priority - a.priority || waitingSince(a) - waitingSince(b)),
      mine: cards.filter((card) => card.state === "assigned" && mine(card)).sort((a, b) => yourTurn(b) - yourTurn(a) || newest(a, b)),
      others: cards.filter((card) => card.state === "assigned" && !mine(card)).sort(newest),
      bot: cards
        .filter((card) => card.state === "bot" || card.state === "offered")
        .sort((a, b) => (b.state === "offered") - (a.state === "offered") || newest(a, b)),
    };
  }

  /** How many need a person of this desk: those waiting, and mine where the customer wrote last. */
  get due() {
    const { waiting, mine } = this.sections();
    return waiting.length + mine.filter(yourTurn).length;
  }

  log(conversation) {
    return this.#logs.get(conversation) ?? null;
  }

  pending(conversation) {
    return this.#pending.get(conversation) ?? [];
  }

  /** Begins to follow a conversation; its log arrives as `event` and `turn`, then `opened`. */
  open(conversation) {
    if (!this.#logs.has(conversation)) {
      this.#logs.set(conversation, emptyLog());
    }
    this.#ask(conversation);
  }

  shut(conversation) {
    this.#logs.delete(conversation);
    this.#connection.send({ type: "shut", id: newId(), conversation });
  }

  /** Asks for one change of a conversation. Needs a live connection: a claim must not fire late. */
  async act(type, conversation, fields = {}) {
    if (type === "claim") this.#claiming.add(conversation);
    try {
      return await this.#connection.request({ type, conversation, ...fields }, { keep: false });
    } catch (error) {
      throw Object.assign(error, { detail: refusal(error, type) });
    } finally {
      this.#claiming.delete(conversation);
    }
  }

  /** Sends a reply (`say`) or a `note`; it shows at once and is repeated until the server has it. */
  write(kind, conversation, text) {
    this.#send({ conversation, id: newId(), kind, text });
  }

  // What was refused before a reload is shown as refused: only its author sends it again.
  #send({ conversation, id, kind, text, failed = null }) {
    const message = { id, kind, text, sent: false, failed, seq: null };
    message.retry = () => this.#transmit(conversation, message);
    message.discard = () => this.#dropPending(conversation, message);
    this.#pending.set(conversation, [...this.pending(conversation), message]);
    this.#keepPending();
    if (failed) this.#tell("pending", { conversation });
    else this.#transmit(conversation, message);
  }

  // A reload loses nothing that the server has not confirmed.
  #keepPending() {
    const all = [...this.#pending].flatMap(([conversation, messages]) => messages.map((message) => ({ conversation, ...message })));
    this.#outbox.keep(this.me?.id, all.filter((message) => !message.sent));
  }

  setPresence(status) {
    this.#saidPresence = status;
    if (this.me) this.me = { ...this.me, status };
    keepStatus(this.#agent, status);
    this.#tell("agents");
    this.#connection.request({ type: "status", status }, { keep: false }).then(
      () => { this.#saidPresence = null; },
      // Without a connection the next hello says it; what was refused is not so.
      (error) => error.code !== "offline" && !this.#stopped && this.#refusedPresence(),
    );
  }

  #refusedPresence() {
    this.#saidPresence = null;
    this.#colleagues(this.agents);
    if (this.me) keepStatus(this.#agent, this.me.status);
  }

  typing(conversation) {
    this.#connection.send({ type: "typing", conversation });
  }

  async #transmit(conversation, message) {
    if (message.failed) {
      message.failed = null;
      this.#keepPending();
    }
    this.#tell("pending", { conversation });
    try {
      const ack = await this.#connection.request({ type: message.kind, id: message.id, conversation, text: message.text });
      message.sent = true;
      message.seq = ack.seq ?? null;
      this.#keepPending();
      const log = this.log(conversation);
      if (!log || log.events.some((event) => event.seq === message.seq)) this.#dropPending(conversation, message);
    } catch (error) {
      // Put away with the page, not refused.
      if (!this.#stopped) {
        message.failed = refusal(error, message.kind);
        this.#keepPending();
      }
    }
    this.#tell("pending", { conversation });
  }

  #dropPending(conversation, message) {
    const rest = this.pending(conversation).filter((other) => other !== message);
    if (rest.length) this.#pending.set(conversation, rest);
    else this.#pending.delete(conversation);
    this.#keepPending();
    this.#tell("pending", { conversation });
  }

  // The whole log each time: a reading may be stored after its message, so asking only for what
  // follows the newest message could miss it. What is here already is skipped by its seq.
  #ask(conversation) {
    const id = newId();
    this.#asked.clear();
    this.#asked.set(id, conversation);
    this.#connection.send({ type: "open", id, conversation });
  }

  #askLater(conversation, wait) {
    clearTimeout(this.#askTimers.get(conversation));
    this.#askTimers.set(conversation, setTimeout(() => {
      this.#askTimers.delete(conversation);
      if (this.#logs.has(conversation)) this.#ask(conversation);
    }, Number(wait) || GAP_GRACE));
  }

  // Something is missing before what came, and it was not merely late.
  #askAgain(conversation, last) {
    this.#askTimers.delete(conversation);
    const log = this.log(conversation);
    if (log && (log.events.at(-1)?.seq ?? 0) === last) this.#ask(conversation);
  }

  #take(frame) {
    switch (frame.type) {
      case "snapshot":
        return this.#snapshot(frame);
      case "card":
        return this.#follow(frame.version) && this.#card(frame.card);
      case "gone":
        if (!this.#follow(frame.version)) return undefined;
        this.#cards.delete(frame.conversation);
        return this.#tell("cards", { gone: frame.conversation });
      case "agents":
        return this.#follow(frame.version) && this.#colleagues(frame.agents);
      case "pong":
        this.#dropOld();
        return frame.version > this.#version && this.#repairLater();
      case "event":
        return this.#event(frame);
      case "turn": {
        const log = this.log(frame.conversation);
        if (!log) return undefined;
        log.turns.set(frame.seq, frame);
        return this.#tell("turn", { conversation: frame.conversation, turn: frame });
      }
      case "summary": {
        const log = this.log(frame.conversation);
        if (!log) return undefined;
        log.summary = frame;
        return this.#tell("summary", { conversation: frame.conversation, summary: frame });
      }
      case "opened": {
        const log = this.log(frame.conversation);
        if (!log) return undefined;
        Object.assign(log, { loaded: true, facts: frame.facts ?? {} });
        return this.#tell("opened", { conversation: frame.conversation });
      }
      case "error":
        if (this.#asked.has(frame.id) && frame.code === "rate_limited") return this.#askLater(this.#asked.get(frame.id), frame.retry_after_ms);
        return this.#asked.has(frame.id) && this.#tell("missing", { conversation: this.#asked.get(frame.id), message: frame.message });
      case "reset": // A snapshot follows, and asks for the open logs again.
        return this.#forgetLogs();
      case "typing":
        return this.#tell("typing", { conversation: frame.conversation, from: frame.from });
      default:
        return undefined;
    }
  }

  // False for what is older than what is here. Each frame is whole in itself, so one from beyond a gap counts too; what
  // is missing before it comes with a new snapshot.
  #follow(version) {
    if (version <= this.#version) return false;
    if (version > this.#version + 1) this.#repairLater();
    else this.#version = version;
    return true;
  }

  #repairLater() {
    const had = this.#version;
    this.#gapTimer ||= setTimeout(() => {
      this.#gapTimer = 0;
      if (this.#version === had) this.#connection.restart();
    }, GAP_GRACE);
  }

  // My own presence too: it may have been changed on another desk of mine.
  #colleagues(agents) {
    this.agents = agents;
    const mine = agents.find((agent) => agent.id === this.me?.id);
    if (mine && this.#saidPresence === null) {
      this.me = { ...this.me, status: mine.status };
      keepStatus(this.#agent, mine.status);
    }
    this.#tell("agents");
  }

  #snapshot(frame) {
    this.#version = frame.version;
    const restored = this.#epoch !== null && frame.epoch !== this.#epoch;
    this.#epoch = frame.epoch;
    const first = this.me === null;
    this.me = frame.me;
    this.agents = frame.agents ?? [];
    this.demo = Boolean(frame.demo);
    const before = this.#cards;
    frame.cards.forEach((card) => this.#learnTime(card));
    this.#cards = new Map(frame.cards.map((card) => [card.conversation, card]));
    if (this.#saidPresence && this.#saidPresence !== frame.me.status) this.setPresence(this.#saidPresence);
    else this.#saidPresence = null;
    if (first) for (const message of this.#outbox.load(this.me.id)) this.#send(message);
    if (restored) this.#forgetLogs();
    for (const conversation of this.#logs.keys()) this.#ask(conversation);
    this.#tell("agents");
    this.#tell("cards");
    // Who came while this desk was away is announced as well; what was there when it began is not.
    if (!first) for (const card of this.#cards.values()) this.#announce(card, before.get(card.conversation));
  }

  #forgetLogs() {
    for (const [conversation, log] of this.#logs) this.#forgetLog(conversation, log);
  }

  #forgetLog(conversation, log) {
    Object.assign(log, emptyLog());
    this.#tell("reset", { conversation });
  }

  #card(card) {
    const before = this.#cards.get(card.conversation);
    this.#cards.set(card.conversation, card);
    this.#learnTime(card);
    this.#tell("cards", { changed: card.conversation });
    this.#announce(card, before);
  }

  // This machine's own clock may be wrong; the server's is never behind this.
  #learnTime({ last_at: at }) {
    if (at > this.#serverTime()) this.#newest = { at, seen: performance.now() };
  }

  #serverTime() {
    return this.#newest.at + performance.now() - this.#newest.seen;
  }

  #dropOld() {
    const since = this.#serverTime() - LIVE;
    const old = this.cards.filter((card) => (card.state === "bot" || card.state === "offered") && card.last_at < since && !this.#logs.has(card.conversation));
    for (const { conversation } of old) this.#cards.delete(conversation);
    if (old.length) this.#tell("cards");
  }

  #announce(card, before) {
    if (card.state === "queued" && before?.state !== "queued") this.#tell("arrived", { card });
    const mineNow = card.state === "assigned" && card.agent?.id === this.me?.id;
    if (mineNow && before?.agent?.id !== this.me?.id && !this.#claiming.has(card.conversation)) this.#tell("handed", { card });
  }

  #event(event) {
    const { conversation } = event;
    const log = this.log(conversation);
    if (!log) return;
    const last = log.events.at(-1)?.seq ?? 0;
    if (event.seq <= last) return;
    if (event.seq > last + 1) {
      if (!this.#askTimers.has(conversation)) this.#askTimers.set(conversation, setTimeout(() => this.#askAgain(conversation, last), GAP_GRACE));
      return;
    }
    // What was shown until now is read anew, without its words.
    if (event.reason === "erased" && log.events.some(({ text }) => text)) {
      this.#forgetLog(conversation, log);
      return this.#ask(conversation);
    }
    log.events.push(event);
    const message = this.pending(conversation).find((one) => one.id === event.id || one.seq === event.seq);
    if (message) this.#dropPending(conversation, message);
    this.#tell("event", { conversation, event });
  }

  #tell(type, detail = {}) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** True where the customer wrote last and now waits for this agent. */
export const yourTurn = (card) => card.last_role === "customer";

/** When the present wait began. */
export const waitingSince = (card) => card.queued_at ?? card.last_at ?? card.created_at;

const emptyLog = () => ({ events: [], turns: new Map(), facts: {}, summary: null, loaded: false });

function deskUrl() {
  const url = new URL("/v1/desk", location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url;
}

const WORDS = {
  offline: "There is no connection. Try again when the desk is connected.",
  closed: "The conversation is closed.",
  conflict: "Somebody else was quicker: the conversation changed.",
  forbidden: "That conversation is not yours.",
};

function refusal(error, type) {
  return (error.message !== error.code && error.message) || WORDS[error.code] || `The server refused it (${error.code ?? type}).`;
}
