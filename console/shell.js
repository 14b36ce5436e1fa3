// The frame around every page: navigation, who is signed in, presence, connection, and the news
// from the desk that must be noticed on any page. Must not know what the pages contain.

import { button } from "./chips.js";
import { h, replace, setText } from "./dom.js";
import { PRESENCE } from "./format.js";
import { icon, mark } from "./icons.js";
import { menu } from "./menu.js";
import { toast } from "./toast.js";

const PAGES = [
  { name: "desk", label: "Desk", href: "#/desk" },
  { name: "transcripts", label: "Transcripts", href: "#/transcripts", manager: true },
  { name: "figures", label: "Figures", href: "#/figures", manager: true },
  { name: "people", label: "People", href: "#/people", manager: true },
  { name: "install", label: "Install", href: "#/install", manager: true },
];

export class Shell {
  #store;
  #links = new Map();
  #badge = h("span", { class: "nav-badge", hidden: true });
  #banner = h("div", { class: "connection-banner", role: "status", hidden: true });
  #presence = h("div", { class: "presence", role: "radiogroup", "aria-label": "Your status" });
  #main = h("main", { class: "page", id: "main", tabindex: "-1" });
  #listeners = new AbortController();
  #news = new Map(); // conversation -> takes its toast away

  constructor(store, agent, { onsignout, help }) {
    this.#store = store;
    const pages = PAGES.filter((page) => !page.manager || agent.role === "manager");
    const links = pages.map((page) => {
      const link = h("a", { class: "nav-link", href: page.href }, icon(page.name), h("span", null, page.label), page.name === "desk" && this.#badge);
      this.#links.set(page.name, link);
      return link;
    });
    const account = menu(agent.name, () => [
      { label: "Keys", hint: "?", run: help },
      { label: "Sign out", run: onsignout },
    ], { kind: "quiet account" });
    this.element = h(
      "div",
      { class: "shell" },
      h("a", { class: "skip", href: "#main", onclick: (event) => { event.preventDefault(); this.#main.focus(); } }, "Skip to the content"),
      h("header", { class: "top" },
        h("a", { class: "brand", href: "#/desk", "aria-label": "candor, to the desk" }, mark(), h("span", null, "candor")),
        pages.length > 1 ? h("nav", { class: "nav", "aria-label": "Pages" }, links) : h("span", { class: "nav nav-none" }),
        this.#presence,
        account,
      ),
      this.#banner,
      this.#main,
    );
    this.#listen();
    this.#drawPresence();
    this.#drawStatus({ status: store.status });
    this.#count();
  }

  /** Puts `view` into the page and marks `name` in the navigation. */
  show(name, view) {
    for (const [page, link] of this.#links) link.setAttribute("aria-current", page === name ? "page" : "false");
    this.#main.dataset.page = name;
    document.body.classList.toggle("in-conversation", false);
    replace(this.#main, view);
    this.#count(name);
  }

  dispose() {
    this.#listeners.abort();
    document.title = "candor";
  }

  #listen() {
    const { signal } = this.#listeners;
    const on = (type, run) => this.#store.addEventListener(type, ({ detail }) => run(detail), { signal });
    on("agents", () => this.#drawPresence());
    on("status", (detail) => this.#drawStatus(detail));
    on("cards", () => {
      this.#count();
      this.#forgetNews();
    });
    addEventListener("hashchange", () => this.#forgetNews(), { signal });
    on("arrived", ({ card }) => this.#announce(card, `${card.customer} is waiting${card.reason ? `: ${card.reason.label}` : ""}`));
    on("handed", ({ card }) => this.#announce(card, `${card.customer} was transferred to you`));
  }

  #announce(card, text) {
    const address = `#/desk/${card.conversation}`;
    if (location.hash === address) return;
    this.#news.get(card.conversation)?.();
    this.#news.set(card.conversation, toast(text, { kind: "news", seconds: 10, action: { label: "Open", run: () => { location.hash = address; } } }));
  }

  // News is old once its conversation is open here, or somebody else took the customer.
  #forgetNews() {
    for (const [conversation, dismiss] of this.#news) {
      const card = this.#store.card(conversation);
      const current = card?.state === "queued" || card?.agent?.id === this.#store.me?.id;
      if (current && location.hash !== `#/desk/${conversation}`) continue;
      dismiss();
      this.#news.delete(conversation);
    }
  }

  #drawStatus({ status }) {
    const words = { connecting: "Connecting …", offline: "No connection. New messages do not arrive; trying again …", closed: "Disconnected." };
    // A first connect of a moment is not worth a flash of the banner.
    clearTimeout(this.bannerTimer);
    if (status === "online") this.#banner.hidden = true;
    else this.bannerTimer = setTimeout(() => {
      setText(this.#banner, words[status] ?? status);
      this.#banner.hidden = false;
    }, status === "connecting" ? 1500 : 300);
  }

  #drawPresence() {
    const mine = this.#store.me?.status ?? "online";
    if (this.#presence.dataset.status === mine) return;
    this.#presence.dataset.status = mine;
    const focused = this.#presence.contains(document.activeElement);
    replace(
      this.#presence,
      ["online", "away"].map((status) =>
        h("button", { class: `presence-choice presence-${status}`, role: "radio", "aria-checked": String(mine === status), tabindex: mine === status ? "0" : "-1", onclick: () => this.#store.setPresence(status), onkeydown: (event) => this.#turn(event, mine) }, h("span", { class: "presence-dot", "aria-hidden": "true" }), PRESENCE[status]),
      ),
    );
    if (focused) this.#presence.querySelector("[aria-checked=true]")?.focus();
  }

  #turn(event, mine) {
    if (!["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"].includes(event.key)) return;
    event.preventDefault();
    this.#store.setPresence(mine === "online" ? "away" : "online");
  }

  #count(page = this.#main.dataset.page) {
    const { due } = this.#store;
    setText(this.#badge, due);
    this.#badge.hidden = due === 0;
    this.#badge.setAttribute("aria-label", `${due} need a person`);
    const name = PAGES.find((one) => one.name === page)?.label ?? "candor";
    document.title = `${due ? `(${due}) ` : ""}${name} · candor`;
  }
}

/** A page that failed to load, with a way to try again. */
export function failure(error, retry) {
  return h("div", { class: "empty", role: "alert" }, h("h2", null, error.title ?? "That did not work"), h("p", null, error.detail || error.message), retry && button("Try again", { onclick: retry }));
}
