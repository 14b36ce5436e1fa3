// What a customer can do with their own conversation from the menu: end it and go on, delete it, take it along, and
// stop the reading of their mood. By roles and names, and by keys alone.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { assertClean, launch, openPage, until } from "./helpers/browser.mjs";
import { Chat, Console, becomeManager, chatFrame } from "./helpers/faces.mjs";
import { Server } from "./helpers/server.mjs";

describe("a customer's own conversation", () => {
  let browser;
  let server;
  let staff;
  let desk;

  before(async () => {
    [server, browser] = await Promise.all([Server.begin({ flags: ["--models", "/nonexistent"] }), launch()]);
    staff = await openPage(browser);
    await becomeManager(staff.context, server);
    desk = new Console(staff.page);
    await staff.page.goto(`${server.origin}/desk/`);
    await desk.queue.waitFor();
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  async function visit(options) {
    const seen = await openPage(browser, { acceptDownloads: true, ...options });
    await seen.page.goto(`${server.origin}/demo/`);
    const chat = new Chat(seen.page);
    await chat.open();
    const menu = chat.panel.getByRole("button", { name: "Chat menu" });
    const choose = async (name) => {
      await menu.click();
      await chat.panel.getByRole(/^(Sound|Read)/.test(name) ? "menuitemcheckbox" : "menuitem", { name }).click();
    };
    return { ...seen, chat, menu, choose };
  }

  const focused = async (page) => (await chatFrame(page)).evaluate(() => document.activeElement.textContent || document.activeElement.ariaLabel);

  test("the menu by keys alone", async () => {
    const { page, chat, menu, ...seen } = await visit();
    await chat.ask("What are your opening hours?");
    await menu.focus();
    await page.keyboard.press("ArrowDown");
    const items = chat.panel.getByRole("menu").locator(".menu-item");
    assert.deepEqual(await items.allInnerTexts(), ["Sound for new messages", "Read my mood", "Save this chat", "Save what is kept about me", "End chat", "Delete this chat"]);
    const walk = [];
    for (const key of ["ArrowDown", "ArrowUp", "ArrowUp", "ArrowDown", "End", "Home"]) {
      await page.keyboard.press(key);
      walk.push(await focused(page));
    }
    assert.deepEqual(walk, ["Read my mood", "Sound for new messages", "Delete this chat", "Sound for new messages", "Delete this chat", "Sound for new messages"]);
    await page.keyboard.press("Escape");
    assert.equal(await chat.panel.getByRole("menu").count(), 0, "the menu is gone, the chat is not");
    assert.equal(await focused(page), "Chat menu");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    assert.equal(await chat.panel.getByRole("menu").count(), 0);
    await menu.click();
    await chat.log.click();
    assert.equal(await chat.panel.getByRole("menu").count(), 0, "a press beside it");
    assertClean({ page, ...seen });
    await seen.context.close();
  });

  test("ended, asked how easy it was, and gone on with", async () => {
    const { page, chat, choose, ...seen } = await visit();
    await chat.ask("What are your opening hours?");
    await choose("End chat");
    const scores = chat.panel.getByRole("radiogroup", { name: "How easy was it" }).getByRole("radio");
    await scores.first().waitFor();
    assert.equal(await scores.count(), 7);
    await chat.panel.getByRole("radio", { name: "7 of 7, Very easy" }).focus();
    await page.keyboard.press("Space");
    await chat.panel.getByRole("textbox", { name: /anything/i }).fill("Quick.");
    await chat.panel.getByRole("button", { name: "Send rating" }).click();
    await chat.panel.getByRole("status").filter({ hasText: "Thank you" }).waitFor();
    await page.reload();
    await chat.panel.getByRole("button", { name: "Continue this chat" }).waitFor();
    assert.equal(await scores.count(), 0, "nobody is asked twice");
    await chat.panel.getByRole("button", { name: "Continue this chat" }).click();
    await until(() => chat.field.isEnabled(), "the conversation goes on");
    assert.match(await chat.log.innerText(), /opening hours[\s\S]*not a human/, "what was said is still there");
    await chat.ask("Do you sell gift cards?");
    await choose("End chat");
    await chat.panel.getByRole("button", { name: "Start a new conversation" }).waitFor();
    assert.equal(await scores.count(), 0, "nor after it ended again");
    assertClean({ page, ...seen });
    await seen.context.close();
  });

  test("deleted everywhere: here, in another tab's frame, at the desk", async () => {
    const { page, chat, menu, choose, ...seen } = await visit();
    await chat.ask("My secret number is 4711");
    await chat.personButton.click();
    await chat.panel.getByText(/in line|Waiting for a person/).first().waitFor();
    await desk.rows("Waiting").first().getByRole("button").click();
    await desk.messages.getByText("4711").waitFor();
    await choose("Delete this chat");
    const question = chat.panel.getByRole("alertdialog", { name: "Delete this chat" });
    await question.waitFor();
    assert.equal(await focused(page), "Cancel", "the safe one");
    await page.keyboard.press("Escape");
    await question.waitFor({ state: "hidden" });
    assert.equal(await focused(page), "Chat menu");
    assert.ok((await chat.log.innerText()).includes("4711"), "nothing is deleted yet");
    await choose("Delete this chat");
    await question.getByRole("button", { name: "Delete" }).click();
    await chat.panel.getByRole("status").filter({ hasText: "The chat was deleted." }).waitFor();
    await until(() => chat.field.isEnabled(), "another conversation begins");
    assert.ok(!(await chat.log.innerText()).includes("4711"));
    const kept = await (await chatFrame(page)).evaluate(() => JSON.stringify({ ...sessionStorage }));
    assert.ok(!kept.includes("4711") && !kept.includes("token"), kept);
    await desk.messages.getByText("The customer deleted the conversation").waitFor();
    await until(async () => !(await desk.messages.innerText()).includes("4711"), "the desk forgets it too");
    assert.ok((await desk.messages.innerText()).includes("Deleted by the customer"));
    await page.reload();
    await chat.open();
    assert.ok(!(await chat.log.innerText()).includes("4711"));
    assertClean({ page, ...seen }, staff);
    await seen.context.close();
  });

  test("taken along: the chat as text, and all that is kept", async () => {
    const { page, chat, choose, ...seen } = await visit();
    await chat.ask("What are your opening hours?");
    const save = async (name) => {
      const [file] = await Promise.all([page.waitForEvent("download"), choose(name)]);
      return [file.suggestedFilename(), await readFile(await file.path(), "utf8")];
    };
    const [name, text] = await save("Save this chat");
    assert.match(name, /^chat-\d{4}-\d\d-\d\d\.txt$/);
    assert.match(text, /^Juniper & Thread\n\n\d+ \w+ \d{4}\n[\s\S]*\d\d?:\d\d.* {2}You:\nWhat are your opening hours\?[\s\S]*AI assistant:\n/);
    const [data, kept] = await save("Save what is kept about me");
    assert.equal(data, "my-data.json");
    const { conversations } = JSON.parse(kept);
    assert.equal(conversations[0].readings[0].mood, "neutral");
    assert.ok(conversations[0].events.some((event) => event.text === "What are your opening hours?"));
    assertClean({ page, ...seen });
    await seen.context.close();
  });

  test("mood is not read where the customer does not want it, and the switches keep", async () => {
    const { page, chat, menu, choose, ...seen } = await visit();
    await chat.ask("What are your opening hours?");
    const checked = async (name) => {
      await menu.click();
      const value = await chat.panel.getByRole("menuitemcheckbox", { name }).getAttribute("aria-checked");
      await page.keyboard.press("Escape");
      return value;
    };
    assert.deepEqual([await checked("Read my mood"), await checked("Sound")], ["true", "false"]);
    await choose("Read my mood");
    await until(async () => (await checked("Read my mood")) === "false", "the server has stored it");
    await choose("Sound");
    assert.equal(await checked("Sound"), "true");
    await page.reload();
    await until(() => chat.field.isEnabled(), "the chat is back");
    assert.deepEqual([await checked("Read my mood"), await checked("Sound")], ["false", "true"]);
    await chat.say("This is a disgrace, I am furious, terrible, useless");
    await until(async () => {
      const list = await (await staff.context.request.get(`${server.origin}/v1/transcripts`)).json();
      const shown = await (await staff.context.request.get(`${server.origin}/v1/transcripts/${list.items[0].conversation}`)).json();
      return shown.turns.length === 2 && shown.turns[1].mood === "neutral" && shown.turns[1].frustration === 0;
    }, "the turn was read without mood");
    assertClean({ page, ...seen });
    await seen.context.close();
  });
});
