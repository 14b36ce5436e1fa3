// Invitations: when one comes, how it goes away for good, what accepting says, and what is neither
// stored nor asked for before one is due.
import assert from "node:assert/strict";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { assertClean, launch, openPage, pictures, until } from "./helpers/browser.mjs";
import { Chat, becomeManager, focused } from "./helpers/faces.mjs";
import { servePages } from "./helpers/network.mjs";
import { ROOT, Server, freePort } from "./helpers/server.mjs";

const TRIGGERS = `
per_day = 2
[[trigger]]
name = "returns_help"
text = "Looking for something about delivery or returns?"
say = "How do I return something?"
priority = 50
hold_out = 0.5
cap = { times = 1, days = 7 }
when = { page = ["/returns*"], seconds = 2 }
[[trigger]]
name = "basket"
text = "A question about size or delivery before you order?"
priority = 60
hold_out = 0.0
cap = { times = 1, days = 7 }
when = { page = ["/basket"], event = "cart", at_least = 50, idle_seconds = 2 }
[[trigger]]
name = "order_late"
text = "Your order is running late. Would you like to see the new date?"
say = "Where is order {number}?"
priority = 90
hold_out = 0.0
cap = { times = 1, days = 1 }
when = { page = ["/demo/"], event = "order", lookup = "order_status", answers = ["delayed"] }
`;

let browser;
before(async () => { browser = await launch(); });
after(() => browser?.close());

