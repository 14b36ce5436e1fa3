// What customers do themselves, in Firefox: the menu by keys, the question at the end, two tabs in step, a deleted chat,
// and files. What holds in every browser is tested in Chromium (rights, tabs, attachments); here is what differs.
import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { until } from "./helpers/browser.mjs";
import { focused } from "./helpers/faces.mjs";
import { FirefoxChat, launchFirefox, openTab, wordsOf } from "./helpers/firefox.mjs";
import { Server } from "./helpers/server.mjs";

describe("a customer's own conversation in Firefox", () => {
  let browser;
  let server;
  let folder;
  let words;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "candor-files-"));
    [server, browser, words] = await Promise.all([Server.begin({ flags: ["--models", "/nonexistent", "--attachments", folder] }), launchFirefox(), wordsOf("en")]);
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function visit(context) {
    const tab = context ? { page: await context.newPage(), problems: [] } : await openTab(browser);
    await tab.page.goto(`${server.origin}/demo/`);
    const chat = new FirefoxChat(tab.page, words);
    return { ...tab, chat };
  }

  test("the end, its question and going on, by keys alone", async () => {
    const { page, chat, problems, context } = await visit();
    await chat.open();
    await chat.say("How much is delivery?");
    await chat.shows("the answer", (now) => now.answers.length > 1);
    await chat.reach(words.menu, { back: true });
    await page.keyboard.press("Enter");
    await until(async () => (await focused(page)) === words.sound, "the first thing in the menu has the focus");
    await page.keyboard.press("End");
    await page.keyboard.press("ArrowUp");
    assert.equal(await focused(page), words.endChat);
    await page.keyboard.press("Enter");
    await chat.shows("the question", (now) => now.foot === "rating");
    const name = words.scoreName.replace("{score}", "1").replace("{most}", "7").replace("{word}", words.hard);
    await chat.part("radio", name);
    await (await chat.frame()).evaluate(() => document.querySelector("input[type=radio]").focus());
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    await chat.reach(words.sendRating);
    await page.keyboard.press("Enter");
    await chat.shows("the thanks", (now) => now.foot === "closed");
    await chat.press("button", words.reopenChat);
    await chat.shows("the chat goes on", (now) => now.foot === "composer" && now.ready);
    await chat.say("One more thing");
    await chat.stored();
    assert.deepEqual(problems, []);
    await context.close();
  });

  test("two tabs are in step, and a chat that is deleted in one is gone in both", async () => {
    const first = await visit();
    await first.chat.open();
    await first.chat.say("How much is delivery?");
    await first.chat.stored();
    const second = await visit(first.context);
    await second.chat.open();
    await second.chat.shows("what was said in the other tab", (now) => now.own.some(({ text }) => text === "How much is delivery?"));
    await second.chat.say("And returns?");
    await first.chat.shows("what is said there", (now) => now.own.some(({ text }) => text === "And returns?"));
    await second.chat.press("button", words.menu);
    await second.chat.press("menuitem", words.eraseChat);
    await second.chat.press("button", words.eraseYes);
    for (const { chat } of [first, second]) await chat.shows("nothing of it", (now) => now.own.length === 0 && now.ready);
    assert.deepEqual(first.problems, []);
    await first.context.close();
  });

  test("a dropped file is stored, and is given back", async () => {
    const { chat, problems, context } = await visit();
    await chat.open();
    const drop = () => {
      const data = new DataTransfer();
      data.items.add(new File(["%PDF-1.4\n%%EOF\n"], "bill.pdf", { type: "application/pdf" }));
      document.querySelector(".composer-field").dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: data }));
    };
    await (await chat.frame()).evaluate(drop);
    await chat.stored();
    assert.equal((await readdir(folder)).length, 1);
    const file = await chat.frame().then((frame) => frame.waitForSelector(".file[aria-disabled=false]"));
    assert.match(await file.evaluate((node) => node.textContent), /^bill\.pdf1 kB$/);
    await chat.shows("that the bot does not look into it", (now) => now.answers.some((text) => text.includes("cannot look into files")));
    assert.deepEqual(problems, []);
    await context.close();
  });
});
