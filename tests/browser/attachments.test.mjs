// Customers attach files: chosen, dropped or pasted, over a network that fails, and what a person sees of them.
import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { assertClean, launch, openPage, until } from "./helpers/browser.mjs";
import { Chat, Console, becomeManager, chatFrame } from "./helpers/faces.mjs";
import { Server } from "./helpers/server.mjs";

const DOCUMENT = { name: "bill.pdf", mimeType: "application/pdf", buffer: Buffer.from("%PDF-1.4\n1 0 obj <<>> endobj\ntrailer <<>>\n%%EOF\n") };

describe("attached files", () => {
  let browser;
  let server;
  let staff;
  let desk;
  let folder;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "candor-files-"));
    [server, browser] = await Promise.all([Server.begin({ flags: ["--models", "/nonexistent", "--attachments", folder] }), launch()]);
    staff = await openPage(browser);
    await becomeManager(staff.context, server);
    desk = new Console(staff.page);
    await staff.page.goto(`${server.origin}/desk/`);
    await desk.queue.waitFor();
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function visit(options) {
    const seen = await openPage(browser, { acceptDownloads: true, ...options });
    await seen.page.goto(`${server.origin}/demo/`);
    const chat = new Chat(seen.page);
    await chat.open();
    await chat.panel.getByRole("button", { name: "Attach a picture or PDF" }).waitFor();
    return { ...seen, chat, input: chat.panel.locator("input[type=file]"), file: (name) => chat.panel.getByRole("button", { name: new RegExp(name) }) };
  }

  // A picture that the browser itself draws.
  const draw = (page) => page.evaluate(async () => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 320, height: 200 });
    const brush = canvas.getContext("2d");
    brush.fillStyle = "#27496d";
    brush.fillRect(0, 0, 320, 200);
    brush.fillStyle = "#f4b942";
    brush.fillRect(110, 50, 100, 100);
    return canvas.toDataURL("image/png").split(",")[1];
  }).then((text) => ({ name: "bag with a hole.png", mimeType: "image/png", buffer: Buffer.from(text, "base64") }));

  test("a chosen picture reaches the person, who sees it", async () => {
    const { page, chat, input, file, ...seen } = await visit();
    const before = (await readdir(folder)).length;
    await input.setInputFiles(await draw(page));
    await file("bag with a hole.png").waitFor();
    await chat.panel.getByText("I cannot look into files").waitFor();
    assert.equal(await file("bag with a hole.png").getAttribute("aria-disabled"), "false");
    assert.equal((await readdir(folder)).length, before + 1);
    const [saved] = await Promise.all([page.waitForEvent("download"), file("bag with a hole.png").click()]);
    assert.equal(saved.suggestedFilename(), "bag with a hole.png");
    assert.deepEqual((await readFile(await saved.path())).subarray(1, 4).toString(), "PNG");

    await chat.panel.getByRole("button", { name: "Talk to a person" }).click();
    await desk.queue.getByText("bag with a hole.png").first().click();
    const link = staff.page.getByRole("link", { name: /bag with a hole\.png/ });
    await link.waitFor();
    await until(() => link.locator("img").evaluate((img) => img.naturalWidth === 320 && img.naturalHeight === 200));
    const [taken] = await Promise.all([staff.page.waitForEvent("download"), link.click()]);
    assert.equal(taken.suggestedFilename(), "bag with a hole.png");
    assertClean({ page, ...seen });
    await seen.context.close();
  });

  test("what is refused says why, and only what may get better can be sent again", async () => {
    const { page, chat, input, file, ...seen } = await visit();
    await input.setInputFiles([
      { name: "page.png", mimeType: "image/png", buffer: Buffer.from("<svg onload=alert(1)>") },
      { name: "large.pdf", mimeType: "application/pdf", buffer: Buffer.alloc(10 * 1024 * 1024 + 1) },
    ]);
    await chat.panel.getByText("Not sent: only pictures and PDF files can be sent").waitFor();
    await chat.panel.getByText("Not sent: the file is larger than 10 MB").waitFor();
    assert.equal(await chat.panel.getByRole("button", { name: "Send again" }).count(), 0);
    assert.equal(await file("page.png").getAttribute("aria-disabled"), "true");
    await seen.context.close();
  });

  test("a network that is away keeps it waiting, and a reload says that it was not sent", async () => {
    const { page, context, chat, input, file } = await visit();
    await chat.ask("What are your opening hours?");
    let away = true;
    await page.route("**/attachments/**", (route) => (away ? route.abort("connectionfailed") : route.continue()));
    await input.setInputFiles(DOCUMENT);
    await file("bill.pdf").waitFor();
    await chat.panel.getByText("Sending…").waitFor();
    away = false;
    await until(async () => (await file("bill.pdf").getAttribute("aria-disabled")) === "false");
    assert.equal(await file("bill.pdf").count(), 1, "once");

    away = true;
    await input.setInputFiles({ ...DOCUMENT, name: "second.pdf" });
    await file("second.pdf").waitFor();
    await page.reload();
    await chat.own.filter({ hasText: "second.pdf" }).getByText("Not sent", { exact: true }).waitFor();
    await context.close();
  });

  test("dropped and pasted files are sent; a dropped one never takes the chat's place", async () => {
    const { page, chat, file, ...seen } = await visit();
    const frame = await chatFrame(page);
    const give = (kind, name) => frame.evaluate(([kind, name]) => {
      const data = new DataTransfer();
      data.items.add(new File(["%PDF-1.4\n%%EOF\n"], name, { type: "application/pdf" }));
      const init = { bubbles: true, cancelable: true };
      const event = kind === "paste" ? new ClipboardEvent("paste", { ...init, clipboardData: data }) : new DragEvent(kind, { ...init, dataTransfer: data });
      document.querySelector(".composer-field").dispatchEvent(event);
      return event.defaultPrevented;
    }, [kind, name]);
    assert.ok(await give("dragover", "dropped.pdf"));
    assert.ok(await give("drop", "dropped.pdf"));
    assert.ok(await give("paste", "pasted.pdf"));
    for (const name of ["dropped.pdf", "pasted.pdf"]) {
      await until(async () => (await file(name).getAttribute("aria-disabled")) === "false");
    }
    assertClean({ page, ...seen });
    await seen.context.close();
  });

  test("files go with the deleted chat", async () => {
    const { page, chat, input, file, ...seen } = await visit();
    const before = (await readdir(folder)).length;
    await input.setInputFiles(DOCUMENT);
    await until(async () => (await file("bill.pdf").getAttribute("aria-disabled")) === "false");
    assert.equal((await readdir(folder)).length, before + 1);
    await chat.panel.getByRole("button", { name: "Chat menu" }).click();
    await chat.panel.getByRole("menuitem", { name: "Delete this chat" }).click();
    await chat.panel.getByRole("button", { name: "Delete", exact: true }).click();
    await chat.panel.getByText("The chat was deleted.").waitFor();
    assert.equal((await readdir(folder)).length, before);
    assertClean({ page, ...seen });
    await seen.context.close();
  });
});
