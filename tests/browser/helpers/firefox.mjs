// Firefox through WebDriver BiDi, and the chat on its pages as a customer meets it: what browser.mjs and faces.mjs are
// for Chromium. It must not know what a test asks of a page, nor how the chat is made beyond its roles, names and words.
import assert from "node:assert/strict";
import { accessSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import puppeteer from "puppeteer-core";
import { PATIENCE, until } from "./browser.mjs";
import { MANAGER, focused } from "./faces.mjs";
import { ROOT } from "./server.mjs";

const PREFERENCES = {
  // A headless Firefox has no mouse by itself, and takes the chat for one on a touch screen.
  "ui.primaryPointerCapabilities": 6,
  "ui.allPointerCapabilities": 6,
  "ui.prefersReducedMotion": 1,
  "ui.systemUsesDarkTheme": 0,
  "intl.accept_languages": "en-GB, en",
};

/** The installed Firefox; puppeteer-core brings none. */
function executable() {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const names = ["firefox-esr", "firefox"].flatMap((name) => folders.map((folder) => join(folder, name)));
  const found = [process.env.FIREFOX, ...names].find((path) => {
    try {
      accessSync(path);
      return true;
    } catch {
      return false;
    }
  });
  assert.ok(found, "no Firefox: install firefox-esr, or name one in FIREFOX");
  return found;
}

/** A headless Firefox with a profile of its own. */
export function launchFirefox() {
  return puppeteer.launch({
    browser: "firefox",
    executablePath: executable(),
    headless: true,
    extraPrefsFirefox: PREFERENCES,
    env: { ...process.env, TZ: "Europe/London" },
  });
}

/**
 * A page in a window and a container of its own, so that none is hidden by another. `problems` collects what Firefox
 * writes into its console as an error, `requests` every address that is asked for, sockets among them.
 */
export async function openTab(browser, { width = 1280, height = 800 } = {}) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage({ type: "window" });
  page.setDefaultTimeout(PATIENCE);
  await page.setViewport({ width, height });
  const [problems, requests] = [[], []];
  // What Firefox says by itself, of scripts, policies and sockets, comes as an error of the page.
  page.on("pageerror", (error) => problems.push(`error: ${error.message}`));
  page.on("console", (message) => message.type() === "error" && problems.push(`console: ${message.text()}`));
  page.on("dialog", (dialog) => {
    problems.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("request", (request) => requests.push(request.url()));
  await page.evaluateOnNewDocument(witness);
  return { page, context, problems, requests };
}

/**
 * Runs in every document before its own scripts, and in the chat's notes what a customer could see from the first
 * moment on: `own`, every state of every message with its time and whether the chat said that there was a `line` then,
 * and `wrong`, what must never be seen.
 */
function witness() {
  if (location.pathname !== "/chat/") return;
  const seen = { own: [], wrong: [] };
  window.seen = seen;
  const shown = new Map();
  const look = () => {
    const field = document.querySelector("textarea.composer-field");
    if (field && !field.disabled && !document.querySelector("[role=note]")) seen.wrong.push("something can be typed before it is said who answers");
    const line = document.querySelector(".banner:not([hidden])") === null;
    const texts = new Set();
    for (const node of document.querySelectorAll(".message.own")) {
      const [text, state] = [".bubble", ".sending"].map((part) => node.querySelector(part).textContent);
      if (texts.has(text)) seen.wrong.push(`twice in the log: ${text}`);
      texts.add(text);
      if (shown.get(text) === `${line} ${state}`) continue;
      shown.set(text, `${line} ${state}`);
      seen.own.push({ at: Date.now(), text, state, line });
    }
    for (const text of shown.keys()) {
      if (texts.has(text)) continue;
      shown.delete(text);
      seen.own.push({ at: Date.now(), text, state: "gone", line });
    }
  };
  new MutationObserver(look).observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
}

/** The widget's words in a language, from its own file. */
export async function wordsOf(language) {
  const source = await readFile(join(ROOT, "widget/texts", `${language}.js`), "utf8");
  return (await import(`data:text/javascript,${encodeURIComponent(source)}`)).default;
}

/** The chat on a page; `words` are those of the page's language. */
export class FirefoxChat {
  constructor(page, words) {
    this.page = page;
    this.words = words;
  }

  /** The button on the page, by the name that Firefox computes for it. */
  launcher() {
    return this.page.waitForSelector(`candor-chat >>> ::-p-aria([name="${this.words.openChat}"][role="button"])`);
  }

  /** The chat's own document, once it is loaded; a frame that has just been made has no address yet. */
  frame() {
    return until(() => this.#frame(), "the chat's frame");
  }

  #frame() {
    return this.page.frames().find((one) => /^\w+:\/\/[^/]+\/chat\//.test(one.url()));
  }

  /** A part of the chat by its role and name. */
  async part(role, name) {
    return (await this.frame()).waitForSelector(`::-p-aria([name="${name}"][role="${role}"])`);
  }

  async press(role, name) {
    await (await this.part(role, name)).click();
  }

  /** Presses Tab, or Shift and Tab, until what has the focus is called `name`; never beyond the page's end, where keys get lost. */
  async reach(name, { back = false } = {}) {
    const { keyboard } = this.page;
    const passed = [];
    if (back) await keyboard.down("Shift");
    for (let presses = 0; passed.at(-1) !== name; presses += 1) {
      assert.ok(presses < 20, `Tab never reaches "${name}": ${passed.join(", ")}`);
      if (presses > 0) await keyboard.press("Tab");
      passed.push(await focused(this.page));
    }
    if (back) await keyboard.up("Shift");
  }

  /** Opens it with a click and waits until something can be typed. */
  async open() {
    await (await this.launcher()).click();
    await this.shows("it can be typed into", (now) => now.disclosure && now.ready);
  }

  /** What is to be seen in it now; null while it is loaded. */
  async now() {
    return this.#frame()?.evaluate(read).catch(() => null) ?? null;
  }

  /** Waits until `holds(now)`; gives what is to be seen then. */
  async shows(what, holds) {
    let last = null;
    const seen = async () => {
      last = await this.now();
      return last && holds(last) && last;
    };
    return until(seen, what).catch(({ message }) => assert.fail(`${message}; to be seen was ${JSON.stringify(last)}`));
  }

  /** Writes without keys, which only the window in front gets. */
  async type(text, { send = false } = {}) {
    const write = (words, enter) => {
      const field = document.querySelector("textarea.composer-field");
      field.value = words;
      field.dispatchEvent(new Event("input", { bubbles: true }));
      if (enter) field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true }));
    };
    await (await this.frame()).evaluate(write, text, send);
  }

  /** Writes and sends; resolves when it is in the log. */
  async say(text) {
    await this.type(text, { send: true });
    return this.shows(`"${text}" is in the log`, (now) => now.own.some((message) => message.text === text));
  }

  /** The state that the customer's message `text` is shown in. */
  async stateOf(text) {
    return (await this.now())?.own.find((message) => message.text === text)?.state;
  }

  /** Resolves when the customer's newest message is shown as stored. */
  stored() {
    return this.shows("the newest message is stored", (now) => now.own.at(-1)?.state === this.words.sent);
  }

  /** Where the last node of each selector lies in the chat: the middle between its sides. */
  async middles(...selectors) {
    return (await this.frame()).evaluate((given) => given.map((selector) => {
      const { left, right } = Array.from(document.querySelectorAll(selector)).at(-1).getBoundingClientRect();
      return (left + right) / 2;
    }), selectors);
  }

  /** Presses "Try now" until the chat is back: its own pauses grow with every failure. */
  comeBack() {
    return until(async () => {
      const now = await this.now();
      if (now?.banner) await (await this.frame()).evaluate(() => document.querySelector(".try").click());
      return now && !now.banner && (now.ready || now.foot !== "composer");
    }, "the chat is back");
  }

  async conversation() {
    return (await this.frame()).evaluate(() => JSON.parse(sessionStorage.getItem("candor:chat:default")).conversation);
  }

  /** What `witness` has noted since the chat was loaded. */
  async witnessed() {
    return (await this.frame()).evaluate(() => window.seen);
  }
}

