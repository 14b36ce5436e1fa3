// The chat in Firefox, from the launcher to the rating: on three widths, on a page that spoils everything, on lines
// that are slow, flap and die half, over a reload, in German and in Arabic. The page is on another site than candor, so
// that Firefox keeps their storages apart. Pictures in target/firefox/. What holds in every browser is tested in
// Chromium, in the files beside this one; this one must not repeat it, but drive what browsers do differently.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { until } from "./helpers/browser.mjs";
import { focused } from "./helpers/faces.mjs";
import { FirefoxChat, FirefoxDesk, launchFirefox, openTab, wordsOf } from "./helpers/firefox.mjs";
import { Line, servePages } from "./helpers/network.mjs";
import { ROOT, Server, freePort } from "./helpers/server.mjs";

const WIDTHS = [[320, 640], [390, 844], [1280, 800]];
const PICTURES = join(ROOT, "target/firefox");
const LATE = 150; // milliseconds in each direction, on the slow line
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const TROUBLES = [["up"], ["down"], ["up", "down"]]; // what a half-open line loses, one for each width

// A page that has undone every style, and spoilt what scripts usually rely on.
const UNSET = "* { all: unset !important; }";
const BROKEN = `
  for (const name of ["map", "filter", "forEach", "push", "concat", "slice", "includes", "find", "some", "sort", Symbol.iterator]) {
    Array.prototype[name] = function () { throw new Error("the page's own " + String(name)); };
  }
  Array.prototype.toJSON = Object.prototype.toJSON = function () { return "spoilt"; };
  JSON.stringify = JSON.parse = function () { throw new Error("the page's own JSON"); };
  Date.now = function () { return 0; };
  Object.freeze(Date);
  window.fetch = window.WebSocket = function () { throw new Error("not this page's"); };
`;

let browser;
let server;
let site; // of the host pages; on another site than the server, because localhost is not 127.0.0.1
let slow;
let lines;
let desk;
let english;

before(async () => {
  mkdirSync(PICTURES, { recursive: true });
  const [port, sitePort, ...linePorts] = await Promise.all([1, 2, 3, 4, 5].map(() => freePort()));
  slow = await slowly(port);
  lines = linePorts.map((linePort) => new Line(linePort, slow.port));
  const host = `http://localhost:${sitePort}`;
  const flags = [host, ...lines.map(({ origin }) => origin)].flatMap((origin) => ["--allow-origin", origin]);
  [server, browser, english] = await Promise.all([Server.begin({ port, flags }), launchFirefox(), wordsOf("en")]);
  const page = (lang, from, head = "") => `<!doctype html><html lang="${lang}"><head><title>A shop</title><meta name="viewport" content="width=device-width">
    <link rel="icon" href="data:,">${head}</head><body><h1>A shop</h1><p><a href="#first">The first link</a></p><script src="${from}/widget.js" async></script></body></html>`;
  // The policy of docs/embedding.md, and nothing else. It stands after what the page itself does without asking it.
  const policy = ["script-src", "frame-src", "connect-src"].map((name) => `${name} ${server.origin}`).join("; ");
  const hostile = `<style>${UNSET}</style><script>${BROKEN}</script><meta http-equiv="content-security-policy" content="default-src 'none'; img-src data:; ${policy}">`;
  site = await servePages(sitePort, {
    "/en": page("en-GB", server.origin),
    "/de": page("de", server.origin),
    "/ar": page("ar", server.origin),
    "/hostile": page("en-GB", server.origin, hostile),
    ...Object.fromEntries(lines.map(({ origin }, number) => [`/line${number}`, page("en-GB", origin)])),
  });
  site.origin = host;
  desk = await FirefoxDesk.begin(browser, server);
});

after(async () => {
  await browser?.close();
  site?.close();
  for (const line of lines ?? []) line.close();
  slow?.close();
  await server?.stop();
});

/** A customer on a page of the site. */
async function visit(path, [width, height], words = english) {
  const tab = await openTab(browser, { width, height });
  await tab.page.goto(`${site.origin}${path}`);
  return { ...tab, width, chat: new FirefoxChat(tab.page, words) };
}

