// What a site and its customers may rely on: nothing before the chat is opened, nothing lost on a
// bad line, no mouse needed, no host page that breaks it, no text that becomes markup.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { assertClean, eventsOf, launch, openPage, until } from "./helpers/browser.mjs";
import { Chat, Console, becomeManager, transcript } from "./helpers/faces.mjs";
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
    assert.equal(names[0], "widget.js");
    const launcher = ["widget.js", "define.js", "element.js", "accent.js", "dom.js", "memory.js", "style.js", "texts.js", "en.js"];
    assert.deepEqual(names.sort(), launcher.sort(), "only the loader and the launcher are fetched");
    assert.equal(visit.sockets.length, 0, "a socket before the customer asked for one");
    assert.deepEqual(await stored(visit), NOTHING);

    await chat.open();
    assert.equal(visit.sockets.length, 1);
    assert.deepEqual(await stored(visit), NOTHING, "reading the disclosure stores nothing");
    await chat.ask("Hello");
    const now = await stored(visit);
    assert.deepEqual({ ...now, session: [] }, NOTHING, "a conversation is kept for this tab only");
    assert.deepEqual(now.session, ["candor:default"]);
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

describe("hostile text", () => {
  test("markup typed by a customer is text in the widget, on the desk and in the transcript", async () => {
    const server = await Server.begin();
    const [customer, staff] = await Promise.all([openPage(browser), openPage(browser)]);
    try {
      await becomeManager(staff.context, server);
      const desk = new Console(staff.page);
      // Somebody is there, so the field stays when the bot gives up on such a customer.
      await staff.page.goto(`${server.origin}/desk/`);
      await desk.queue.waitFor();
      await watchForMarkup(staff.page);
      const chat = new Chat(customer.page);
      await customer.page.goto(`${server.origin}/demo/?${encodeURIComponent("<script>boom()</script>")}`);
      await watchForMarkup(customer.page);
      await chat.open();
      for (const payload of PAYLOADS) {
        await chat.say(payload);
        await chat.stored();
        await until(async () => (await chat.own.last().innerText()).includes(payload), `${payload} is shown as it was typed`);
      }
      await assertOnlyText(customer.page, "the widget");

      await desk.queue.getByRole("listitem").filter({ hasNotText: "Sample" }).first().getByRole("button").click();
      for (const payload of PAYLOADS) await desk.messages.getByText(payload, { exact: true }).waitFor();
      await assertOnlyText(staff.page, "the desk");

      await desk.go("Transcripts");
      await staff.page.getByRole("searchbox", { name: "Search the transcripts" }).fill("onerror");
      const row = staff.page.getByRole("listitem").filter({ has: staff.page.locator("mark", { hasText: "onerror" }) });
      await row.waitFor();
      await assertOnlyText(staff.page, "the list of transcripts");
      await row.getByRole("link").click();
      await staff.page.getByRole("button", { name: "Open every decision" }).click();
      for (const payload of PAYLOADS) await staff.page.getByText(payload, { exact: true }).first().waitFor();
      await assertOnlyText(staff.page, "the transcript");
      assertClean(customer, staff);
    } finally {
      await Promise.all([customer.context.close(), staff.context.close()]);
      await server.stop();
    }
  });
});

// Each is one line, because a line is what innerText gives back unchanged.
const PAYLOADS = [
  "<script>boom()</script>",
  "<img src=x onerror=boom()>",
  "<svg/onload=boom()>",
  `"><iframe srcdoc="<script>parent.boom()</script>"></iframe>`,
  "<a href=\"javascript:boom()\">my order</a>",
  "[my order](javascript:boom())",
  "[my order](data:text/html,<script>boom()</script>)",
  "**bold** [click](https://evil.example/?<script>boom()</script>)",
  "<style>*{display:none}</style>",
  "&lt;img src=x onerror=boom()&gt; &#60;b&#62;",
  "{{constructor.constructor('boom()')()}} ${boom()}",
  "</textarea></template><details open ontoggle=boom()>",
];

/** From now on, `boom()` and every new element of a kind that text must not make is counted. */
async function watchForMarkup(page) {
  await page.evaluate(() => {
    window.executed = 0;
    window.boom = () => { window.executed += 1; };
  });
}

async function assertOnlyText(page, where) {
  const found = await page.evaluate(() => {
    const roots = [document.body, ...[...document.querySelectorAll("*")].flatMap((node) => node.shadowRoot ?? [])];
    const all = roots.flatMap((root) => [...root.querySelectorAll("*")]);
    // Those of the page itself have an address of the server or belong to its own drawing.
    const made = all.filter((node) => {
      const name = node.localName;
      if (["iframe", "object", "embed", "style", "base", "form[action]"].includes(name)) return true;
      if (name === "script") return !node.src.startsWith(location.origin);
      if (name === "img") return !node.src.startsWith(location.origin);
      if (name === "a") return !["http:", "https:", "mailto:"].includes(new URL(node.href, location.href).protocol);
      return false;
    });
    const handlers = all.filter((node) => [...node.attributes].some((attribute) => attribute.name.startsWith("on")));
    return { executed: window.executed, made: [...made, ...handlers].map((node) => node.outerHTML.slice(0, 120)) };
  });
  assert.deepEqual(found, { executed: 0, made: [] }, where);
}

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
  return page.evaluate(() => {
    const root = document.querySelector("candor-chat").shadowRoot;
    const parts = {
      launcher: ".launcher", panel: "[role=dialog]", title: "h2", notice: "[role=note]", person: ".human", field: "textarea",
      send: ".send", own: ".message.own .bubble", answer: ".message.bot .bubble", chip: ".chip",
    };
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
  });
}

const NOTHING = { cookies: [], local: [], session: [], databases: [], caches: [] };

/** All that a page may keep in a browser, for the page's origin and the server's. */
async function stored({ page, context }) {
  const kept = await page.evaluate(async () => ({
    local: Object.keys(localStorage),
    session: Object.keys(sessionStorage),
    databases: (await indexedDB.databases()).map(({ name }) => name),
    // Only a secure page has caches at all.
    caches: globalThis.caches ? await caches.keys() : [],
  }));
  return { cookies: (await context.cookies()).map(({ name }) => name), ...kept };
}

/** The accessible name of what has the focus, also inside the widget; "" on the page itself. */
function focused(page) {
  return page.evaluate(() => {
    let node = document.activeElement;
    while (node?.shadowRoot?.activeElement) node = node.shadowRoot.activeElement;
    if (!node || node === document.body) return "";
    return node.getAttribute("aria-label") ?? node.labels?.[0]?.textContent ?? (node.textContent.trim() || node.localName);
  });
}

/** Presses "Try now", unless the chat has come back by itself. */
async function tryNow(chat) {
  await chat.panel.getByRole("button", { name: "Try now" }).click({ timeout: 2_000 }).catch(() => {});
}

function assertOnceInOrder(seen) {
  const places = eventsOf(seen).map((event) => event.seq);
  assert.deepEqual(places, places.map((_, index) => index + 1), "every event once, in order");
}
