// The chat on pages of others: what they can do to it, what it does to them, what the page may ask of it.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { assertClean, launch, openPage, until } from "./helpers/browser.mjs";
import { Chat, Console, becomeManager, chatFrame } from "./helpers/faces.mjs";
import { servePages } from "./helpers/network.mjs";
import { Server, freePort } from "./helpers/server.mjs";

const KB = 1_024;
const LOADER_AT_MOST = 5 * KB;
const ALL_AT_MOST = 45 * KB;

// A page that has spoilt what scripts usually rely on, as old libraries do.
const BROKEN = `
  for (const name of ["map", "filter", "forEach", "push", "concat", "slice", "includes", "find", "some", "sort", Symbol.iterator]) {
    Array.prototype[name] = function () { throw new Error("the page's own " + String(name)); };
  }
  Array.prototype.toJSON = Object.prototype.toJSON = function () { return "spoilt"; };
  Array.prototype.extra = Object.prototype.extra = function () {};
  JSON.stringify = JSON.parse = function () { throw new Error("the page's own JSON"); };
  Date.now = function () { return 0; };
  window.fetch = window.WebSocket = function () { throw new Error("not this page's"); };
`;

let browser;
let server;
let site;
let elsewhere;

before(async () => {
  const [port, otherPort] = [await freePort(), await freePort()];
  const origin = `http://127.0.0.1:${port}`;
  [server, browser] = await Promise.all([Server.begin({ flags: ["--allow-origin", origin, "--models", "/nonexistent"] }), launch()]);
  const tag = `<script src="${server.origin}/widget.js" async></script>`;
  const page = (head, body) => `<!doctype html><html lang="en-GB"><head><title>A shop</title><link rel="icon" href="data:,">${head}</head><body><h1>A shop</h1>${body}</body></html>`;
  const policy = `default-src 'none'; script-src ${server.origin}; frame-src ${server.origin}; img-src data:`;
  const pages = {
    "/plain": page("", tag),
    "/strict": page(`<meta http-equiv="content-security-policy" content="${policy}">`, tag),
    "/broken": page(`<style>* { all: unset !important; }</style><script>${BROKEN}</script>`, tag),
    "/twice": page("", tag + tag),
    "/covered": page("", `<div style="position:fixed;inset:0;z-index:2147483647;background:#fff"></div>${tag}`),
    "/hidden": page("", tag.replace("async", "data-hidden async")),
  };
  site = await servePages(port, pages);
  elsewhere = await servePages(otherPort, { "/plain": pages["/plain"] });
});

after(async () => {
  site?.close();
  elsewhere?.close();
  await browser?.close();
  await server?.stop();
});

async function visit(path, of = site) {
  const seen = await openPage(browser);
  await seen.page.goto(`${of.origin}${path}`);
  return { ...seen, chat: new Chat(seen.page) };
}

describe("a page can do nothing to the chat", () => {
  for (const path of ["/strict", "/broken"]) {
    test(`${path}: open, ask, be answered, close, reload`, async () => {
      const seen = await visit(path);
      await seen.chat.open();
      await seen.chat.ask("Hello");
      await seen.chat.stored();
      await seen.page.keyboard.press("Escape");
      await seen.chat.launcher.waitFor();
      await seen.page.reload();
      await seen.chat.launcher.click();
      await seen.chat.own.filter({ hasText: "Hello" }).waitFor();
      assert.equal(await seen.chat.own.count(), 1);
      assertClean(seen);
      await seen.context.close();
    });
  }

  test("its scripts see neither the conversation nor the token, and cannot speak for the frame", async () => {
    const seen = await visit("/plain");
    await seen.chat.open();
    await seen.chat.ask("My number is 07700 900123");
    const found = await seen.page.evaluate(() => {
      const frame = document.querySelector("candor-chat").shadowRoot.querySelector("iframe");
      let inside = "a wall";
      try {
        inside = frame.contentWindow.document.body.innerText;
      } catch {
        // as it shall be
      }
      // The page says what only the frame may say.
      postMessage({ type: "close" }, "*");
      postMessage({ type: "forgotten" }, "*");
      return { document: frame.contentDocument, inside, kept: Object.entries(sessionStorage).flat() };
    });
    assert.deepEqual(found, { document: null, inside: "a wall", kept: ["candor:default", "open"] });
    await seen.page.waitForTimeout(300);
    assert.ok(await seen.chat.field.isVisible(), "it is open still");
    assert.equal(await seen.page.evaluate(() => sessionStorage.getItem("candor:default")), "open");
    assert.ok(await (await chatFrame(seen.page)).evaluate(() => JSON.parse(sessionStorage.getItem("candor:chat:default")).token));
    await seen.context.close();
  });

  test("nothing on the page covers the launcher", async () => {
    const seen = await visit("/covered");
    await seen.chat.open();
    await seen.chat.ask("Hello");
    await seen.context.close();
  });

  test("on a page that may not embed it the launcher says so, and no socket is opened", async () => {
    const seen = await visit("/plain", elsewhere);
    await seen.chat.launcher.click();
    await seen.page.getByRole("alert").getByText("Chat unavailable").waitFor();
    assert.equal(seen.sockets.length, 0);
    assert.equal(await seen.page.locator("candor-chat iframe").count(), 0);
    await seen.context.close();
  });
});

