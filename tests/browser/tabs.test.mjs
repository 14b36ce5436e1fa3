// Several tabs of one browser: the chat that is opened in another one goes on with the same conversation, and what is
// read, left, ended or deleted in one is so in all.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { assertClean, launch, openPage, until } from "./helpers/browser.mjs";
import { Chat } from "./helpers/faces.mjs";
import { load } from "./helpers/fake.mjs";
import { Server } from "./helpers/server.mjs";

const { customerOf } = await load("widget/tabs.js");

describe("tabs in step", () => {
  let browser;
  let server;

  before(async () => {
    [server, browser] = await Promise.all([Server.begin({ flags: ["--models", "/nonexistent"] }), launch()]);
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  /** A further tab of the same browser, with its chat open. */
  async function another({ context }) {
    const page = await context.newPage();
    await page.goto(`${server.origin}/demo/`);
    const chat = new Chat(page);
    await chat.open();
    return { page, chat };
  }

  async function first() {
    const seen = await openPage(browser);
    await seen.page.goto(`${server.origin}/demo/`);
    const chat = new Chat(seen.page);
    await chat.open();
    return { ...seen, chat };
  }

  test("what is said in one is in the other, whichever was opened first", async () => {
    const one = await first();
    const early = await another(one); // nothing was said yet
    await one.chat.ask("What are your opening hours?");
    const late = await another(one);
    for (const { chat } of [early, late]) await chat.log.getByText("What are your opening hours?").waitFor();
    await late.chat.ask("Do you sell gift cards?");
    for (const { chat } of [one, early]) await chat.log.getByText("Do you sell gift cards?").waitFor();
    for (const { chat } of [one, early, late]) assert.equal(await chat.own.count(), 2, "each once");
    assertClean(one);
    await one.context.close();
  });

  test("a tab without the chat asks nobody, and another browser hears nothing", async () => {
    const one = await first();
    await one.chat.ask("What are your opening hours?");
    const shut = await one.context.newPage();
    const requests = [];
    shut.on("request", (request) => requests.push(request.url()));
    await shut.goto(`${server.origin}/demo/`);
    await new Chat(shut).launcher.waitFor();
    await shut.waitForTimeout(500);
    assert.ok(!requests.some((url) => url.includes("/chat/")), "no frame");
    assert.deepEqual(await shut.evaluate(() => ({ ...sessionStorage })), {});
    const stranger = await first();
    assert.equal(await stranger.chat.own.count(), 0);
    await Promise.all([one, stranger].map(({ context }) => context.close()));
  });

  test("what was read in one is not unread in the other", async () => {
    const one = await first();
    await one.chat.ask("What are your opening hours?");
    const other = await another(one);
    await other.chat.log.getByText("What are your opening hours?").waitFor();
    await other.page.keyboard.press("Escape");
    await one.chat.ask("Do you sell gift cards?");
    // A hidden tab counts what it has not shown; the one that is looked at says that it was seen.
    await until(async () => !(await other.page.getByRole("button", { name: /unread/ }).count()), "no badge");
    await one.context.close();
  });

  test("a new conversation and a deleted one are so in all", async () => {
    const one = await first();
    await one.chat.ask("What are your opening hours?");
    const other = await another(one);
    await other.chat.log.getByText("What are your opening hours?").waitFor();
    const choose = async (name) => {
      await one.chat.panel.getByRole("button", { name: "Chat menu" }).click();
      await one.chat.panel.getByRole("menuitem", { name }).click();
    };
    await choose("End chat");
    await other.chat.panel.getByRole("button", { name: "Skip" }).waitFor();
    await one.chat.panel.getByRole("button", { name: "Skip" }).click();
    await one.chat.panel.getByRole("button", { name: "Start a new conversation" }).click();
    await until(() => other.chat.field.isEnabled(), "the other tab has begun it too");
    await one.chat.ask("Do you sell gift cards?");
    await other.chat.log.getByText("Do you sell gift cards?").waitFor();
    assert.equal(await other.chat.own.count(), 1);
    await choose("Delete this chat");
    await one.chat.panel.getByRole("button", { name: "Delete" }).click();
    await other.chat.log.getByText("Do you sell gift cards?").waitFor({ state: "detached" });
    assertClean(one);
    await one.context.close();
  });

  test("who signs out in one has left all, and who is another customer hears nothing of it", async () => {
    const one = await first();
    await one.chat.ask("What are your opening hours?");
    const other = await another(one);
    await other.chat.log.getByText("What are your opening hours?").waitFor();
    await one.page.evaluate(() => window.candor.identify(null));
    await other.chat.log.getByText("What are your opening hours?").waitFor({ state: "detached" });
    await one.context.close();
  });

  test("whom a signed word is about", () => {
    const word = (claims) => `h.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.s`;
    assert.deepEqual([customerOf(null), customerOf(word({ sub: "cust-7", exp: 1 })), customerOf(word({ sub: "cust-7", exp: 2 }))], [null, "cust-7", "cust-7"]);
    assert.equal(customerOf("nonsense"), "nonsense");
  });
});
