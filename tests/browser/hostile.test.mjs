// No text of a customer ever becomes markup or script: over 150 ways to try, in every field that a customer
// controls, on every page that shows it.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { assertClean, launch, openPage, until } from "./helpers/browser.mjs";
import { Chat, Console, becomeManager } from "./helpers/faces.mjs";
import { PAYLOADS, packed } from "./helpers/payloads.mjs";
import { Server } from "./helpers/server.mjs";

let browser;
before(async () => { browser = await launch(); });
after(() => browser?.close());

describe("hostile text", () => {
  let server;
  let staff;
  let desk;

  before(async () => {
    assert.ok(PAYLOADS.length >= 150, `${PAYLOADS.length} payloads`);
    // The rules read faster than the model; what they read is shown the same way.
    server = await Server.begin({ flags: ["--models", "/nonexistent"] });
    staff = await openPage(browser);
    await becomeManager(staff.context, server);
    desk = new Console(staff.page);
  });

  after(async () => {
    await staff?.context.close();
    await server?.stop();
  });

  const goToDesk = async () => {
    await staff.page.goto(`${server.origin}/desk/`);
    await desk.queue.waitFor();
    await watchForMarkup(staff.page);
  };
  const openOwn = ({ sockets }) => {
    const { conversation } = sockets.flatMap(({ received }) => received).find(({ type }) => type === "welcome");
    return staff.page.evaluate((id) => { location.hash = `#/desk/${id}`; }, conversation);
  };

  test("said: in the widget, on the desk, in the search and in the transcript", async () => {
    // Somebody is there, so the field stays when the bot gives up on such a customer.
    await goToDesk();
    const customer = await openPage(browser);
    const chat = new Chat(customer.page);
    await customer.page.goto(`${server.origin}/demo/?${encodeURIComponent(PAYLOADS[0])}#${encodeURIComponent(PAYLOADS[1])}`);
    await chat.open();
    await watchForMarkup(customer.page);
    const texts = packed(1_800);
    for (const text of texts) {
      await chat.say(text);
      await chat.stored();
    }
    const shown = (await chat.own.allInnerTexts()).join("\n");
    for (const payload of PAYLOADS) assert.ok(shown.includes(payload), `${payload} is not shown as it was typed`);
    await assertOnlyText(customer.page, "the widget");
    await customer.page.reload();
    await until(async () => (await chat.own.count()) === texts.length, "the whole log after a reload");
    await watchForMarkup(customer.page);
    await assertOnlyText(customer.page, "the widget after a reload");

    await openOwn(customer);
    await until(async () => {
      const all = await desk.messages.innerText();
      return PAYLOADS.every((payload) => all.includes(payload));
    }, "every payload on the desk, as it was typed");
    await assertOnlyText(staff.page, "the desk");

    await desk.go("Transcripts");
    await staff.page.getByRole("searchbox", { name: "Search the transcripts" }).fill("onerror");
    const row = staff.page.getByRole("listitem").filter({ has: staff.page.locator("mark", { hasText: "onerror" }) });
    await row.first().waitFor();
    await assertOnlyText(staff.page, "the list of transcripts");
    await row.first().getByRole("link").click();
    await staff.page.getByRole("button", { name: "Open every decision" }).click();
    await until(async () => {
      const all = await staff.page.locator("body").innerText();
      return PAYLOADS.every((payload) => all.includes(payload));
    }, "every payload in the transcript");
    await assertOnlyText(staff.page, "the transcript");
    assertClean(customer, staff);
    await customer.context.close();
  });

  test("left as a message with an address, given as a rating's comment, drafted and not sent", async () => {
    await goToDesk();
    const customer = await openPage(browser);
    const chat = new Chat(customer.page);
    await customer.page.goto(`${server.origin}/demo/`);
    await chat.open();
    await watchForMarkup(customer.page);
    const text = packed(3_900)[0];
    await chat.field.fill(text);
    await chat.say(text);
    await chat.field.fill(PAYLOADS.at(-1));
    await customer.page.reload();
    await until(async () => (await chat.field.inputValue()) === PAYLOADS.at(-1), "the draft after a reload");
    await assertOnlyText(customer.page, "the draft");

    // Nobody takes conversations any more.
    await staff.page.getByRole("radio", { name: "Away" }).click();
    await chat.personButton.click();
    await chat.panel.getByRole("textbox", { name: "Your message" }).fill(text);
    await chat.panel.getByRole("textbox", { name: /^Email/ }).fill("<img/src/onerror=boom()>@evil.example");
    await chat.panel.getByRole("button", { name: "Leave message" }).click();
    // The browser knows that this is no address; one that it takes goes through.
    await chat.panel.getByText("does not look complete").waitFor();
    await chat.panel.getByRole("textbox", { name: /^Email/ }).fill("boom'{{7*7}}`|&@evil.example");
    await chat.panel.getByRole("button", { name: "Leave message" }).click();
    await chat.panel.getByText("Message left").waitFor();
    await assertOnlyText(customer.page, "the message that was left");

    await staff.page.getByRole("radio", { name: "Online" }).click();
    await openOwn(customer);
    await desk.actions.getByRole("button", { name: "Claim" }).click();
    await desk.messages.getByText("boom'{{7*7}}`|&@evil.example").first().waitFor();
    await assertOnlyText(staff.page, "the message at the desk");
    await desk.actions.getByRole("button", { name: "Close", exact: true }).click();
    await chat.panel.getByRole("radio", { name: "2 of 5, Poor" }).check();
    await chat.panel.getByRole("textbox", { name: /like to add/ }).fill(packed(900)[0]);
    await chat.panel.getByRole("button", { name: "Send rating" }).click();
    await chat.panel.getByText("You rated this conversation").waitFor();
    await desk.go("Transcripts");
    await staff.page.getByRole("listitem").filter({ hasText: "CSAT 2/5" }).first().getByRole("link").click();
    await staff.page.getByText(packed(900)[0].split("\n")[0]).first().waitFor();
    await assertOnlyText(staff.page, "the comment in the transcript");
    assertClean(customer, staff);
    await customer.context.close();
  });

  test("where a client of its own says that it is, and which language it speaks", async () => {
    await goToDesk();
    const customer = await openPage(browser);
    await customer.page.goto(`${server.origin}/demo/`);
    for (const payload of PAYLOADS.filter((_, index) => index % 12 === 0)) {
      await customer.page.evaluate(async ({ payload, address }) => {
        const socket = new WebSocket(address, "candor.v1");
        await new Promise((resolve, reject) => {
          socket.onopen = () => socket.send(JSON.stringify({ type: "hello", site: "default", locale: payload.slice(0, 35), page: `https://shop.example/${payload}` }));
          socket.onmessage = ({ data }) => {
            const { type } = JSON.parse(data);
            if (type === "resumed" || type === "welcome") socket.send(JSON.stringify({ type: "human", id: crypto.randomUUID() }));
            if (type === "ack") resolve();
          };
          socket.onclose = reject;
        });
        socket.onclose = null;
        socket.close();
      }, { payload, address: `${server.origin.replace("http", "ws")}/v1/chat` });
    }
    const rows = desk.rows("Waiting");
    await until(async () => (await rows.count()) >= 13, "all of them at the desk");
    for (let index = 0; index < 13; index += 1) {
      await rows.nth(index).getByRole("button").click();
      await desk.messages.waitFor();
      const details = staff.page.getByRole("button", { name: "Details" });
      if (await details.isVisible()) await details.click();
      await staff.page.getByRole("complementary", { name: "About this conversation" }).waitFor();
      await assertOnlyText(staff.page, `the details of row ${index}`);
    }
    // The chat's own address is something that anybody can write into a link.
    const link = await openPage(browser);
    await link.page.goto(`${server.origin}/chat/?accent=${encodeURIComponent("red;}</style><img src=x onerror=boom()>")}&host=javascript:boom()#${encodeURIComponent(PAYLOADS[0])}`);
    await link.page.getByRole("dialog").waitFor();
    await assertOnlyText(link.page, "the chat's own page");
    assertClean(customer, staff, link);
    await Promise.all([customer.context.close(), link.context.close()]);
  });
});

