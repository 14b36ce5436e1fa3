// The chat in its own document: what the launcher (launcher.js) frames on a page of the business. Opened as a
// page of its own it is the chat alone.
//
// Messages from the page: begin { kept, locale, accent, phone, identity, invitation, page } or, instead, forget;
// open { focus }, close, look { locale, accent, phone, page }, identify { token }, due { invitation },
// say { text }: what the button of an invitation says.
// Messages to it: ready, state { unread, label, owner, rated }, message { role, seq }, handoff { state },
// unidentified { reason, current }, begun, forgotten, noted, close. None of them has a word of the conversation.
//
// It knows: the page's origin, by which messages are told from anybody else's; who is asked to draw what.
// It must not know: frames of the socket, or how a message looks.
import { accentProperties } from "./accent.js";
import { Conversation } from "./conversation.js";
import { Memory } from "./memory.js";
import { Sound } from "./sound.js";
import { panelSheet, partsSheet } from "./panel-style.js";
import { baseSheet } from "./style.js";
import { Tabs, customerOf } from "./tabs.js";
import { Texts } from "./texts.js";
import { View } from "./view.js";

const given = new URL(location.href).searchParams;
const site = given.get("site") || "default";
const host = given.get("host") || "";
const framed = parent !== window;
const root = document.body;

let memory = null;
let conversation = null;
let view = null;
let sound = null;
let tabs = null;
let opened = false;
let due = null;
let told = ""; // the last state that the page heard of
let look = { locale: "", accent: "" };
let words = null;
let page = "";
let started = false;

// Who frames this is for the server's frame-ancestors to say; whom it talks to, for `host`.
const tell = (message) => framed && host && parent.postMessage(message, host);

addEventListener("message", ({ source, origin, data }) => {
  if (!framed || source !== parent || origin !== host || typeof data?.type !== "string") return;
  if (data.type === "begin") begin(data);
  else if (data.type === "forget" && !memory) newMemory().clear();
  else if (conversation) hear(data);
});

function hear(message) {
  switch (message.type) {
    case "open":
      return open(message.focus === true);
    case "close":
      opened = false;
      return undefined;
    case "look":
      page = text(message.page);
      return dress(message);
    case "identify":
      return message.token ? conversation.identify(String(message.token)) : signOut();
    case "due":
      due = invitationOf(message.invitation);
      return undefined;
    case "say":
      return typeof message.text === "string" ? sayOnceReady(message.text) : undefined;
    default:
      return undefined;
  }
}

const newMemory = () => new Memory(site, {
  begun: () => {
    tell({ type: "begun" });
    tabs?.begun();
  },
  cleared: () => tell({ type: "forgotten" }),
});

// Nothing is asked of the server for a conversation that the page remembers and this document does not. Another tab's
// is taken up as soon as that tells of it, which is mostly before the server has answered.
function start() {
  if (started) return;
  started = true;
  conversation.start();
  if (!memory.begun) tabs.ask();
}

function signOut() {
  tabs.left(memory.get("conversation"));
  conversation.signOut();
}

// What other tabs of this browser tell, and are told.
function keepInStep() {
  const where = () => ({ token: memory.get("token"), conversation: memory.get("conversation"), begun: memory.begun, customer: customerOf(conversation.identity) });
  tabs = new Tabs(site, where);
  const join = ({ detail }) => started && conversation.join(detail.token, detail.conversation);
  tabs.addEventListener("found", join);
  tabs.addEventListener("moved", join);
  tabs.addEventListener("read", ({ detail }) => conversation.readUpTo(detail.seq));
  tabs.addEventListener("left", () => conversation.signOut());
  conversation.addEventListener("read", ({ detail }) => tabs.read(detail.seq));
  conversation.addEventListener("moved", ({ detail }) => tabs.moved(detail.before));
}

