// What a site and its customers may rely on: nothing before the chat is opened, nothing lost on a
// bad line, no mouse needed, no host page that breaks it.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { assertClean, eventsOf, launch, openPage, until } from "./helpers/browser.mjs";
import { Chat, Console, becomeManager, chatFrame, focused, transcript } from "./helpers/faces.mjs";
import { Line, servePages } from "./helpers/network.mjs";
import { Server, freePort } from "./helpers/server.mjs";

let browser;
before(async () => { browser = await launch(); });
after(() => browser?.close());

describe("on a site of somebody else", () => {
  let server;
  let site;
  const pages = {};

  before(async () => {
    const port = await freePort();
    server = await Server.begin({ flags: ["--allow-origin", `http://127.0.0.1:${port}`] });
    const tag = `<script src="${server.origin}/widget.js" data-site="default" async></script>`;
    const page = (style) => `<!doctype html><html lang="en-GB"><head><title>A shop</title><link rel="icon" href="data:,"><style>${style}</style></head>
      <body><h1>A shop</h1><p><a href="#first">The first link</a></p><p>Words of the page.</p>${tag}</body></html>`;
    pages["/plain"] = page("");
    pages["/hostile"] = page(HOSTILE);
    site = await servePages(port, pages);
  });

  after(async () => {
    site?.close();
    await server?.stop();
  });

  test("before the chat is opened there is a launcher and nothing else", async () => {
    const visit = await openPage(browser);
    const chat = new Chat(visit.page);
    await visit.page.goto(`${site.origin}/plain`);
    await chat.launcher.waitFor();
    await visit.page.waitForLoadState("networkidle");
    const names = visit.requests.filter((url) => url.startsWith(server.origin)).map((url) => new URL(url).pathname.split("/").at(-1));
    assert.deepEqual(names, ["widget.js"], "nothing but the loader is fetched");
    assert.equal(visit.sockets.length, 0, "a socket before the customer asked for one");
    assert.deepEqual(await stored(visit), NOTHING);

    await chat.open();
    assert.equal(visit.sockets.length, 1);
    assert.deepEqual(await stored(visit), NOTHING, "reading the disclosure stores nothing");
    await chat.ask("Hello");
    const now = await stored(visit);
    assert.deepEqual({ ...now, session: [] }, NOTHING, "a conversation is kept for this tab only");
    assert.deepEqual(now.session, ["candor:default", "candor:chat:default"]);
    assert.equal(await visit.page.evaluate(() => sessionStorage.getItem("candor:default")), "open", "the page has one word");
    assertClean(visit);
    await visit.context.close();
  });

  test("the page's own CSS changes nothing inside", async () => {
    const looks = [];
    for (const path of ["/plain", "/hostile"]) {
      const visit = await openPage(browser);
      const chat = new Chat(visit.page);
      await visit.page.goto(`${site.origin}${path}`);
      // A page that hides its own body text must not hide the chat.
      await chat.open();
      await chat.ask("Hello");
      await chat.stored();
      looks.push(await look(visit.page));
      await chat.panel.getByRole("button", { name: "Close chat" }).click();
      await chat.launcher.waitFor();
      assertClean(visit);
      await visit.context.close();
    }
    assert.ok(Object.keys(looks[0]).length >= 8, "the parts that are compared exist");
    assert.deepEqual(looks[1], looks[0]);
  });

  test("a keyboard is enough: open, type, send, ask for a person, close", async () => {
    const visit = await openPage(browser);
    const { page } = visit;
    const chat = new Chat(page);
    await page.goto(`${site.origin}/plain`);
    await chat.launcher.waitFor();
    const pressUntil = async (key, wanted) => {
      for (let presses = 0; presses < 20; presses += 1) {
        if ((await focused(page)) === wanted) return;
        await page.keyboard.press(key);
      }
      assert.fail(`${key} never reaches "${wanted}"; it ended on "${await focused(page)}"`);
    };
    await pressUntil("Tab", "Open chat");
    await page.keyboard.press("Enter");
    await until(async () => (await focused(page)) === "Write a message", "the field has the focus");
    await page.keyboard.type("Do you wrap presents?");
    await page.keyboard.press("Shift+Enter");
    await page.keyboard.type("It is for a birthday.");
    await page.keyboard.press("Enter");
    await chat.own.filter({ hasText: "It is for a birthday." }).waitFor();
    assert.equal(await chat.own.count(), 1, "Shift and Enter is a new line, not a message");
    await until(async () => (await chat.answers.count()) >= 2, "the bot's answer");
    assert.equal(await focused(page), "Write a message", "sending keeps the focus");
    await pressUntil("Shift+Tab", "Talk to a person");
    await page.keyboard.press("Enter");
    await chat.panel.getByText(/Nobody is here right now|in line|Waiting for a person/).first().waitFor();
    assert.notEqual(await focused(page), "", "the focus is not lost when the button goes");
    await page.keyboard.press("Escape");
    await chat.launcher.waitFor();
    await until(async () => /^Open chat/.test(await focused(page)), "the focus is back on the launcher");
    assertClean(visit);
    await visit.context.close();
  });
});

