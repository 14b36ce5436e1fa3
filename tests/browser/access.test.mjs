// The chat for everybody: what axe-core finds in each state, in left-to-right and right-to-left languages, light and
// dark, on a phone and on a wide screen. (Keyboard and focus are in widget.test.mjs.)
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, before, describe, test } from "node:test";
import { launch, openPage, until } from "./helpers/browser.mjs";
import { Console, becomeManager, chatFrame } from "./helpers/faces.mjs";
import { Line, servePages } from "./helpers/network.mjs";
import { Server, freePort } from "./helpers/server.mjs";

const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const LOOKS = [
  { name: "en, wide, light", lang: "en-GB", width: 1280, height: 860, colorScheme: "light" },
  { name: "en, phone, dark", lang: "en-GB", width: 390, height: 844, colorScheme: "dark" },
  { name: "ar, phone, light", lang: "ar", width: 390, height: 844, colorScheme: "light" },
  { name: "de, narrow, dark", lang: "de", width: 320, height: 700, colorScheme: "dark" },
  { name: "ja, wide, dark", lang: "ja", width: 1280, height: 860, colorScheme: "dark" },
];

describe("axe-core finds nothing", () => {
  let axe;
  let browser;
  let server;
  let line;
  let site;
  let staff;
  let desk;

  before(async () => {
    axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
    const [port, linePort, sitePort] = [await freePort(), await freePort(), await freePort()];
    line = new Line(linePort, port);
    const flags = ["--models", "/nonexistent", "--public-url", line.origin, "--allow-origin", `http://127.0.0.1:${sitePort}`];
    [server, browser] = await Promise.all([Server.begin({ port, flags }), launch()]);
    const page = (lang) => `<!doctype html><html lang="${lang}"><head><meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
      <title>A shop</title><link rel="icon" href="data:,"></head><body><main><h1>A shop</h1><p>Words of the page.</p></main>
      <script src="${line.origin}/widget.js" async></script></body></html>`;
    site = await servePages(sitePort, Object.fromEntries(LOOKS.map(({ lang }) => [`/${lang}`, page(lang)])));
    staff = await openPage(browser);
    await becomeManager(staff.context, server);
    desk = new Console(staff.page);
    await staff.page.goto(`${server.origin}/desk/`);
    await desk.queue.waitFor();
  });

  after(async () => {
    site?.close();
    line?.close();
    await browser?.close();
    await server?.stop();
  });

  for (const { name, lang, ...screen } of LOOKS) {
    test(name, async () => {
      const seen = await openPage(browser, screen);
      const { page } = seen;
      let frame = null;
      const check = async (state) => {
        for (const document of [page.mainFrame(), frame].filter(Boolean)) {
          await document.evaluate(axe);
          // Behind a chat that covers the screen the page is inert, and has no landmarks to find.
          const values = document === frame ? RULES : RULES.filter((rule) => rule !== "best-practice");
          const options = { runOnly: { type: "tag", values }, iframes: false };
          const violations = await document.evaluate(async (given) => (await window.axe.run(document, given)).violations, options);
          const told = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, any }) => `${html.slice(0, 120)} ${any[0]?.message ?? ""}`).join("; ")}`);
          assert.deepEqual(told, [], `${state}, ${document === frame ? "the chat" : "the page"}`);
        }
      };
      // By class, because names are in another language each time.
      const part = (selector) => page.frameLocator("candor-chat iframe").locator(selector);
      const say = async (text) => {
        const before = await part(".message.bot:not(.typing)").count();
        await part("textarea").fill(text);
        await part("textarea").press("Enter");
        await until(async () => (await part(".message.bot:not(.typing)").count()) > before, `an answer to ${text}`);
      };

      await page.goto(`${site.origin}/${lang}`);
      await page.locator("candor-chat button").waitFor();
      await check("closed");
      await page.locator("candor-chat button").click();
      await part(".disclosure").waitFor();
      frame = await chatFrame(page);
      await until(() => part("textarea").isEnabled(), "the field can be typed into");
      await check("opened");
      await say("Where is my order?");
      await check("asked for a number");
      await say("JT-1042");
      await part(".thumb").first().click();
      await check("answered, thumbs up");
      await say("This is awful, I am so angry with you!!! Nothing works, again!");
      await say("You are useless!!! I have told you three times already, this is a disgrace!");
      await check("angry");

      line.refuse("GET /v1/chat");
      await part(".banner").waitFor();
      await part("textarea").fill("Written without a connection");
      await part("textarea").press("Enter");
      await part(".pending").waitFor();
      try {
        await check("no connection, a message waits");
      } finally {
        line.mend();
      }
      await part(".try").click({ timeout: 2_000 }).catch(() => {});
      await part(".banner").waitFor({ state: "hidden" });

      await staff.page.getByRole("radio", { name: "Away" }).click();
      if (await part(".human").first().isVisible()) await part(".human").first().click();
      await part("#left-text").waitFor();
      await check("nobody is there: a message can be left");
      await part("#left-text").fill("Please write to me.");
      await part(".form .primary").click();
      await part(".message.own .chip").waitFor();
      await check("a message is left");

      await staff.page.getByRole("radio", { name: "Online" }).click();
      await desk.rows("Waiting").first().getByRole("button").click();
      await desk.actions.getByRole("button", { name: "Claim" }).click();
      await part('.strip[data-owner="assigned"]').waitFor();
      await staff.page.getByRole("textbox", { name: "Reply" }).fill("Hello, I am here. See https://shop.example/help");
      await staff.page.keyboard.press("Enter");
      await part(".message.agent:not(.typing)").waitFor();
      await check("with a person");
      await desk.actions.getByRole("button", { name: "Close", exact: true }).click();
      await part(".score").first().waitFor();
      await check("asked for a rating");
      await part('.score input[value="4"]').check();
      await part(".form .primary").click();
      await part(".ended").waitFor();
      await check("rated");
      const menu = part(".menu-place > button");
      await menu.click();
      await check("the menu");
      await part(".menu").press("Escape");
      await part(".ended .quiet").click();
      await until(() => part("textarea").isEnabled(), "the conversation goes on");
      await menu.click();
      await part(".menu-item").last().click();
      await part('[role="alertdialog"]').waitFor();
      await check("asked before it is deleted");
      await part(".danger").click();
      await part(".news:not(:empty)").waitFor();
      await until(() => part("textarea").isEnabled(), "another conversation");
      await check("deleted");
      await say("Do you sell gift cards?");
      await menu.click();
      await part(".menu-item").nth(-2).click();
      await part(".score-row.ces").waitFor();
      await check("asked how easy it was");
      // Chromium tells of the refused handshakes.
      assert.deepEqual(seen.problems.filter((problem) => !problem.includes("/v1/chat' failed")), []);
      await seen.context.close();
    });
  }
});
