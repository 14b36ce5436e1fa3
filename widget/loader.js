// The one script tag of a site: <script src="https://chat.example/widget.js" data-site="default" async></script>
// Optional: data-accent="#2f5d50", data-position="left", data-identity="…", data-no-triggers. Served as /widget.js
// with the build id and the triggers of invitations filled in.
// candor.identify(token) says at any time who the customer is (docs/identity.md); a page that comes first
// may write window.candor = { identity: token }.
//
// It knows: where it came from, its own attributes, and on which pages an invitation could be due.
// It must not know: anything of the chat. It stores nothing and opens no socket.
//
// A strict Content-Security-Policy of the host page needs candor's origin in
// `script-src` and its wss: address in `connect-src` (for invitations its https: address as well); no
// inline style or script is used.
(() => {
  const script = document.currentScript;
  if (!script || document.querySelector("candor-chat")) return;
  const api = (window.candor ??= {});
  let identity = script.dataset.identity || api.identity || "";
  api.identify = (token) => {
    identity = token || "";
    document.querySelector("candor-chat")?.identify?.(token);
  };
  const triggers = "__TRIGGERS__";
  // What the page reports with `candor.track(name, { value, number })`: kept in memory, sent nowhere.
  const events = new EventTarget();
  events.seen = (api.q ?? []).slice(-20).map(([name, detail]) => ({ name, ...detail }));
  api.track = (name, detail = {}) => {
    events.seen = [...events.seen.filter((event) => event.name !== name), { name, ...detail }].slice(-20);
    events.dispatchEvent(new Event("track"));
  };
  const asset = (name) => import(new URL(`assets/__BUILD__/widget/${name}`, script.src).href);
  const matches = (pattern) => {
    const here = pattern.includes("#") ? location.pathname + location.hash : location.pathname;
    return new RegExp(`^${pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&")).join(".*")}$`).test(here);
  };
  const fits = ({ when }) => when.page.length === 0 || when.page.some(matches);
  // The part that watches is fetched on the first page that a trigger is about.
  const watch = (chat) => {
    const pages = globalThis.navigation ?? globalThis;
    const news = globalThis.navigation ? ["currententrychange"] : ["hashchange", "popstate"];
    const look = () => {
      if (!triggers.list.some(fits)) return;
      for (const name of news) pages.removeEventListener(name, look);
      asset("invitation.js").then(({ watchPage }) => chat.invite(watchPage, { triggers, fits, events, pages, news })).catch(failed);
    };
    for (const name of news) pages.addEventListener(name, look);
    look();
  };
  const start = async () => {
    await asset("define.js");
    // Two tags on one page race through the import; the first one to get here wins.
    if (document.querySelector("candor-chat")) return;
    const chat = document.createElement("candor-chat");
    for (const name of ["site", "accent", "position", "locale"]) {
      if (script.dataset[name]) chat.setAttribute(name, script.dataset[name]);
    }
    if (identity) chat.identify(identity);
    document.body.append(chat);
    if (!("noTriggers" in script.dataset)) watch(chat);
  };
  const failed = (error) => console.error("candor: the chat could not be loaded.", error);
  const run = () => start().catch(failed);
  if (document.body) run();
  else addEventListener("DOMContentLoaded", run, { once: true });
})();