describe("from the launcher to the rating, by keyboard", () => {
  for (const [language, size] of [...WIDTHS.map((size) => ["en", size]), ["de", WIDTHS[0]], ["ar", WIDTHS[1]]]) {
    test(`${language} at ${size[0]} px`, async () => {
      const words = await wordsOf(language);
      const seen = await visit(`/${language}`, size, words);
      const { page, chat } = seen;
      const keep = async (what) => {
        await assertFits(seen, what);
        await page.screenshot({ path: join(PICTURES, `${language}-${size[0]}-${what}.png`) });
      };

      const { x } = await (await chat.launcher()).boundingBox();
      assert.equal(x < size[0] / 2, words.direction === "rtl", "it stands where a line of text ends");
      await pause(300); // for a request that nobody should make
      assert.deepEqual(asked(seen), ["widget.js"]);
      assert.deepEqual(await stored(seen), NOTHING);
      await keep("1-launcher");

      await chat.reach(words.openChat);
      await page.keyboard.press("Enter");
      const opened = await chat.shows("who answers", (now) => now.disclosure);
      assert.match(opened.disclosure, /AI assistant/);
      await until(async () => (await focused(page)) === words.placeholder, "the field has the focus");
      assert.deepEqual(await stored(seen), NOTHING, "reading stores nothing");
      assert.ok(asked(seen).includes("chat"), "what is asked for is seen here");
      assert.equal(opened.direction, words.direction);
      await keep("2-open");

      await page.keyboard.type("How much is delivery?");
      await page.keyboard.press("Enter");
      const answered = await chat.shows("the bot's answer", (now) => now.answers.length > 1);
      assert.match(answered.answers.at(-1), /£3\.95/);
      const [own, bot] = await chat.middles(".message.own", ".message.bot:not(.typing)");
      assert.equal(own > bot, words.direction === "ltr", "the customer's words stand opposite to the bot's");
      await chat.stored();
      assert.deepEqual({ ...(await stored(seen)), session: [] }, NOTHING, "a conversation is kept for this tab only");
      assert.deepEqual((await stored(seen)).session, ["candor:default", "candor:chat:default"]);
      await keep("3-answer");

      await chat.reach(words.talkToPerson, { back: true });
      await page.keyboard.press("Enter");
      await chat.shows("the place in the queue", (now) => now.strip.startsWith(words.nextInLine));
      assert.notEqual(await focused(page), "", "the focus is not lost when the button goes");
      await keep("4-waiting");

      const conversation = await chat.conversation();
      await desk.does("claim", conversation);
      await chat.shows("the person", (now) => now.who.endsWith(words.personSuffix) && now.strip.includes("Morgan Vale"));
      await desk.says(conversation, "Hello, I am Morgan. See https://shop.example/a-page-with-a-long-address-that-has-no-place-to-break-a-line");
      await chat.shows("the person's answer", (now) => now.people.length === 1);
      await chat.reach(words.placeholder);
      await page.keyboard.type("Thank you. That is all.");
      await page.keyboard.press("Enter");
      await chat.stored();
      await keep("5-person");

      await desk.does("close", conversation);
      await chat.shows("the question for the rating", (now) => now.foot === "rating");
      await chat.reach(words.scoreName.replace("{score}", 1).replace("{most}", 5).replace("{word}", words.scores[0]));
      for (let score = 1; score < 4; score += 1) await page.keyboard.press("ArrowDown");
      await keep("6-rating");
      await chat.reach(words.sendRating);
      await page.keyboard.press("Enter");
      await chat.shows("the thanks", (now) => now.foot === "closed");
      await keep("7-rated");
      assert.equal((await desk.events(conversation)).find(({ kind }) => kind === "rating")?.score, 4);

      await page.keyboard.press("Escape");
      await until(async () => (await focused(page)) === words.openChat, "the focus is back on the launcher");
      assert.deepEqual((await chat.witnessed()).wrong, []);
      assert.deepEqual(seen.problems, []);
      await seen.context.close();
    });
  }
});

describe("on a page that spoils everything, under the documented policy", () => {
  for (const size of WIDTHS) {
    test(`it opens, says and answers at ${size[0]} px`, async () => {
      const seen = await visit("/hostile", size);
      const { page, chat } = seen;
      assert.equal(await page.evaluate(() => Date.now()), 0, "the page is spoilt");
      const button = await (await chat.launcher()).boundingBox();
      assert.deepEqual([button.width, button.height], [56, 56]);
      await chat.open();
      const place = await (await page.$("candor-chat >>> iframe")).boundingBox();
      assert.equal(place.width, size[0] <= 480 ? size[0] : 380);
      await page.keyboard.type("How much is delivery?");
      await page.keyboard.press("Enter");
      const answered = await chat.shows("the bot's answer", (now) => now.answers.length > 1);
      assert.match(answered.answers.at(-1), /£3\.95/);
      await chat.stored();
      await page.screenshot({ path: join(PICTURES, `hostile-${size[0]}.png`) });
      assert.deepEqual(seen.problems, []);
      await seen.context.close();
    });
  }
});

