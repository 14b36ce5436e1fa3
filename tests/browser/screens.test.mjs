// Pictures of the three faces on a phone and on a desk, light and dark, in target/screens/; and
// what a picture cannot show: nothing wider than the screen, no error in the console.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { assertClean, launch, openPage, pictures, until } from "./helpers/browser.mjs";
import { Chat, Console, becomeManager } from "./helpers/faces.mjs";
import { Server } from "./helpers/server.mjs";

const SCREENS = [
  { name: "390-light", width: 390, height: 844, colorScheme: "light" },
  { name: "390-dark", width: 390, height: 844, colorScheme: "dark" },
  { name: "1280-light", width: 1280, height: 800, colorScheme: "light" },
  { name: "1280-dark", width: 1280, height: 800, colorScheme: "dark" },
];
const LINES = [
  "Hi, where is my parcel? The number is JT-1045",
  "That is no help at all. I have been waiting for weeks and nobody answers me!",
  "This is ridiculous, I am so angry with you people!",
];

describe("pictures", () => {
  const snap = pictures("screens");
  let server;
  let browser;
  let cookies;
  let conversation;

  before(async () => {
    [server, browser] = await Promise.all([Server.begin(), launch()]);
    const first = await openPage(browser);
    await becomeManager(first.context, server);
    cookies = await first.context.cookies();
    // One conversation of our own that waits at the desk, so that each page has something to show.
    const customer = await openPage(browser);
    const chat = new Chat(customer.page);
    await customer.page.goto(`${server.origin}/demo/`);
    await chat.open();
    for (const line of LINES) await chat.ask(line);
    if (await chat.personButton.isVisible()) await chat.personButton.click();
    await chat.panel.getByText(/Nobody is here right now|in line|Waiting for a person/).first().waitFor();
    conversation = customer.sockets[0].received.find((frame) => frame.type === "welcome").conversation;
    await Promise.all([first.context.close(), customer.context.close()]);
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  for (const { name, ...screen } of SCREENS) {
    test(`the shop and the widget at ${name}`, async () => {
      const visit = await openPage(browser, screen);
      const chat = new Chat(visit.page);
      const keep = async (what) => {
        await assertFits(visit.page, `${what} at ${name}`);
        await snap(visit.page, `${what}-${name}`);
      };
      await visit.page.goto(`${server.origin}/demo/`);
      await chat.launcher.waitFor();
      await keep("shop");
      await chat.open();
      await keep("widget-open");
      await assertInside(chat.panel, screen);
      await chat.ask("What can I pay with?");
      await chat.ask("And where is JT-1042 now?");
      await keep("widget-answers");
      await chat.personButton.click();
      await chat.panel.getByText(/Nobody is here right now|in line|Waiting for a person/).first().waitFor();
      await keep("widget-waiting");
      await assertInside(chat.panel, screen);
      assertClean(visit);
      await visit.context.close();
    });

    test(`the desk and the manager's pages at ${name}`, async () => {
      const visit = await openPage(browser, screen);
      const { page } = visit;
      const keep = async (what) => {
        await assertFits(page, `${what} at ${name}`);
        await snap(page, `${what}-${name}`);
      };
      await page.goto(`${server.origin}/desk/`);
      await page.getByRole("button", { name: "Sign in" }).waitFor();
      await keep("sign-in");
      await visit.context.addCookies(cookies);
      await page.reload();
      const desk = new Console(page);
      await desk.rows("Waiting").first().waitFor();
      await keep("desk");
      await page.goto(`${server.origin}/desk/#/desk/${conversation}`);
      await desk.messages.getByText(LINES[2]).waitFor();
      await desk.messages.locator(".turn-slot").nth(2).waitFor();
      await keep("desk-conversation");
      const details = page.getByRole("button", { name: "Details" });
      if (await details.isVisible()) {
        await details.click();
        await page.getByRole("complementary", { name: "About this conversation" }).waitFor();
        await keep("desk-details");
      }
      await page.goto(`${server.origin}/desk/#/transcripts`);
      await page.getByRole("heading", { level: 1, name: "Transcripts" }).waitFor();
      await page.getByText(LINES[0]).waitFor();
      await keep("transcripts");
      await page.goto(`${server.origin}/desk/#/transcripts/${conversation}`);
      await page.getByRole("img", { name: /Frustration starts at/ }).waitFor();
      await keep("transcript");
      await page.getByRole("button", { name: "Open every decision" }).click();
      await page.getByText(LINES[2]).first().scrollIntoViewIfNeeded();
      await keep("transcript-decisions");
      await page.goto(`${server.origin}/desk/#/figures`);
      await page.getByRole("heading", { level: 1, name: "Figures" }).waitFor();
      await until(async () => (await page.getByText("Loading …").count()) === 0, "the figures are loaded");
      await keep("figures");
      await page.goto(`${server.origin}/desk/#/people`);
      await page.getByText("morgan@juniperandthread.example").waitFor();
      await keep("people");
      await page.goto(`${server.origin}/desk/#/install`);
      await page.getByRole("button", { name: "Copy" }).first().waitFor();
      await keep("install");
      assertClean(visit);
      await visit.context.close();
    });
  }
});

/** Nothing makes the page scroll sideways. */
async function assertFits(page, what) {
  const { scroll, client, widest } = await page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    const beyond = [...document.querySelectorAll("body *")].filter((node) => node.getBoundingClientRect().right > clientWidth + 1);
    return { scroll: scrollWidth, client: clientWidth, widest: beyond.slice(0, 3).map((node) => node.outerHTML.slice(0, 100)) };
  });
  assert.ok(scroll <= client, `${what} is ${scroll - client} px too wide: ${widest.join(" ")}`);
}

/** The chat lies wholly on the screen. */
async function assertInside(panel, { width, height }) {
  const box = await panel.boundingBox();
  assert.ok(box.x >= 0 && box.y >= 0 && box.x + box.width <= width && box.y + box.height <= height, JSON.stringify(box));
}
