// What customers are asked before their first message: by keyboard, with what is missing said, and seen at the desk.
import assert from "node:assert/strict";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { assertClean, launch, openPage, until } from "./helpers/browser.mjs";
import { Chat, Console, becomeManager, focused } from "./helpers/faces.mjs";
import { ROOT, Server } from "./helpers/server.mjs";

const ASKED = `
[pre_chat]
intro = "So that a person can answer you later."
[[pre_chat.fields]]
name = "email"
label = "Email"
kind = "email"
required = true
[[pre_chat.fields]]
name = "topic"
label = "About"
kind = "choice"
options = ["An order", "A return & a refund"]

[disclosure]`;

describe("the form before the chat", () => {
  let browser;
  let server;
  let folder;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "candor-prompts-"));
    await cp(join(ROOT, "prompts"), folder, { recursive: true });
    const business = join(folder, "business.toml");
    await writeFile(business, (await readFile(business, "utf8")).replace("\n[disclosure]", ASKED));
    [server, browser] = await Promise.all([Server.begin({ flags: ["--models", "/nonexistent", "--prompts", folder] }), launch()]);
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function visit() {
    const seen = await openPage(browser);
    await seen.page.goto(`${server.origin}/demo/`);
    const chat = new Chat(seen.page);
    await chat.launcher.click();
    await chat.disclosure.waitFor();
    return { seen, page: seen.page, chat, form: chat.panel.getByRole("form", { name: "So that a person can answer you later." }) };
  }

  test("what is missing is said, what was answered is at the desk, and the chat begins", async () => {
    const { seen, page, chat, form } = await visit();
    await form.waitFor();
    assert.equal(await form.getByRole("button", { name: "Skip" }).count(), 0, "something is required");
    await form.getByRole("button", { name: "Start the chat" }).click();
    await form.getByRole("alert").getByText("Please fill this in.").waitFor();
    await page.keyboard.type("ada at shop");
    await page.keyboard.press("Enter");
    await form.getByRole("alert").getByText("This email address does not look complete.").waitFor();
    await form.getByRole("textbox", { name: "Email" }).fill("ada@shop.example");
    await form.getByRole("combobox", { name: "About" }).selectOption("A return & a refund");
    await form.getByRole("button", { name: "Start the chat" }).click();
    await until(() => chat.field.isEnabled().catch(() => false), "the field can be typed into");
    await until(async () => (await focused(page)) === "Write a message", "the focus goes on to the field");
    await chat.ask("What are your opening hours?");
    await chat.personButton.click();

    const staff = await openPage(browser);
    await becomeManager(staff.context, server);
    const desk = new Console(staff.page);
    await staff.page.goto(`${server.origin}/desk/`);
    await desk.queue.getByText("What are your opening hours?").first().click();
    await staff.page.getByText("said before the chat").waitFor();
    await staff.page.getByText("ada@shop.example").waitFor();
    await staff.page.getByText("A return & a refund", { exact: true }).waitFor();
    assertClean(seen, staff);
    await Promise.all([seen.context.close(), staff.context.close()]);
  });

  test("a person is one step away all the same", async () => {
    const { seen, chat, form } = await visit();
    await form.waitFor();
    await chat.personButton.click();
    await chat.panel.getByText("Waiting for a person").first().waitFor();
    assertClean(seen);
    await seen.context.close();
  });
});
