// The one script tag of a site: <script src="https://chat.example/widget.js" data-site="default" async></script>
// Optional: data-accent="#2f5d50", data-position="left", data-locale="de", data-identity="…", data-hidden,
// data-no-triggers. Served as /widget.js together with launcher.js and what that imports, in one function
// (src/http/assets.rs), with the build, the launcher's words and the triggers of invitations filled in.
//
// window.candor: open(), close(), show(), hide(), identify(token), setLanguage(locale), track(name, detail),
// on(name, listener). A page that comes first may write window.candor = { identity: token, q: [[name, detail]] }:
// what is in `q` is tracked once this script is here. candor.d.ts says it in types, docs/embedding.md in words.
//
// It knows: where it came from, its own attributes, and on which pages an invitation could be due.
// It must not know: anything of the chat. It stores nothing and makes no request, except for the part that
// watches a page which a trigger is about.
import { launcherClass } from "./launcher.js";

const script = document.currentScript;
const home = new URL(".", script?.src || location.href);
const triggers = "__TRIGGERS__";
let chat = null;
// What the page reports with `track`: kept in memory, sent nowhere.
const events = new EventTarget();
events.seen = [];

const api = {
  open: () => {
    chat.hidden = false;
    chat.open();
  },
  close: () => chat.close(),
  show: () => { chat.hidden = false; },
  hide: () => { chat.hidden = true; },
  identify: (token) => chat.identify(token),
  setLanguage: (locale) => (locale ? chat.setAttribute("locale", locale) : chat.removeAttribute("locale")),
  track: (name, detail = {}) => {
    const seen = [{ ...detail, name }];
    for (let index = 0; index < events.seen.length && seen.length < 20; index += 1) {
      if (events.seen[index].name !== name) seen[seen.length] = events.seen[index];
    }
    events.seen = seen;
    events.dispatchEvent(new Event("track"));
  },
  /** Calls `listener` with the detail of each event of that name; gives the function that ends it. */
  on: (name, listener) => {
    const call = (event) => listener(event.detail);
    document.addEventListener(`candor:${name}`, call);
    return () => document.removeEventListener(`candor:${name}`, call);
  },
};

function matches(pattern) {
  const here = pattern.includes("#") ? location.pathname + location.hash : location.pathname;
  const rule = pattern.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replace(/\*/g, ".*");
  return new RegExp(`^${rule}$`).test(here);
}

function fits({ when: { page } }) {
  for (let index = 0; index < page.length; index += 1) if (matches(page[index])) return true;
  return page.length === 0;
}

// The part that watches is fetched on the first page that a trigger is about.
function watch() {
  const pages = window.navigation || window;
  const news = window.navigation ? ["currententrychange"] : ["hashchange", "popstate"];
  const each = (act) => {
    for (let index = 0; index < news.length; index += 1) pages[`${act}EventListener`](news[index], look);
  };
  function look() {
    let due;
    for (let index = 0; index < triggers.list.length; index += 1) due ||= fits(triggers.list[index]);
    if (!due) return;
    each("remove");
    import(new URL("assets/__BUILD__/widget/invitation.js", home).href)
      .then(({ watchPage }) => watchPage({ triggers, fits, events, pages, news }, chat))
      .catch((error) => console.error("candor:", error));
  }
  each("add");
  look();
}

function start() {
  const given = script?.dataset || {};
  const before = window.candor || {};
  // Two tags on one page, or one that a single-page site has put in again: the first one goes on.
  if (before.on && document.querySelector("candor-chat")) return;
  if (!customElements.get("candor-chat")) customElements.define("candor-chat", launcherClass(home, "__WORDS__"));
  chat = document.querySelector("candor-chat");
  if (!chat) {
    chat = document.createElement("candor-chat");
    if (given.site) chat.setAttribute("site", given.site);
    if (given.accent) chat.setAttribute("accent", given.accent);
    if (given.position) chat.setAttribute("position", given.position);
    if (given.locale) chat.setAttribute("locale", given.locale);
    chat.hidden = "hidden" in given;
    // Beside the body: a page that replaces its body, as single-page ones do, keeps the chat.
    document.documentElement.append(chat);
  }
  chat.identify(given.identity || before.identity);
  if (!("noTriggers" in given)) watch();
  const waiting = before.q || [];
  window.candor = api;
  for (let index = 0; index < waiting.length; index += 1) api.track(waiting[index][0], waiting[index][1]);
}

// What the page writes after this tag, a <candor-chat> of its own among it, is there then.
if (document.readyState !== "loading") start();
else document.addEventListener("DOMContentLoaded", start, { once: true });