describe("a reload in the middle", { concurrency: true }, () => {
  for (const [number, size] of WIDTHS.entries()) {
    test(`keeps what was said, what waits and what was typed at ${size[0]} px`, async () => {
      const line = lines[number];
      const seen = await visit(`/line${number}`, size);
      const { page, chat } = seen;
      await chat.open();
      const conversation = await withPerson(chat);
      await desk.says(conversation, "Hello, I am here.");
      await chat.say("Said before");
      await chat.stored();
      line.refuse("GET /v1/chat");
      try {
        await chat.shows("the line is gone", (now) => now.banner);
        await chat.say("Said in a tunnel");
        await chat.type("Only typed");
        await page.reload();
        // On a phone it would cover the page that was asked for.
        if (size[0] <= 480) await (await chat.launcher()).click();
        await chat.shows("what waits", (now) => now.own.at(-1)?.state === english.waitingToSend);
      } finally {
        line.mend();
      }
      await chat.comeBack();
      const now = await chat.stored();
      assert.deepEqual(now.own.map(({ text }) => text), ["Said before", "Said in a tunnel"]);
      assert.deepEqual(now.people, ["Hello, I am here."]);
      assert.equal(now.draft, "Only typed");
      assert.equal(await chat.conversation(), conversation);
      assert.deepEqual(texts(await desk.events(conversation), "customer"), ["Said before", "Said in a tunnel"]);
      await desk.does("close", conversation);
      await seen.context.close();
    });
  }
});

describe("on a line that is slow, flaps and dies half", () => {
  test("nothing is lost or doubled, and each message says at every moment what became of it", async () => {
    slow.delay = LATE;
    try {
      await Promise.all(WIDTHS.map((size, number) => trouble(number, size)));
    } finally {
      slow.delay = 0;
    }
  });

  async function trouble(number, size) {
    const line = lines[number];
    const seen = await visit(`/line${number}`, size);
    const { chat } = seen;
    await chat.open();
    const conversation = await withPerson(chat);
    const [said, replies] = [[], []];
    const say = (text) => chat.say(said[said.push(text) - 1]);
    const reply = (text) => desk.says(conversation, replies[replies.push(text) - 1]);

    // It goes with a message, or its answer, at different places of their way.
    for (let round = 0; round < 4; round += 1) {
      await say(`It flaps ${round}`);
      await pause(round * LATE);
      line.cut();
      await reply(`Heard ${round}`);
      await pause(300);
      line.mend();
      await pause(round * 200);
    }
    await chat.comeBack();
    await chat.stored();

    line.cut();
    await chat.shows("it is cut", (now) => now.banner);
    await say("Said without a line");
    assert.equal(await chat.stateOf("Said without a line"), english.waitingToSend);
    line.mend();
    await chat.comeBack();
    await chat.stored();

    // Nothing tells of it: the chat finds out by itself, and until then does not know.
    line.lose(...TROUBLES[number]);
    await say("Said into nothing");
    await reply("Are you there?");
    for (let second = 0; second < 4; second += 1) {
      assert.equal(await chat.stateOf("Said into nothing"), english.sending);
      await pause(1_000);
    }
    await chat.stored();
    await chat.shows("what was said meanwhile", (now) => now.people.at(-1) === "Are you there?");

    line.cut();
    await chat.shows("it is cut again", (now) => now.banner);
    await say("Said too late");
    await desk.does("close", conversation);
    line.mend();
    await chat.comeBack();
    const now = await chat.shows("it is told as not sent", ({ own }) => own.at(-1).state === english.failed);
    await seen.page.screenshot({ path: join(PICTURES, `en-${size[0]}-8-not-sent.png`) });
    assert.deepEqual(now.own.map(({ text }) => text), said);
    assert.deepEqual(now.people, replies);
    const events = await desk.events(conversation);
    assert.deepEqual(texts(events, "customer"), said.slice(0, -1));
    assert.deepEqual(texts(events, "agent"), replies);
    const { own, wrong } = await chat.witnessed();
    assert.deepEqual(wrong, []);
    assertTrue(own, events);

    // What was not sent is not lost either.
    await chat.press("button", english.skipRating);
    await chat.press("button", english.newConversation);
    await chat.shows("it is written down for the next one", ({ draft, ready }) => ready && draft === "Said too late");
    assert.deepEqual(seen.problems.filter((problem) => !/connection to the server|connection to .* was interrupted/.test(problem)), []);
    await seen.context.close();
  }
});

