// The manager's page for putting the chat on a site: what it writes for the choices that are made, the preview with
// the real widget, and the test of a page, which follows what the server sees.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, before, describe, test } from "node:test";
import { assertClean, launch, openPage, until } from "./helpers/browser.mjs";
import { Chat, becomeManager } from "./helpers/faces.mjs";
import { load } from "./helpers/fake.mjs";
import { servePages } from "./helpers/network.mjs";
import { Server, freePort } from "./helpers/server.mjs";

const { CHOICES, originOf, policy, snippet } = await load("console/snippet.js");

test("the tag has what was chosen, and nothing in it ends an attribute", () => {
  const origin = "https://chat.example";
  assert.equal(snippet(origin, CHOICES), '<script src="https://chat.example/widget.js" data-site="default" async></script>');
  const all = { accent: '"><b>&', position: "left", locale: "de", hidden: true, quiet: true };
  assert.equal(snippet(origin, all), '<script src="https://chat.example/widget.js" data-site="default" data-accent="&quot;>&lt;b>&amp;" data-position="left" data-locale="de" data-hidden data-no-triggers async></script>');
  assert.equal(policy(origin, CHOICES), "script-src https://chat.example; frame-src https://chat.example; connect-src https://chat.example;");
  assert.ok(!policy(origin, { quiet: true }).includes("connect-src"), "invitations alone ask for something");
});

test("an address is taken as somebody types it", () => {
  for (const [typed, origin] of [[" shop.example/coats?a=1 ", "https://shop.example"], ["http://localhost:8080", "http://localhost:8080"], ["javascript:alert(1)", null], ["", null], ["file:///etc", null]]) {
    assert.equal(originOf(typed), origin, typed);
  }
});

describe("the Install page", () => {
  let browser;
  let server;
  let site;
  let stranger;
  let staff;

  before(async () => {
    const [port, other] = [await freePort(), await freePort()];
    [server, browser] = await Promise.all([
      Server.begin({ flags: ["--models", "/nonexistent", "--allow-origin", `http://127.0.0.1:${port}`] }),
      launch(),
    ]);
    const page = `<!doctype html><html lang="en-GB"><head><title>A shop</title><link rel="icon" href="data:,"></head><body><h1>A shop</h1><script src="${server.origin}/widget.js" async></script></body></html>`;
    [site, stranger] = [await servePages(port, { "/": page }), await servePages(other, { "/": page })];
    staff = await openPage(browser, { width: 1280, height: 1000 });
    await becomeManager(staff.context, server);
    await staff.page.goto(`${server.origin}/desk/#/install`);
    await staff.page.getByRole("textbox", { name: "Colour", exact: true }).waitFor();
  });

  after(async () => {
    site?.close();
    stranger?.close();
    await browser?.close();
    await server?.stop();
  });

  test("what is chosen is in the snippet and on the preview, and what is no colour is said", async () => {
    const { page } = staff;
    const code = page.getByLabel("Embed snippet");
    const colour = page.getByRole("textbox", { name: "Colour", exact: true });
    assert.match(await code.innerText(), /data-site="default" async>/);
    await colour.fill("no colour");
    await colour.press("Tab");
    await page.getByText("This is no colour.").waitFor();
    assert.ok(!(await code.innerText()).includes("no colour"));
    await colour.fill("#f5c518");
    await colour.press("Tab");
    await page.getByText(/dark text on it has a contrast of 1\d\.\d : 1/).waitFor();
    await page.getByLabel("Side").selectOption("left");
    await page.getByLabel("Language", { exact: true }).selectOption("de");
    await page.getByLabel("No invitations").check();
    assert.match(await code.innerText(), /data-accent="#f5c518" data-position="left" data-locale="de" data-no-triggers async>/);
    const preview = page.frameLocator(".preview-frame");
    const launcher = preview.getByRole("button", { name: "Chat öffnen" });
    await launcher.waitFor();
    await until(async () => (await launcher.evaluate((node) => getComputedStyle(node).backgroundColor)) === "rgb(245, 197, 24)", "the colour");
    const { x } = await launcher.boundingBox();
    const frame = await page.locator(".preview-frame").boundingBox();
    assert.ok(x - frame.x < frame.width / 2, "on the left");
    await page.locator(".preview-frame").evaluate((node) => node.scrollIntoView({ block: "center" }));
    await launcher.click();
    await preview.frameLocator("candor-chat iframe").getByRole("textbox").waitFor();
    await page.getByRole("button", { name: "Phone" }).click();
    await until(async () => (await page.locator(".preview-frame").boundingBox()).width <= 390, "as wide as a phone");
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.getByRole("button", { name: "Copy" }).first().click();
    await page.getByText("Copied").waitFor();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), await code.innerText());
  });

  test("a test of a page follows what the server sees of it", async () => {
    const { page } = staff;
    const address = page.getByLabel("Address of one of your pages");
    const done = () => page.locator(".step.done .step-name").allInnerTexts();
    await address.fill("not an address at all");
    await address.press("Enter");
    await page.getByText("This is no address of a page").waitFor();
    await address.fill(`${site.origin}/coats`);
    await address.press("Enter");
    await until(async () => (await done()).length === 1, "allowed, and nothing else yet");
    const shop = await openPage(browser);
    await shop.page.goto(site.origin);
    await new Chat(shop.page).launcher.waitFor();
    await until(async () => (await done()).length === 2, "the script");
    await new Chat(shop.page).open();
    await until(async () => (await done()).length === 4, "the chat, and its connection");
    assert.deepEqual((await done()).map((name) => name.replace(/\s*:\s*/, ": ")), ["May embed the chat: yes", "Has asked for the script: yes", "Has opened the chat: yes", "Is connected: yes"]);

    await shop.page.goto(stranger.origin);
    await new Chat(shop.page).launcher.click();
    await address.fill(stranger.origin);
    await address.press("Enter");
    await page.getByText(`--allow-origin ${stranger.origin}`).waitFor();
    await page.getByText("it was refused").waitFor();
    await shop.context.close();
    assertClean(staff);
  });

  test("axe-core finds nothing, wide and narrow, light and dark", async () => {
    const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
    const { page } = staff;
    for (const [width, colorScheme] of [[1280, "light"], [390, "dark"]]) {
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme });
      await page.evaluate(axe);
      const violations = await page.evaluate(async () => (await window.axe.run(document, { iframes: false })).violations);
      assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join("; ")}`), []);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "nothing is wider than the window");
    }
  });
});
