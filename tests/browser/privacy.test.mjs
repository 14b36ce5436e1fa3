// Everything that leaves the customer's browser and everything that stays in it, against docs/embedding.md and
// docs/proactive.md: nothing before the chat is opened, no word before it is sent, no trace after signing out.
import assert from "node:assert/strict";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { assertClean, launch, openPage, until } from "./helpers/browser.mjs";
import { LEAKS, Wire, keepEverything, kept, traces, watchBeyond } from "./helpers/capture.mjs";
import { Chat, Console, becomeManager } from "./helpers/faces.mjs";
import { servePages } from "./helpers/network.mjs";
import { ROOT, Server, freePort, identityToken } from "./helpers/server.mjs";

// No four characters of these are anything else's by chance; no number is as long as the first.
const SECRET = Array.from({ length: 19 }, (_, at) => `${"Xq~Zv|Kj^Wy"[at % 11]}#${String.fromCharCode(97 + at)}${"~^|"[at % 3]}Q ${"mnzx"[at % 4]}`).join("").slice(0, 113);
const QUERY = "Jq~4Zx^7Wk|2Vy";
const IDENTITY_SECRET = "thirty-two bytes at the very least";
const HOUR = 3_600_000;
const BEAT = 5_000; // milliseconds; a person is told no more often that something is being written

// Every frame that a customer's browser may send, and what may be in it (docs/protocol.md).
const FRAMES = {
  feedback: ["id", "seq", "helpful"],
  hello: ["site", "token", "conversation", "after", "epoch", "locale", "page", "identity", "fresh", "invitation"],
  human: ["id"],
  leave: ["id", "text", "email"],
  ping: ["seq"],
  rate: ["id", "kind", "score", "comment"],
  read: ["seq"],
  say: ["id", "text"],
  typing: [],
};

const TRIGGERS = `
per_day = 2
[[trigger]]
name = "returns_help"
text = "Looking for something about delivery or returns?"
say = "How do I return something?"
priority = 50
hold_out = 0.0
cap = { times = 1, days = 7 }
when = { page = ["/returns"], seconds = 2 }
`;

let browser;
let server;
let site;
let elsewhere; // the same pages by a name of another site, whose frames may keep nothing in this browser
let folder; // of prompts
let staff;
let desk;
const sent = new Set(); // types of frames, in all tests
const wires = [];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "candor-prompts-"));
  await cp(join(ROOT, "prompts"), folder, { recursive: true });
  await writeFile(join(folder, "triggers.toml"), TRIGGERS);
  const port = await freePort();
  const origins = [`http://127.0.0.1:${port}`, `http://localhost:${port}`];
  const flags = ["--models", "/nonexistent", "--prompts", folder, "--identity-secret", IDENTITY_SECRET, ...origins.flatMap((origin) => ["--allow-origin", origin])];
  [server, browser] = await Promise.all([Server.begin({ flags }), launch()]);
  const page = `<!doctype html><html lang="en-GB"><head><title>A shop</title><link rel="icon" href="data:,"></head><body style="height:5000px"><h1>A shop</h1>
    <p><label>Search <input></label></p><script src="${server.origin}/widget.js" async></script></body></html>`;
  site = await servePages(port, { "/": page, "/other": page, "/returns": page });
  elsewhere = { origin: origins[1] };
  staff = await openPage(browser);
  await becomeManager(staff.context, server);
  desk = new Console(staff.page);
  await staff.page.goto(`${server.origin}/desk/`);
  await desk.queue.waitFor();
});