describe("on a bad line", () => {
  test("a server that dies and comes back costs no message and repeats none", async () => {
    const server = await Server.begin();
    const [customer, manager] = await Promise.all([openPage(browser), openPage(browser)]);
    try {
      await becomeManager(manager.context, server);
      const chat = new Chat(customer.page);
      await customer.page.goto(`${server.origin}/demo/`);
      await chat.open();
      await chat.ask("Hello");
      await server.crash();
      await chat.panel.getByText(/Reconnecting/).waitFor();
      await chat.say("What does gift wrapping cost?");
      await chat.own.last().getByText("Waits for the connection").waitFor();
      const answers = await chat.answers.count();
      await server.start();
      await tryNow(chat);
      await chat.stored();
      await until(async () => (await chat.answers.count()) === answers + 1, "the answer to the message that waited");
      assert.match(await chat.lastAnswer(), /£4/);
      await chat.panel.getByText(/Reconnecting/).waitFor({ state: "hidden" });
      assertOnceInOrder(customer);
      const { conversation } = customer.sockets.flatMap((socket) => socket.received).find((frame) => frame.type === "welcome");
      const { events } = await transcript(manager.context, server, conversation);
      const wraps = events.filter((event) => event.text === "What does gift wrapping cost?");
      assert.equal(wraps.length, 1, "the message is stored once");
      assert.equal(await chat.own.count(), 2);
    } finally {
      await Promise.all([customer.context.close(), manager.context.close()]);
      await server.stop();
    }
  });

  test("what an agent says while the customer is cut off arrives once; what the customer says too", async () => {
    const [port, linePort] = [await freePort(), await freePort()];
    const line = new Line(linePort, port);
    const server = await Server.begin({ port, flags: ["--public-url", line.origin] });
    const [customer, agent] = await Promise.all([openPage(browser), openPage(browser)]);
    try {
      await becomeManager(agent.context, server);
      const desk = new Console(agent.page);
      await agent.page.goto(`${server.origin}/desk/`);
      await desk.queue.waitFor();
      const chat = new Chat(customer.page);
      await customer.page.goto(`${line.origin}/demo/`);
      await chat.open();
      await chat.personButton.click();
      await desk.rows("Waiting").first().getByRole("button").click();
      await desk.actions.getByRole("button", { name: "Claim" }).click();
      await chat.panel.getByText(/You are talking to .*, a person\./).waitFor();

      line.cut();
      await chat.panel.getByText(/Reconnecting/).waitFor();
      for (const words of ["Are you still there?", "I wait for you."]) {
        await agent.page.getByRole("textbox", { name: "Reply" }).fill(words);
        await agent.page.keyboard.press("Enter");
        await desk.messages.getByText(words).waitFor();
      }
      await chat.say("My train was in a tunnel.");
      await chat.own.last().getByText("Waits for the connection").waitFor();
      assert.equal(await chat.fromPeople.count(), 0);
      line.mend();
      await tryNow(chat);
      await chat.fromPeople.filter({ hasText: "I wait for you." }).waitFor();
      await chat.stored();
      await desk.messages.getByText("My train was in a tunnel.").waitFor();
      assert.equal(await chat.fromPeople.count(), 2);
      assert.equal(await desk.messages.getByText("My train was in a tunnel.").count(), 1);
      assertOnceInOrder(customer);

      await customer.page.reload();
      await chat.fromPeople.filter({ hasText: "I wait for you." }).waitFor();
      assert.equal(await chat.own.count(), 1, "a reload shows the same conversation");
    } finally {
      await Promise.all([customer.context.close(), agent.context.close()]);
      line.close();
      await server.stop();
    }
  });
});