async function begin({ kept, locale, accent, phone, identity, invitation, page: where }) {
  if (memory) return;
  page = text(where);
  memory = newMemory();
  // The page has forgotten that there was a conversation: so its customer signed out meanwhile.
  if (!kept && memory.begun) memory.clear();
  else if (kept && !memory.begun) tell({ type: "forgotten" });
  due = invitationOf(invitation);
  const address = new URL("../v1/chat", location.href);
  address.protocol = address.protocol === "http:" ? "ws:" : "wss:";
  conversation = new Conversation({
    url: address.href,
    site,
    locale: () => look.locale,
    identity: text(identity) || null,
    memory,
    page: () => page,
    invitation: () => due ?? undefined,
    noted: () => {
      due = null;
      tell({ type: "noted" });
    },
  });
  conversation.addEventListener("change", changed);
  sound = new Sound(memory);
  keepInStep();
  conversation.addEventListener("message", ({ detail }) => {
    tell({ type: "message", role: detail.role, seq: detail.seq });
    if (!opened || document.visibilityState !== "visible") sound.play();
  });
  conversation.addEventListener("owner", ({ detail }) => {
    if (detail.state === "queued" || detail.state === "assigned") tell({ type: "handoff", state: detail.state });
  });
  conversation.addEventListener("unidentified", ({ detail }) => tell({ type: "unidentified", ...detail }));
  look = { ...look, locale: text(locale) };
  if (!kept || memory.begun) start();
  document.addEventListener("visibilitychange", changed);
  addEventListener("pageshow", (event) => event.persisted && conversation.takeOver());
  await dress({ locale, accent, phone });
}

// The panel is drawn anew in another language; what was typed is in the memory, what was said in the conversation.
async function dress({ locale, accent, phone }) {
  const wanted = text(locale);
  root.classList.toggle("phone", phone === true);
  // A frame that is not shown may have no colours to measure: then the next look finds them.
  const properties = text(accent) === look.accent ? [] : Object.entries(accentProperties(text(accent), root));
  for (const [name, value] of properties) root.style.setProperty(name, value);
  const spoken = view && wanted === look.locale;
  look = { locale: wanted, accent: properties.length ? text(accent) : look.accent };
  if (spoken) return;
  const texts = await Texts.load(wanted);
  if (look.locale !== wanted) return; // another one was asked for meanwhile
  view?.node.remove();
  view?.end();
  view = new View({ conversation, texts, memory, sound, close: framed ? () => tell({ type: "close" }) : null });
  words = texts;
  document.documentElement.lang = texts.locale;
  document.title = texts.say("chat");
  root.append(view.node);
  if (opened) open(document.hasFocus());
  changed();
}

function open(focus) {
  opened = true;
  start();
  if (!view) return;
  view.shown();
  changed();
  if (focus) focusInside();
}

function focusInside() {
  view.node.focus({ preventScroll: true });
  // A field that takes the focus on a touch screen brings up the keyboard over the disclosure.
  if (matchMedia("(pointer: fine)").matches) view.field?.focus({ preventScroll: true });
}

function changed() {
  if (opened && document.visibilityState === "visible") conversation.markRead();
  if (!view) return;
  const { unread: count, owner, rated } = conversation;
  const label = count > 0 ? words.say("openChatUnread", { count }) : words.say("openChat");
  const state = { type: "state", unread: count, label, owner, rated };
  if (JSON.stringify(state) !== told) {
    told = JSON.stringify(state);
    tell(state);
  }
  // The field could not take the focus before the welcome came.
  if (opened && document.activeElement === view.node) queueMicrotask(() => document.activeElement === view.node && focusInside());
}

// The notice that a bot answers is shown before the first message goes.
function sayOnceReady(words) {
  const say = () => {
    if (!conversation.welcomed || conversation.replaying) return;
    if (conversation.owner === "closed") return conversation.startAnew();
    conversation.removeEventListener("change", say);
    conversation.say(words);
  };
  conversation.addEventListener("change", say);
  say();
}

root.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.isComposing) tell({ type: "close" });
});

const text = (value) => (typeof value === "string" ? value : "");

function invitationOf(value) {
  const { trigger, arm, accepted } = value ?? {};
  return typeof trigger === "string" && typeof arm === "string" ? { trigger, arm, accepted: accepted === true } : null;
}

document.adoptedStyleSheets = [baseSheet, panelSheet, partsSheet];
if (framed) {
  tell({ type: "ready" });
} else {
  await begin({ kept: true, locale: navigator.language, accent: given.get("accent"), phone: true, page: location.origin + location.pathname });
  open(true);
}