describe("what the page may ask of it", () => {
  test("two tags, and a body that is replaced: one chat, which goes on", async () => {
    const seen = await visit("/twice");
    await seen.chat.open();
    await seen.chat.ask("Hello");
    assert.equal(await seen.page.locator("candor-chat").count(), 1);
    await seen.page.evaluate(() => {
      const body = document.createElement("body");
      body.textContent = "Another page";
      document.body.replaceWith(body);
    });
    assert.equal(await seen.chat.own.count(), 1);
    await seen.chat.ask("Are you still there?");
    assert.equal(seen.sockets.length, 1, "it was not even loaded again");
    assertClean(seen);
    await seen.context.close();
  });

  test("open, close, events, language, hide and show", async () => {
    const seen = await visit("/hidden");
    const { page, chat } = seen;
    await until(() => page.evaluate(() => Boolean(window.candor?.on)), "the loader is there");
    assert.equal(await page.locator("candor-chat").isVisible(), false);
    await page.evaluate(() => {
      window.heard = [];
      for (const name of ["open", "close", "message", "unread"]) candor.on(name, (detail) => window.heard.push([name, detail]));
      candor.show();
      candor.open();
    });
    await chat.ask("Hello");
    await page.evaluate(() => candor.setLanguage("de"));
    await chat.panel.getByRole("button", { name: "Mit einem Menschen sprechen" }).waitFor();
    assert.equal(await chat.own.filter({ hasText: "Hello" }).count(), 0, "drawn in German");
    await page.evaluate(() => candor.setLanguage());
    await chat.own.filter({ hasText: "Hello" }).waitFor();
    await page.evaluate(() => candor.hide());
    assert.equal(await page.locator("candor-chat").isVisible(), false);
    const heard = await page.evaluate(() => window.heard);
    assert.deepEqual(heard.map(([name]) => name).filter((name, index, all) => name !== all[index - 1]), ["open", "message", "close"]);
    assert.ok(!JSON.stringify(heard).includes("Hello"), "no event has text");
    assertClean(seen);
    await seen.context.close();
  });

  test("what comes while the chat is closed is counted on the launcher and in the title of a hidden tab", async () => {
    const [seen, staff] = [await visit("/plain"), await openPage(browser)];
    await becomeManager(staff.context, server);
    const desk = new Console(staff.page);
    await staff.page.goto(`${server.origin}/desk/`);
    await desk.queue.waitFor();
    await seen.chat.open();
    await seen.chat.personButton.click();
    await desk.rows("Waiting").first().getByRole("button").click();
    await desk.actions.getByRole("button", { name: "Claim" }).click();
    await seen.chat.panel.getByText(/You are talking to .*, a person\./).waitFor();

    // Nothing that is typed leaves before it is sent, nor when each key was pressed.
    const before = seen.sockets[0].sent.length;
    await seen.chat.field.pressSequentially("Never sent, only thought about", { delay: 20 });
    const typed = seen.sockets[0].sent.slice(before);
    assert.ok(typed.every((frame) => ["typing", "read", "ping"].includes(frame.type)), JSON.stringify(typed));
    assert.ok(typed.filter(({ type }) => type === "typing").length <= 1, "one sign for all keys");
    assert.ok(typed.every((frame) => frame.type !== "typing" || Object.keys(frame).length === 1));

    await seen.page.keyboard.press("Escape");
    await seen.page.evaluate(() => {
      Object.defineProperty(document, "hidden", { get: () => window.away, configurable: true });
      window.away = true;
    });
    await staff.page.getByRole("textbox", { name: "Reply" }).fill("I am looking into it.");
    await staff.page.keyboard.press("Enter");
    await seen.page.getByRole("button", { name: "Open chat, 1 unread message" }).waitFor();
    assert.equal(await seen.page.title(), "(1) A shop");
    await seen.page.evaluate(() => {
      window.away = false;
      document.dispatchEvent(new Event("visibilitychange"));
    });
    assert.equal(await seen.page.title(), "A shop");
    await seen.page.getByRole("button", { name: "Open chat, 1 unread message" }).click();
    await seen.chat.fromPeople.filter({ hasText: "I am looking into it." }).waitFor();
    await seen.page.keyboard.press("Escape");
    await seen.page.getByRole("button", { name: "Open chat", exact: true }).waitFor();
    assertClean(seen, staff);
    await Promise.all([seen.context.close(), staff.context.close()]);
  });

  test("who signs out leaves nothing behind, in the page or in the frame", async () => {
    const seen = await visit("/plain");
    // A frame may go while it is asked.
    const kept = async () => (await Promise.all(seen.page.frames().map((frame) => frame.evaluate(() => Object.keys(sessionStorage)).catch(() => "gone")))).flat();
    await seen.chat.open();
    await seen.chat.ask("Hello");
    await seen.page.keyboard.press("Escape");
    assert.equal((await kept()).length, 2);
    await seen.page.evaluate(() => candor.identify(null));
    await until(async () => (await kept()).length === 0, "both are empty");

    // The same where no frame is there yet to forget it.
    await seen.chat.open();
    await seen.chat.ask("Hello again");
    await seen.page.addInitScript(() => {
      if (location.pathname === "/chat/") return;
      document.addEventListener("DOMContentLoaded", () => {
        const ask = () => (window.candor?.on ? candor.identify(null) : setTimeout(ask, 1));
        ask();
      });
    });
    await seen.page.reload();
    await until(async () => (await seen.page.locator("candor-chat iframe").count()) === 0, "the frame came to forget, and went");
    assert.deepEqual(await kept(), []);
    await seen.chat.open();
    assert.equal(await seen.chat.own.count(), 0);
    assert.deepEqual(Object.keys(await (await chatFrame(seen.page)).evaluate(() => ({ ...sessionStorage }))), []);
    assertClean(seen);
    await seen.context.close();
  });

  test("closed before it is there, it stays closed; hidden, it covers nothing", async () => {
    const seen = await openPage(browser, { width: 390, height: 800 });
    await seen.page.goto(`${site.origin}/hidden`);
    const { page } = seen;
    await until(() => page.evaluate(() => Boolean(window.candor?.on)), "the loader is there");
    await page.evaluate(() => {
      candor.open();
      candor.close();
    });
    await page.waitForTimeout(1_000);
    assert.equal(await page.evaluate(() => document.querySelector("candor-chat").opened), false);
    await page.evaluate(() => candor.open());
    await new Chat(page).disclosure.waitFor();
    assert.equal(await page.evaluate(() => document.body.inert), true, "a phone's page is covered");
    await page.evaluate(() => candor.hide());
    assert.equal(await page.evaluate(() => document.body.inert), false);
    await seen.context.close();
  });

  test("the chat as a page of its own", async () => {
    const seen = await openPage(browser);
    await seen.page.goto(`${server.origin}/chat/`);
    const dialog = seen.page.getByRole("dialog");
    await dialog.getByRole("textbox").fill("Hello");
    await seen.page.keyboard.press("Enter");
    await dialog.locator(".message.own").getByText("Sent", { exact: true }).waitFor();
    assert.equal(await dialog.getByRole("button", { name: "Close chat" }).count(), 0, "there is nothing to close it to");
    assertClean(seen);
    await seen.context.close();
  });
});

describe("its weight", () => {
  test("the loader and everything that an open chat fetches stay small", async () => {
    const seen = await visit("/plain");
    await seen.chat.open();
    const addresses = [...new Set(seen.requests.filter((url) => url.startsWith(server.origin)))];
    const sizes = await Promise.all(addresses.map(async (address) => {
      const body = Buffer.from(await (await fetch(address)).arrayBuffer());
      return [new URL(address).pathname.split("/").at(-1) || "chat", gzipSync(body).length];
    }));
    const loader = sizes.find(([name]) => name === "widget.js")[1];
    const all = sizes.reduce((sum, [, size]) => sum + size, 0);
    console.log(`loader ${loader} bytes, everything ${all} bytes in ${sizes.length} files, by gzip`);
    assert.ok(loader <= LOADER_AT_MOST, `the loader has ${loader} bytes`);
    assert.ok(all <= ALL_AT_MOST, `everything has ${all} bytes`);
    await seen.context.close();
  });
});