const HOSTILE = `
  html { font-size: 40px; letter-spacing: 9px; word-spacing: 20px; }
  * { all: unset !important; font: italic 31px/3 cursive !important; color: lime !important; background: red !important;
      text-transform: uppercase !important; letter-spacing: 7px !important; margin: 33px !important; padding: 21px !important;
      display: inline !important; position: static !important; visibility: hidden !important; opacity: .2 !important;
      transform: rotate(9deg) !important; pointer-events: none !important; direction: rtl !important; z-index: -1 !important;
      width: 10px !important; height: 10px !important; overflow: hidden !important; clip-path: inset(50%) !important; filter: blur(4px) !important;
      zoom: 2 !important; cursor: none !important; user-select: none !important; text-align: right !important; white-space: pre !important; }
  body { visibility: visible !important; opacity: 1 !important; transform: none !important; clip-path: none !important; filter: none !important;
      zoom: 1 !important; pointer-events: auto !important; display: block !important; }
  html { visibility: visible !important; opacity: 1 !important; transform: none !important; clip-path: none !important; filter: none !important; zoom: 1 !important; pointer-events: auto !important; display: block !important; }
  button, textarea, div, section { display: none !important; }
`;

/** How the parts of the open chat look: what a host page could spoil. */
async function look(page) {
  const launcher = await page.evaluate(lookOf, { shadow: true, parts: { launcher: ".launcher", frame: "iframe" } });
  const parts = {
    panel: "[role=dialog]", title: "h2", notice: "[role=note]", person: ".human", field: "textarea",
    send: ".send", own: ".message.own .bubble", answer: ".message.bot .bubble", chip: ".chip",
  };
  return { ...launcher, ...(await (await chatFrame(page)).evaluate(lookOf, { shadow: false, parts })) };
}

function lookOf({ shadow, parts }) {
  const root = shadow ? document.querySelector("candor-chat").shadowRoot : document;
  const wanted = ["display", "position", "visibility", "opacity", "font-size", "font-family", "font-style", "line-height", "color",
    "background-color", "text-transform", "letter-spacing", "word-spacing", "direction", "text-align", "white-space", "cursor",
    "pointer-events", "transform", "filter", "clip-path", "margin", "padding", "zoom", "user-select"];
  return Object.fromEntries(Object.entries(parts).map(([name, selector]) => {
    const node = root.querySelector(selector);
    const style = getComputedStyle(node);
    const box = node.getBoundingClientRect();
    const values = Object.fromEntries(wanted.map((property) => [property, style.getPropertyValue(property)]));
    // Where it is, but not how tall: answers differ by the clock.
    return [name, { ...values, left: Math.round(box.left), width: Math.round(box.width) }];
  }));
}

const NOTHING = { cookies: [], local: [], session: [], databases: [], caches: [] };

/** All that a page and the chat in it keep in a browser, each in its own origin. */
async function stored({ page, context }) {
  const all = { cookies: (await context.cookies()).map(({ name }) => name), local: [], session: [], databases: [], caches: [] };
  for (const frame of page.frames()) {
    const kept = await frame.evaluate(async () => ({
      local: Object.keys(localStorage),
      session: Object.keys(sessionStorage),
      databases: (await indexedDB.databases()).map(({ name }) => name),
      // Only a secure page has caches at all.
      caches: globalThis.caches ? await caches.keys() : [],
    }));
    for (const [name, values] of Object.entries(kept)) all[name].push(...values);
  }
  return all;
}

/** Presses "Try now", unless the chat has come back by itself. */
async function tryNow(chat) {
  await chat.panel.getByRole("button", { name: "Try now" }).click({ timeout: 2_000 }).catch(() => {});
}

function assertOnceInOrder(seen) {
  const places = eventsOf(seen).map((event) => event.seq);
  assert.deepEqual(places, places.map((_, index) => index + 1), "every event once, in order");
}