/** A person takes the customer's conversation; gives its id. */
async function withPerson(chat) {
  await chat.press("button", english.talkToPerson);
  await chat.shows("the queue", (now) => now.who === english.headerQueue);
  const conversation = await chat.conversation();
  await desk.does("claim", conversation);
  await chat.shows("the person", (now) => now.strip.includes("Morgan Vale"));
  return conversation;
}

/** The words that somebody said in a conversation. */
function texts(events, role) {
  return events.filter(({ kind, from }) => kind === "message" && from.role === role).map(({ text }) => text);
}

/** What a customer saw of each message was so at that moment: `own` as `witness` noted it, and the server's log. */
function assertTrue(own, events) {
  const { sending, waitingToSend, sent, failed } = english;
  const known = new Map(); // what each message was last shown as
  for (const { at, text, state, line } of own) {
    const told = `"${text}" shown as "${state}" after "${known.get(text)}"`;
    const stored = events.find((event) => event.text === text && event.from.role === "customer")?.at ?? Infinity;
    if (state === sending) assert.ok(line, `${told}, without a line`);
    else if (state === failed) assert.equal(stored, Infinity, `${told}, and it is stored`);
    else if (state !== waitingToSend) assert.ok([sent, ""].includes(state) && stored <= at, `${told}, stored ${stored - at} ms later`);
    const final = [sent, "", failed].includes(known.get(text));
    assert.ok(!final || [sent, ""].includes(state) === (known.get(text) !== failed), `${told}, which was final`);
    assert.ok(known.has(text) || [sending, waitingToSend].includes(state), `${told}: it was stored at once`);
    known.set(text, state);
  }
  assert.ok(known.size > 0, "messages were seen");
}

const NOTHING = { cookies: [], local: [], session: [], databases: [], caches: [] };

/** All that a page and the chat in it keep, each on its own site. */
async function stored({ page, context }) {
  const all = { ...NOTHING, cookies: (await context.cookies()).map(({ name }) => name) };
  for (const frame of page.frames()) {
    const kept = await frame.evaluate(async () => ({
      local: Object.keys(localStorage),
      session: Object.keys(sessionStorage),
      databases: (await indexedDB.databases()).map(({ name }) => name),
      caches: await caches.keys(),
    }));
    for (const [name, values] of Object.entries(kept)) all[name] = [...all[name], ...values];
  }
  return all;
}

/** The last parts of the addresses that were asked of the server. */
function asked({ requests }) {
  return requests.filter((url) => url.startsWith(server.origin)).map((url) => new URL(url).pathname.split("/").filter(Boolean).at(-1));
}

/** Nothing is wider than its place, on the page and in the chat. */
async function assertFits({ page, width }, what) {
  for (const frame of page.frames()) {
    const wide = await frame.evaluate(() => {
      const room = document.documentElement.clientWidth;
      const told = (node) => node.outerHTML.slice(0, 90);
      const scrolled = [document.documentElement, ...document.querySelectorAll(".panel, .log, .foot, .bubble, .strip, .header")].filter((node) => node.scrollWidth > node.clientWidth);
      const beyond = Array.from(document.querySelectorAll("body *")).filter((node) => {
        const { left, right } = node.getBoundingClientRect();
        return node.checkVisibility() && (left < 0 || right > room);
      });
      return [...scrolled, ...beyond].map(told);
    });
    assert.deepEqual(wide, [], `${what} at ${width} px`);
  }
}

/** A port that passes everything on to `target`; each piece comes `delay` milliseconds late. */
async function slowly(target) {
  const open = new Set();
  const relay = { delay: 0, close() { for (const socket of open) socket.destroy(); listener.close(); } };
  const listener = createServer((near) => {
    const far = connect(target, "127.0.0.1");
    for (const [one, other] of [[near, far], [far, near]]) {
      let due = 0; // nothing overtakes what came before it
      open.add(one);
      one.on("data", (data) => {
        due = Math.max(due, Date.now() + relay.delay);
        setTimeout(() => other.writable && other.write(data), due - Date.now());
      });
      one.on("error", () => other.destroy());
      one.on("close", () => {
        open.delete(one);
        setTimeout(() => other.destroy(), due - Date.now());
      });
    }
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  relay.port = listener.address().port;
  return relay;
}