/** From now on, `boom()` and every new element of a kind that text must not make is counted. */
async function watchForMarkup(page) {
  for (const frame of page.frames()) {
    await frame.evaluate(() => {
      window.executed = 0;
      window.boom = () => { window.executed += 1; };
    });
  }
}

async function assertOnlyText(page, where) {
  for (const frame of page.frames()) assert.deepEqual(await frame.evaluate(markup), { executed: 0, made: [] }, `${where}: ${frame.url()}`);
}

function markup() {
  const roots = [document.documentElement, ...[...document.querySelectorAll("*")].flatMap((node) => node.shadowRoot ?? [])];
  const all = roots.flatMap((root) => [...root.querySelectorAll("*")]);
  // Those of the page itself have an address of the server or belong to its own drawing.
  const made = all.filter((node) => {
    const name = node.localName;
    if (name === "iframe") return node.getRootNode().host?.localName !== "candor-chat" || node.srcdoc !== "";
    if (["object", "embed", "style", "base", "form[action]"].includes(name)) return true;
    if (name === "script") return !node.src.startsWith(location.origin);
    if (name === "img") return !node.src.startsWith(location.origin);
    if (name === "a") return !["http:", "https:", "mailto:"].includes(new URL(node.href, location.href).protocol);
    return false;
  });
  const handlers = all.filter((node) => [...node.attributes].some((attribute) => attribute.name.startsWith("on")));
  return { executed: window.executed ?? 0, made: [...made, ...handlers].map((node) => node.outerHTML.slice(0, 120)) };
}