describe("invitations", () => {
  let server;
  let site;
  let folder;
  const take = pictures("pictures");

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "candor-prompts-"));
    await cp(join(ROOT, "prompts"), folder, { recursive: true });
    await writeFile(join(folder, "triggers.toml"), TRIGGERS);
    const port = await freePort();
    server = await Server.begin({ flags: ["--allow-origin", `http://127.0.0.1:${port}`, "--prompts", folder] });
    const page = (attributes) => `<!doctype html><html lang="en-GB"><head><meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark"><title>A shop</title><link rel="icon" href="data:,"></head>
      <body><h1>A shop</h1><p><a href="#first">The first link</a></p>
      <script>window.candor ??= { q: [], track(...event) { this.q.push(event); } };</script>
      <script src="${server.origin}/widget.js" data-site="default" ${attributes} async></script></body></html>`;
    site = await servePages(port, { "/returns": page(""), "/basket": page(""), "/other": page(""), "/returns-off": page("data-no-triggers") });
  });

  after(async () => {
    site?.close();
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** A visitor whose lot is known: 0 is held out where anything is, 1 never. */
  async function visit(path, { lot = 1, ...options } = {}) {
    const seen = await openPage(browser, options);
    await seen.page.addInitScript((value) => { Math.random = () => value; }, lot);
    await seen.page.goto(path.startsWith("http") ? path : `${site.origin}${path}`);
    await new Chat(seen.page).launcher.waitFor();
    return { ...seen, chat: new Chat(seen.page), note: seen.page.getByRole("group", { name: "Invitation to chat" }) };
  }

  const posts = ({ requests }) => requests.filter((url) => url.includes("/v1/invitations"));

  test("nothing is stored and nothing asked for before a trigger holds; then its name alone is sent", async () => {
    const seen = await visit("/returns");
    const bodies = [];
    seen.page.on("request", (request) => request.url().endsWith("/v1/invitations") && bodies.push({ body: request.postData(), headers: request.headers() }));
    await seen.page.waitForTimeout(1_000);
    assert.deepEqual(posts(seen), []);
    assert.deepEqual(await stored(seen), []);
    await seen.note.waitFor();
    assert.deepEqual(bodies.map(({ body }) => JSON.parse(body)), [{ trigger: "returns_help", arm: "shown" }]);
    assert.equal(bodies[0].headers.cookie, undefined);
    assert.deepEqual(await stored(seen), []);
    assert.equal(seen.sockets.length, 0);
    assert.equal(await seen.page.evaluate(() => document.activeElement === document.body), true, "it takes no focus");
    assertClean(seen);
    await seen.context.close();
  });

  test("other pages do not even load it, and a site can turn it off", async () => {
    for (const path of ["/other", "/returns-off"]) {
      const seen = await visit(path);
      await seen.page.waitForTimeout(3_000);
      assert.equal(await seen.note.count(), 0);
      assert.ok(!seen.requests.some((url) => url.includes("invitation")), path);
      assertClean(seen);
      await seen.context.close();
    }
  });

  test("a keyboard puts it away, once per page view, and for good only by choice", async () => {
    const seen = await visit("/returns");
    await seen.note.waitFor();
    await seen.page.keyboard.press("Escape");
    await seen.note.waitFor({ state: "detached" });
    await seen.page.waitForTimeout(2_500);
    assert.equal(await seen.note.count(), 0, "not again on this page view");
    assert.deepEqual(await stored(seen), [], "putting it away stores nothing");

    await seen.page.reload();
    await seen.note.waitFor();
    const names = [];
    for (let presses = 0; presses < 8 && names.at(-1) !== "Don’t show again"; presses += 1) {
      await seen.page.keyboard.press("Tab");
      names.push(await focused(seen.page));
    }
    assert.deepEqual(names.slice(-3), ["Close the invitation", "How do I return something?", "Don’t show again"]);
    await seen.page.keyboard.press("Enter");
    await seen.note.waitFor({ state: "detached" });
    assert.match(await focused(seen.page), /^Open chat/, "the focus is not lost");
    assert.deepEqual(await stored(seen), ["candor:default:no-invitations"]);
    await seen.page.reload();
    await seen.page.waitForTimeout(4_000);
    assert.equal(await seen.note.count(), 0);
    assertClean(seen);
    await seen.context.close();
  });

  test("accepting opens the chat, shows the notice and says what the button said", async () => {
    const seen = await visit("/returns");
    await seen.note.getByRole("button", { name: "How do I return something?" }).click();
    await seen.chat.disclosure.waitFor();
    await seen.chat.own.filter({ hasText: "How do I return something?" }).waitFor();
    // The greeting stands in the log as well.
    await until(async () => (await seen.chat.answers.count()) >= 2, "an answer");
    assert.equal(await seen.note.count(), 0);
    const hello = seen.sockets[0].sent.find((frame) => frame.type === "hello");
    assert.deepEqual(hello.invitation, { trigger: "returns_help", arm: "shown", accepted: true });
    await seen.page.keyboard.press("Escape");
    await seen.page.goto(`${site.origin}/returns`);
    await seen.page.waitForTimeout(3_500);
    assert.equal(await seen.note.count(), 0, "a conversation goes on in this tab");
    assertClean(seen);
    await seen.context.close();
  });

  test("held out by lot: nothing is shown, and a chat of that page view says so", async () => {
    const seen = await visit("/returns", { lot: 0 });
    await until(() => posts(seen).length === 1, "the count");
    await seen.page.waitForTimeout(500);
    assert.equal(await seen.note.count(), 0);
    await seen.chat.open();
    const hello = seen.sockets[0].sent.find((frame) => frame.type === "hello");
    assert.deepEqual(hello.invitation, { trigger: "returns_help", arm: "held_out", accepted: false });
    await seen.context.close();
  });

  test("who asks not to be tracked is invited, and neither held out nor counted", async () => {
    const seen = await openPage(browser);
    await seen.page.addInitScript(() => {
      Math.random = () => 0;
      Object.defineProperty(Navigator.prototype, "globalPrivacyControl", { get: () => true });
    });
    await seen.page.goto(`${site.origin}/returns`);
    const note = seen.page.getByRole("group", { name: "Invitation to chat" });
    await note.getByRole("button", { name: "How do I return something?" }).click();
    await new Chat(seen.page).disclosure.waitFor();
    assert.deepEqual(posts(seen), []);
    assert.equal(seen.sockets[0].sent.find((frame) => frame.type === "hello").invitation, undefined);
    await seen.context.close();
  });

  test("a basket of enough value and no movement invites; an open chat never", async () => {
    const seen = await visit("/basket");
    await seen.page.evaluate(() => candor.track("cart", { value: 20 }));
    await seen.page.waitForTimeout(3_500);
    assert.equal(await seen.note.count(), 0, "too little in it");
    await seen.page.evaluate(() => candor.track("cart", { value: 95 }));
    await seen.note.waitFor();
    await seen.note.getByRole("button", { name: "Open chat" }).click();
    await seen.chat.disclosure.waitFor();
    assert.equal(await seen.chat.own.count(), 0, "no words were put into the customer's mouth");
    await seen.context.close();

    const open = await visit("/returns");
    await open.chat.open();
    await open.page.waitForTimeout(3_500);
    assert.equal(await open.note.count(), 0);
    assert.deepEqual(posts(open), []);
    await open.context.close();
  });

  test("a late order is told of only if the shop's own system says so", async () => {
    const seen = await visit(`${server.origin}/demo/`);
    await seen.page.evaluate(() => candor.track("order", { number: "JT-1042" }));
    await until(() => posts(seen).length === 1, "the question");
    await seen.page.waitForTimeout(2_500);
    assert.equal(await seen.note.count(), 0, "this one is on time");
    await seen.page.getByRole("button", { name: "JT-1045" }).click();
    await seen.note.getByText("running late").waitFor();
    await seen.note.getByRole("button", { name: "Where is order JT-1045?" }).click();
    await until(async () => /JT-1045.* is late/.test(await seen.chat.lastAnswer()), "the shop's own words");
    await seen.context.close();
  });

  test("pictures: narrow and wide, light and dark", async () => {
    for (const [width, height] of [[390, 844], [1280, 800]]) {
      for (const colorScheme of ["light", "dark"]) {
        const seen = await visit("/returns", { width, height, colorScheme });
        await seen.note.waitFor();
        await take(seen.page, `invitation-${width}-${colorScheme}`);
        const box = await seen.note.boundingBox();
        assert.ok(box.x >= 0 && box.x + box.width <= width && box.y > 0, "it lies inside the window");
        await seen.context.close();
      }
    }
  });

  test("the manager's page tells what came of them", async () => {
    const seen = await openPage(browser);
    await becomeManager(seen.context, server);
    await seen.page.goto(`${server.origin}/desk/#/figures`);
    const row = seen.page.getByRole("row").filter({ hasText: "returns_help" });
    await row.getByText("too few to tell").waitFor();
    await row.scrollIntoViewIfNeeded();
    await take(seen.page, "invitation-figures");
    assertClean(seen);
    await seen.context.close();
  });
});

/** The names of everything that the page keeps on the device. */
async function stored({ page, context }) {
  const kept = await page.evaluate(() => [...Object.keys(localStorage), ...Object.keys(sessionStorage)]);
  return [...(await context.cookies()).map(({ name }) => name), ...kept];
}
