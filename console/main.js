// Starts the console: finds out who is signed in, then shows the page that the address names.
// The only place that knows all pages. Must not draw anything itself.

import { currentAgent, reasons, session, signOut } from "./api.js";
import { draftsOf, forgetDrafts } from "./composer.js";
import { forgetOutbox, forgetStatus } from "./outbox.js";
import { showHelp } from "./desk-keys.js";
import { DeskStore } from "./desk-store.js";
import { deskView } from "./desk.js";
import { h, replace } from "./dom.js";
import { figuresView } from "./figures.js";
import { learnReasons } from "./format.js";
import { installView } from "./install.js";
import { peopleView } from "./people.js";
import { setUpView, signInView } from "./session.js";
import { Shell, failure } from "./shell.js";
import { mountToasts } from "./toast.js";
import { transcriptView } from "./transcript.js";
import { transcriptsView } from "./transcripts.js";

const root = document.querySelector("#app");
let current = null; // { agent, store, shell, page, view } while somebody is signed in

/** `#/transcripts/<id>?q=…` as {page, id, query}. */
function place() {
  const [path, search = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [page = "", id = null] = path.split("/");
  return { page, id: id && decodeURIComponent(id), query: new URLSearchParams(search) };
}

const manager = (make) => (where) => (current.agent.role === "manager" ? make(where) : null);
const views = {
  desk: () => deskView(current.store),
  transcripts: manager(({ id, query }) => (id ? transcriptView(id) : transcriptsView(query))),
  figures: manager(({ query }) => figuresView(query)),
  people: manager(() => peopleView(current.agent)),
  install: manager(() => installView()),
};

function show() {
  const where = place();
  if (where.page === "setup") {
    leave();
    replace(root, setUpView(where.query.get("token") ?? "", signedIn));
    return;
  }
  if (!current) return;
  if (where.page === "desk" && current.page === "desk") {
    current.view.show(where.id);
    return;
  }
  // A filter that a page wrote into the address itself is no change of page.
  if (current.page === where.page && current.view?.follows?.(where)) return;
  const view = views[where.page]?.(where);
  if (!view) {
    location.replace("#/desk");
    return;
  }
  Object.assign(current, { page: where.page, view });
  current.shell.show(where.page, view);
  if (where.page === "desk") view.show(where.id);
  else scrollTo(0, 0);
}

function signedIn(agent) {
  forgetStatus();
  enter(agent);
}

/** Somebody is signed in: connects the desk and shows the page they came for. */
function enter(agent) {
  leave();
  draftsOf(agent.id);
  const store = new DeskStore(agent.id);
  const shell = new Shell(store, agent, { onsignout: leaveForGood, help: showHelp });
  current = { agent, store, shell, page: null, view: null };
  // A socket that keeps failing may mean that the session has ended elsewhere.
  store.addEventListener("status", async ({ detail }) => {
    if (detail.status === "online" || current?.store !== store) return;
    const isOver = detail.status === "closed" || (await currentAgent().catch(() => agent)) === null;
    // Somebody may have signed in meanwhile.
    if (isOver && current?.store === store) signedOut();
  });
  replace(root, shell.element);
  store.start();
  reasons().then(learnReasons).catch(() => {}); // Codes are readable too.
  if (place().page === "setup") location.replace("#/desk");
  else show();
}

function leave() {
  if (!current) return;
  const { store, shell } = current;
  current = null;
  replace(root);
  shell.dispose();
  store.stop();
}

function signedOut(notice = "Your session has ended. Sign in to go on.") {
  if (!current) return;
  leave();
  replace(root, signInView(signedIn, { notice }));
}

async function leaveForGood() {
  forgetDrafts();
  forgetOutbox();
  leave();
  let notice = "You are signed out.";
  try {
    await signOut();
  } catch (error) {
    if (error.status !== 401) notice = "The server could not be told: the session ends by itself within hours.";
  }
  replace(root, signInView(signedIn, { notice }));
}

async function start() {
  mountToasts(document.body);
  addEventListener("hashchange", show);
  session.addEventListener("signedout", () => signedOut());
  if (place().page === "setup") return show();
  try {
    const agent = await currentAgent();
    if (agent) enter(agent);
    else replace(root, signInView(signedIn));
  } catch (error) {
    replace(root, h("main", { class: "gate" }, failure(error, () => location.reload())));
  }
  return undefined;
}

start();