/** Runs in the chat. */
function read() {
  const text = (node) => node.innerText.replace(/\s+/g, " ").trim();
  const all = (selector) => Array.from(document.querySelectorAll(selector));
  const visible = (selector) => all(selector).filter((node) => node.checkVisibility()).map(text).join(" ");
  return {
    direction: getComputedStyle(document.querySelector("[role=dialog]")).direction,
    disclosure: visible("[role=note]"),
    ready: document.querySelector("textarea.composer-field")?.disabled === false,
    draft: document.querySelector("textarea.composer-field")?.value ?? "",
    own: all(".message.own").map((node) => ({ text: text(node.querySelector(".bubble")), state: text(node.querySelector(".sending")) })),
    answers: all(".message.bot:not(.typing) .bubble").map(text),
    people: all(".message.agent:not(.typing) .bubble").map(text),
    notes: all(".system").map(text),
    who: visible(".who"),
    strip: visible(".strip-text"),
    banner: visible(".banner"),
    foot: document.querySelector(".foot")?.dataset.foot ?? "",
  };
}

/** A manager who answers through the desk's socket, from the console's own page. */
export class FirefoxDesk {
  static async begin(browser, server) {
    const desk = new FirefoxDesk();
    desk.tab = await openTab(browser);
    const { page } = desk.tab;
    await page.goto(`${server.origin}/chat/`);
    const token = new URL(server.setupLink.replace("/#/", "/")).searchParams.get("token");
    const made = await page.evaluate(async (person) => {
      const answer = await fetch("/v1/setup", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(person) });
      return answer.status;
    }, { token, ...MANAGER });
    assert.equal(made, 200);
    await page.goto(`${server.origin}/desk/`);
    await page.waitForSelector('::-p-aria([name="Conversations"][role="navigation"])');
    await page.evaluate(takeSeat);
    return desk;
  }

  /** Does something at the desk; resolves when it is stored. */
  async does(type, conversation, more = {}) {
    const answer = await this.tab.page.evaluate((frame) => window.desk(frame), { type, conversation, ...more });
    assert.equal(answer.type, "ack", JSON.stringify(answer));
  }

  says(conversation, text) {
    return this.does("say", conversation, { text });
  }

  /** Every event of a conversation as staff see it. */
  async events(conversation) {
    const log = await this.tab.page.evaluate(async (id) => (await fetch(`/v1/transcripts/${id}`)).json(), conversation);
    return log.events;
  }
}

/** Runs in the console: a socket of its own, and `desk(frame)`, which resolves with the answer to it. */
function takeSeat() {
  return new Promise((resolve, reject) => {
    const waiting = new Map();
    const socket = new WebSocket(`${location.origin.replace("http", "ws")}/v1/desk`, "candor.desk.v1");
    const send = (frame) => socket.send(JSON.stringify(frame));
    socket.onopen = () => send({ type: "hello" });
    socket.onclose = reject;
    socket.onmessage = ({ data }) => {
      const frame = JSON.parse(data);
      if (frame.type === "snapshot") resolve();
      if (frame.type === "ack" || frame.type === "error") waiting.get(frame.id)?.(frame);
    };
    setInterval(() => send({ type: "ping" }), 20_000);
    window.desk = (frame) => new Promise((answered) => {
      const id = crypto.randomUUID();
      waiting.set(id, answered);
      send({ ...frame, id });
    });
  });
}