after(async () => {
  site?.close();
  await browser?.close();
  for (const wire of wires) wire.close();
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** A visit whose every byte is seen, with a clock of its own, which the test can move on. */
async function visit(path, { of = site, prepare = () => {} } = {}) {
  const wire = await Wire.begin();
  wires.push(wire);
  const seen = await openPage(browser, { proxy: wire.proxy });
  await seen.context.clock.install();
  await seen.page.addInitScript(watchBeyond);
  await seen.page.addInitScript(prepare);
  await seen.page.goto(`${of.origin}${path}`);
  const chat = new Chat(seen.page);
  await chat.launcher.waitFor();
  return { ...seen, wire, chat, origin: of.origin, clock: seen.context.clock };
}

/** What holds of every visit, looked at when it ends. */
async function end(seen) {
  const { page, context, wire, origin } = seen;
  for (const frame of page.frames()) assert.deepEqual(await frame.evaluate(() => window.beyond), []);
  for (const { frame, control } of wire.frames) {
    if (control) continue;
    const { type, ...rest } = frame;
    assert.deepEqual(Object.keys(rest).filter((name) => !FRAMES[type]?.includes(name)), [], `a frame of the type ${type}`);
    if (type === "hello") assert.ok([`${origin}/`, `${origin}/other`, `${origin}/returns`].includes(rest.page), `where the customer is: ${rest.page}`);
    sent.add(type);
  }
  for (const { url, headers, answer } of wire.requests) {
    const { cookie, authorization, referer } = headers;
    assert.equal(cookie ?? authorization ?? answer?.["set-cookie"], undefined, `who asks for ${url}`);
    if (referer && url.startsWith(server.origin)) assert.ok(referer === `${origin}/` || referer.startsWith(`${server.origin}/`), referer);
  }
  assert.deepEqual(wire.requests.map(({ url }) => new URL(url).origin).filter((one) => one !== origin && one !== server.origin), [], "nobody else is asked for anything");
  const told = [wire.requests.filter(({ url }) => url.startsWith(server.origin)), wire.frames];
  assert.deepEqual(traces(QUERY, [JSON.stringify(told)]), [], "what the page's address asks for is the shop's alone");
  assertClean(seen);
  await context.close();
}

/** Requests in short. An icon is asked for by the page in which Playwright looks at what is kept. */
const asked = (requests) => requests.filter(({ url }) => !url.endsWith("/favicon.ico"))
  .map(({ method, url }) => `${method} ${url.replace(server.origin, "candor").replace(/^http:\/\/[^/]+/, "shop").replace(/assets\/\w+/, "assets")}`);
const loadedOn = (path) => [`GET shop${path}`, "GET candor/widget.js"];

/** Types `text` with a rhythm: `pauses` in milliseconds of the page's clock, again and again. */
async function typeUnevenly({ page, clock }, text, pauses = [40, 310, 95, 720, 60, 180]) {
  for (const [at, character] of [...text].entries()) {
    await page.keyboard.type(character);
    await clock.runFor(pauses[at % pauses.length]);
  }
}

/** Seconds of the page's clock pass until it invites; gives the note. */
async function invited({ page, clock }) {
  const note = page.getByRole("group", { name: "Invitation to chat" });
  await until(async () => {
    await clock.runFor(1_000);
    return note.isVisible();
  }, "the invitation");
  return note;
}

/** Time of the page's clock passes, in which the server answers so many pings. */
async function letPass({ clock, sockets }, pings) {
  const pongs = () => sockets.flatMap(({ received }) => received).filter(({ type }) => type === "pong").length;
  const before = pongs();
  await until(async () => {
    await clock.runFor(5_000);
    return pongs() >= before + pings;
  }, "answers to pings");
}

/** Under which names something of `secret` is kept. */
async function keepers(seen, secret) {
  return (await kept(seen)).filter((line) => traces(secret, [line]).length > 0).map((line) => line.split("=")[0]);
}

describe("the capture itself", () => {
  test("it finds what is sent by any means, in any writing, and whatever is kept", async () => {
    const seen = await visit("/");
    const { page, wire } = seen;
    for (const [name, leak] of Object.entries(LEAKS)) {
      const mark = wire.mark();
      await page.evaluate(leak, QUERY);
      await until(() => traces(QUERY, mark.texts()).length > 0, `the leak by ${name} is found`, 5_000);
    }
    assert.deepEqual(await page.evaluate(() => window.beyond), ["Worker"]);

    const wanted = await page.evaluate(keepEverything);
    const all = (await kept(seen)).join("\n");
    assert.deepEqual(wanted.filter((one) => !all.includes(one)), []);
    await seen.context.close();
  });
});

describe("before the chat is opened", { concurrency: true }, () => {
  test("the loader is all that is fetched, and nothing is kept, whatever the visitor does on the page", async () => {
    const seen = await visit(`/?order=${QUERY}#part`);
    const { page, wire, chat, clock } = seen;
    await chat.launcher.hover();
    await page.mouse.move(300, 300);
    await chat.launcher.focus();
    await page.mouse.wheel(0, 3_000);
    await page.getByLabel("Search").click();
    await typeUnevenly(seen, SECRET.slice(0, 20));
    await page.keyboard.press("Enter");
    await page.evaluate(() => {
      history.pushState(null, "", "/other?page=2");
      location.hash = "reviews";
      history.back();
      candor.track("cart", { value: 95 });
    });
    await clock.fastForward(HOUR);
    await wire.quiet();
    assert.deepEqual(asked(wire.requests), loadedOn(`/?order=${QUERY}`));
    assert.deepEqual(wire.frames, []);
    assert.deepEqual(await kept(seen), []);

    const mark = wire.mark();
    await page.goto(`${site.origin}/other`);
    await chat.launcher.waitFor();
    await wire.quiet();
    // The loader may come from the browser's own cache.
    assert.deepEqual(asked(mark.requests()).filter((line) => line !== "GET candor/widget.js"), ["GET shop/other"], "leaving says nothing");
    assert.deepEqual(await kept(seen), []);
    await end(seen);
  });

  test("an invitation fetches what watches the page, tells its name once when it is due, and keeps nothing", async () => {
    const seen = await visit("/other");
    const { page, wire, clock } = seen;
    const mark = wire.mark();
    await page.evaluate((secret) => history.pushState(null, "", `/returns?${secret}`), QUERY);
    await until(() => asked(mark.requests()).some((line) => line.endsWith("/texts/en.js")), "what watches the page");
    await wire.quiet();
    assert.deepEqual(asked(mark.requests()).filter((line) => !/^GET candor\/assets\/widget\/[a-z/-]+\.js$/.test(line)), [], "scripts, and no word about who asks");
    const watching = mark.requests().length;

    const note = await invited(seen);
    await until(() => mark.requests().length > watching, "the count");
    await clock.fastForward(HOUR);
    await page.keyboard.press("Escape");
    await note.waitFor({ state: "detached" });
    await wire.quiet();
    const posts = mark.requests().slice(watching);
    assert.deepEqual(asked(posts), ["POST candor/v1/invitations"]);
    assert.deepEqual(JSON.parse(posts[0].body), { trigger: "returns_help", arm: "shown" });
    assert.equal(posts[0].headers.referer, `${site.origin}/`);
    assert.deepEqual(wire.frames, []);
    assert.deepEqual(await kept(seen), []);
    await end(seen);
  });

  test("who asks not to be tracked is invited, and nothing is told until it is accepted", async () => {
    const seen = await visit(`/returns?${QUERY}`, { prepare: () => Object.defineProperty(Navigator.prototype, "globalPrivacyControl", { get: () => true }) });
    const { page, wire, clock, chat } = seen;
    const note = await invited(seen);
    await clock.fastForward(HOUR);
    await wire.quiet();
    assert.ok(asked(wire.requests).every((line) => line.startsWith("GET ")), "it is not counted");
    assert.deepEqual(wire.frames, []);
    assert.deepEqual(await kept(seen), []);
    await note.getByRole("button", { name: "How do I return something?" }).click();
    await chat.stored();
    const [hello, ...rest] = wire.mark(0, 0).frames();
    assert.deepEqual(hello, { type: "hello", site: "default", locale: "en-GB", page: `${site.origin}/returns` });
    assert.deepEqual(rest.filter(({ type }) => type === "say").map(({ text }) => text), ["How do I return something?"], "what the button said");
    await end(seen);
  });
});

describe("what is typed and not sent", { concurrency: true }, () => {
  for (const [name, where] of [["on a page of the same site", () => site], ["where the frame may keep nothing", () => elsewhere]]) {
    test(`nothing of it leaves or is kept, ${name}: typed, left standing, deleted, closed, left behind`, async () => {
      const seen = await visit(`/?order=${QUERY}`, { of: where() });
      const { page, wire, clock, chat } = seen;
      await chat.open();
      const mark = wire.mark();
      await clock.pauseAt(Date.now() + BEAT);
      await typeUnevenly(seen, SECRET.slice(0, 60));
      await page.keyboard.type(SECRET.slice(60));
      assert.equal(await chat.field.inputValue(), SECRET);
      await letPass(seen, 3);
      assert.deepEqual(await kept(seen), []);
      for (let deleted = 0; deleted < 10; deleted += 1) await page.keyboard.press("Backspace");
      await page.keyboard.press("Control+A");
      await page.keyboard.press("Delete");
      await page.keyboard.press("Escape");
      await chat.launcher.waitFor();
      await letPass(seen, 1);

      // Open again, and left for another page with the words still in the field.
      await chat.launcher.click();
      await chat.field.focus();
      await page.keyboard.type(SECRET);
      await page.evaluate(() => history.pushState(null, "", "/other"));
      await letPass(seen, 1);
      assert.deepEqual(await kept(seen), []);
      await page.goto(`${where().origin}/other`);
      await chat.launcher.waitFor();
      await wire.quiet();
      assert.deepEqual(await kept(seen), []);
      assert.deepEqual(traces(SECRET, mark.texts()), []);
      // How long it was is not told either.
      const numbers = mark.texts().flatMap((text) => text.match(/\b\d+\b/g) ?? []);
      assert.ok(!numbers.includes(String(SECRET.length)), "its length");
      const types = mark.frames().map(({ type }) => type);
      assert.deepEqual(types.filter((type) => !["hello", "ping", "read"].includes(type)), [], "the bot is not even told that something is written");
      // A socket may have come back, on a machine that is busy.
      assert.deepEqual(asked(mark.requests()).filter((line) => ![...loadedOn("/other"), "GET candor/v1/chat"].includes(line)), []);

      // The same words, sent: now they are seen, in one frame.
      await chat.open();
      await chat.say(SECRET);
      await until(() => mark.frames().some(({ type }) => type === "say"), "the message");
      const telling = mark.frames().filter((frame) => traces(SECRET, [JSON.stringify(frame)]).length > 0);
      assert.deepEqual(telling.map(({ text }) => text), [SECRET]);
      await end(seen);
    });
  }

  test("to a person goes one sign for many keys, without a word or a rhythm; a draft is kept in the frame alone", async () => {
    const seen = await visit("/", {
      prepare: () => {
        window.keys = [];
        window.signs = [];
        addEventListener("keydown", () => window.keys.push(performance.now()), true);
        const send = WebSocket.prototype.send;
        WebSocket.prototype.send = function (text) {
          if (text.includes('"typing"')) window.signs.push(performance.now());
          return send.call(this, text);
        };
      },
    });
    const { page, wire, clock, chat } = seen;
    await chat.open();
    await chat.personButton.click();
    await desk.rows("Waiting").first().getByRole("button").click();
    await desk.actions.getByRole("button", { name: "Claim" }).click();
    await chat.panel.getByText(/You are talking to .*, a person\./).waitFor();
    const frame = page.frames().find((one) => one.url().startsWith(server.origin));
    await clock.pauseAt(Date.now() + BEAT);
    await chat.field.focus();

    for (const [name, pauses, count] of [["in bursts", [40, 35, 50, 3_900, 45, 60, 1_800], 28], ["evenly", [330], 40], ["slowly", [6_700], 6]]) {
      const mark = wire.mark();
      const typed = SECRET.slice(0, count);
      await frame.evaluate(() => { window.keys = []; window.signs = []; });
      await typeUnevenly(seen, typed, pauses);
      const { keys, signs } = await frame.evaluate(() => ({ keys: window.keys, signs: window.signs }));
      await until(() => mark.frames().filter(({ type }) => type === "typing").length === signs.length, "all signs are on the wire");
      assert.ok(signs.length > 2 && signs.length <= (keys.at(-1) - keys[0]) / BEAT + 1, `${name}: ${signs.length} signs for ${keys.length} keys`);
      const gaps = signs.slice(1).map((at, index) => at - signs[index]);
      assert.ok(gaps.every((gap) => gap >= BEAT), `${name}: ${gaps}`);
      assert.deepEqual(mark.frames().filter(({ type }) => type === "typing").filter((one) => Object.keys(one).length > 1), []);
      assert.deepEqual(traces(SECRET, mark.texts()), []);
      assert.deepEqual(await keepers(seen, typed), [`${server.origin} session candor:chat:default`], "the draft");
      await page.keyboard.press("Control+A");
      await page.keyboard.press("Delete");
      assert.deepEqual(await keepers(seen, SECRET), [], "a deleted draft is gone");
      await clock.runFor(BEAT);
    }
    await clock.resume();
    await desk.actions.getByRole("button", { name: "Close", exact: true }).click();
    await chat.panel.getByRole("radio", { name: "4 of 5, Good" }).check();
    const mark = wire.mark();
    await chat.panel.getByRole("textbox", { name: /like to add/ }).fill(SECRET);
    assert.deepEqual(traces(SECRET, mark.texts()), []);
    assert.deepEqual(await keepers(seen, SECRET), [], "a comment is no draft");
    await chat.panel.getByRole("button", { name: "Send rating" }).click();
    await chat.panel.getByText("You rated this conversation 4 of 5: Good.").waitFor();
    await end(seen);
  });
});

describe("who leaves", () => {
  test("after signing out nothing is left on the device, and the next one is nobody's successor", async () => {
    const seen = await visit("/");
    const { page, context, wire, chat } = seen;
    const word = identityToken(IDENTITY_SECRET, { sub: "cust-7", name: "Ada Ng" });
    const signature = word.split(".")[2];
    await page.evaluate((token) => candor.identify(token), word);
    await chat.open();
    await chat.ask("Where is my order JT-1042?");
    await chat.panel.getByRole("button", { name: "Helpful", exact: true }).click();
    await staff.page.getByRole("radio", { name: "Away" }).click();
    await chat.personButton.click();
    await chat.panel.getByLabel("Your message").fill("Please write to me.");
    await chat.panel.getByLabel("Email (optional)").fill("ada@mail.example");
    await chat.panel.getByRole("button", { name: "Leave message" }).click();
    await chat.panel.getByText("Message left").waitFor();
    await chat.field.fill("A draft that is nobody else's");
    const held = await kept(seen);
    assert.deepEqual(held.map((line) => line.split("=")[0]), [`${server.origin} session candor:chat:default`, `${site.origin} session candor:default`].sort());
    assert.ok(held.includes(`${site.origin} session candor:default=open`), "the page has one word");
    const { token } = JSON.parse(held.find((line) => line.startsWith(server.origin)).split("default=")[1]);
    assert.ok(!held.join("\n").includes(signature), "who the customer is, is not written down");
    const telling = wire.frames.filter(({ text }) => text.includes(word)).map(({ frame }) => frame.type);
    assert.deepEqual(telling, ["hello"], "it goes over the socket, once");
    assert.ok(!JSON.stringify(wire.requests).includes(signature));

    await page.evaluate(() => candor.identify(null));
    await until(async () => (await kept(seen)).length === 0, "nothing is kept");
    assert.deepEqual([await chat.field.inputValue(), await chat.own.count()], ["", 0]);
    const mark = wire.mark();
    await page.reload();
    await chat.open();
    assert.deepEqual(mark.frames().filter(({ type }) => type === "hello"), [{ type: "hello", site: "default", locale: "en-GB", page: `${site.origin}/` }]);
    const next = await context.newPage();
    await next.goto(`${site.origin}/`);
    assert.deepEqual(await kept({ page: next, context }), []);
    for (const one of [token, signature]) assert.ok(one && !mark.texts().join("\n").includes(one), "who was here is not told");
    await end(seen);
  });

  test("these frames were sent, and no others", () => {
    assert.deepEqual([...sent].sort(), Object.keys(FRAMES).sort());
  });
});
