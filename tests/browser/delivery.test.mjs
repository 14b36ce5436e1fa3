// What must arrive arrives, once, whatever the line, the page and the server do meanwhile.
// Names with numbers are reports on other chat systems; the rest of them is in tests/it/rivals.rs.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { eventsOf, launch, openPage, until } from "./helpers/browser.mjs";
import { AGENT, Chat, Console, becomeManager, chatFrame, transcript } from "./helpers/faces.mjs";
import { Line } from "./helpers/network.mjs";
import { Server, freePort } from "./helpers/server.mjs";

let browser;
before(async () => { browser = await launch(); });
after(() => browser?.close());

/** A server behind a line, a customer on that line and a manager who is not. */
async function scene() {
  const [port, linePort] = [await freePort(), await freePort()];
  const line = new Line(linePort, port);
  const server = await Server.begin({ port, flags: ["--public-url", line.origin, "--models", "/nonexistent"] });
  const [customer, staff] = await Promise.all([openPage(browser), openPage(browser)]);
  await becomeManager(staff.context, server);
  const desk = new Console(staff.page);
  const chat = new Chat(customer.page);
  return {
    line, server, customer, staff, desk, chat,
    async withPerson() {
      await staff.page.goto(`${server.origin}/desk/`);
      await desk.queue.waitFor();
      await customer.page.goto(`${line.origin}/demo/`);
      await chat.open();
      await chat.personButton.click();
      await desk.rows("Waiting").first().getByRole("button").click();
      await desk.actions.getByRole("button", { name: "Claim" }).click();
      await chat.panel.getByText(/You are talking to .*, a person\./).waitFor();
    },
    async reply(words) {
      await staff.page.getByRole("textbox", { name: "Reply" }).fill(words);
      await staff.page.keyboard.press("Enter");
      await desk.messages.getByText(words).waitFor();
    },
    async end() {
      await Promise.all([customer.context.close(), staff.context.close()]);
      line.close();
      await server.stop();
    },
  };
}

function assertOnceInOrder(seen) {
  const places = eventsOf(seen).map((event) => event.seq);
  assert.deepEqual(places, places.map((_, index) => index + 1), "every event once, in order");
}

async function storedEvents({ staff, server, customer }) {
  const { conversation } = customer.sockets.flatMap((socket) => socket.received).find((frame) => frame.type === "welcome");
  return (await transcript(staff.context, server, conversation)).events;
}

describe("a dead line", () => {
  // A phone that comes back from the background has a socket that looks open and is dead.
  const WAKES = {
    pageshow: () => dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true })),
    visibilitychange: () => document.dispatchEvent(new Event("visibilitychange")),
    online: () => dispatchEvent(new Event("online")),
  };

  test("chatwoot_4335_reconnect_after_background", async () => {
    const all = await scene();
    try {
      await all.withPerson();
      for (const [name, wake] of Object.entries(WAKES)) {
        all.line.lose("up", "down");
        await all.reply(`While it was away: ${name}`);
        assert.equal(await all.chat.fromPeople.filter({ hasText: name }).count(), 0, "the line is dead");
        await (await chatFrame(all.customer.page)).evaluate(wake);
        // Far less than a ping takes to come round.
        const shown = () => all.chat.fromPeople.filter({ hasText: `While it was away: ${name}` }).count();
        await until(async () => (await shown()) === 1, `${name} brings the chat back`, 9_000);
      }
      assertOnceInOrder(all.customer);
    } finally {
      await all.end();
    }
  });

  test("rocketchat_36023_one_way_loss_is_noticed", async () => {
    for (const way of ["down", "up"]) {
      const all = await scene();
      try {
        await all.withPerson();
        all.line.lose(way);
        await all.chat.say(`Lost ${way}`);
        await all.reply(`Answer ${way}`);
        // The widget gives the socket up by itself: it asked, and nothing came back.
        await all.chat.fromPeople.filter({ hasText: `Answer ${way}` }).waitFor();
        await all.chat.stored();
        const said = (await storedEvents(all)).filter((event) => event.text === `Lost ${way}`);
        assert.equal(said.length, 1, "stored once, though it was sent twice");
        assert.ok(all.customer.sockets.length >= 2, "over a new socket");
        assertOnceInOrder(all.customer);
      } finally {
        await all.end();
      }
    }
  });
});

describe("the outbox", () => {
  test("what was not stored survives a reload, is shown as waiting, and is stored once", async () => {
    const all = await scene();
    try {
      await all.customer.page.goto(`${all.line.origin}/demo/`);
      await all.chat.open();
      await all.chat.ask("Hello");
      all.line.refuse("GET /v1/chat");
      await all.chat.panel.getByText(/Reconnecting/).waitFor();
      await all.chat.say("Written in a tunnel");
      await all.customer.page.reload();
      await all.chat.own.filter({ hasText: "Written in a tunnel" }).waitFor();
      await all.chat.own.filter({ hasText: "Written in a tunnel" }).getByText("Waits for the connection").waitFor();
      all.line.mend();
      await all.chat.stored();
      assert.equal(await all.chat.own.filter({ hasText: "Written in a tunnel" }).count(), 1);
      const stored = (await storedEvents(all)).filter((event) => event.text === "Written in a tunnel");
      assert.equal(stored.length, 1);
      const kept = await (await chatFrame(all.customer.page)).evaluate(() => sessionStorage.getItem("candor:chat:default"));
      assert.deepEqual(JSON.parse(kept).pending, [], "nothing waits any more");
    } finally {
      await all.end();
    }
  });

  test("who writes faster than is taken sees it wait, and nothing is refused or overtaken", async () => {
    const all = await scene();
    try {
      await all.withPerson();
      const lines = Array.from({ length: 17 }, (_, number) => `fast line ${number}`);
      for (const line of lines) await all.chat.say(line);
      await all.chat.own.last().getByText("Sending…").waitFor();
      await all.chat.stored();
      assert.equal(await all.chat.panel.getByText("Not sent").count(), 0);
      const refused = all.customer.sockets.flatMap((socket) => socket.received).filter((frame) => frame.code === "rate_limited");
      assert.ok(refused.length > 0, "it was faster than is taken");
      const said = (await storedEvents(all)).map((event) => event.text).filter((text) => text?.startsWith("fast line"));
      assert.deepEqual(said, lines);
    } finally {
      await all.end();
    }
  });
});

describe("the desk", () => {
  test("a reload loses neither what was sent nor what was typed", async () => {
    const all = await scene();
    const agent = await openPage(browser);
    try {
      await becomeAgent(all);
      await all.customer.page.goto(`${all.line.origin}/demo/`);
      await all.chat.open();
      const desk = new Console(agent.page);
      await desk.signIn(all.line.origin, AGENT);
      await all.chat.personButton.click();
      await desk.rows("Waiting").first().getByRole("button").click();
      await desk.actions.getByRole("button", { name: "Claim" }).click();
      await all.chat.panel.getByText(/You are talking to Dana/).waitFor();

      all.line.refuse("GET /v1/desk");
      const field = agent.page.getByRole("textbox", { name: "Reply" });
      await field.fill("Sent before the reload");
      await field.press("Enter");
      await field.fill("Only typed");
      await agent.page.reload();
      all.line.mend();
      await all.chat.fromPeople.filter({ hasText: "Sent before the reload" }).waitFor();
      await until(async () => (await field.inputValue()) === "Only typed", "the draft is back");
      const stored = (await storedEvents(all)).filter((event) => event.text === "Sent before the reload");
      assert.equal(stored.length, 1);
    } finally {
      await agent.context.close();
      await all.end();
    }
  });

  test("two tabs of one agent stay equal", async () => {
    const all = await scene();
    try {
      const second = await all.staff.context.newPage();
      const pages = [all.staff.page, second];
      for (const page of pages) {
        await page.goto(`${all.server.origin}/desk/`);
        await new Console(page).queue.waitFor();
      }
      await all.customer.page.goto(`${all.line.origin}/demo/`);
      await all.chat.open();
      await all.chat.personButton.click();
      const [one, other] = pages.map((page) => new Console(page));
      for (const desk of [one, other]) await desk.rows("Waiting").first().getByRole("button").click();
      await one.actions.getByRole("button", { name: "Claim" }).click();
      await until(async () => (await other.rows("Mine").count()) === 1, "the other tab has it too");
      await all.staff.page.getByRole("textbox", { name: "Reply" }).fill("From the first tab");
      await all.staff.page.keyboard.press("Enter");
      await other.messages.getByText("From the first tab").waitFor();
      await second.getByRole("textbox", { name: "Reply" }).fill("From the second tab");
      await second.keyboard.press("Enter");
      await one.messages.getByText("From the second tab").waitFor();
      const texts = async (desk) => (await desk.messages.innerText()).match(/From the \w+ tab/g);
      assert.deepEqual(await texts(one), await texts(other));
    } finally {
      await all.end();
    }
  });
});

test("a restart is announced, and the chat comes back by itself", async () => {
  const all = await scene();
  try {
    await all.customer.page.goto(`${all.line.origin}/demo/`);
    await all.chat.open();
    await all.chat.ask("Hello");
    await all.server.halt();
    const frames = all.customer.sockets.flatMap((socket) => socket.received);
    const notice = frames.find((frame) => frame.type === "restarting");
    assert.ok(notice && notice.retry_after_ms <= 1_100, JSON.stringify(notice));
    await all.chat.say("Said while it was down");
    await all.server.start();
    await all.chat.stored();
    assertOnceInOrder(all.customer);
  } finally {
    await all.end();
  }
});

async function becomeAgent({ staff, server }) {
  const made = await staff.context.request.post(`${server.origin}/v1/agents`, {
    headers: { origin: server.origin },
    data: { ...AGENT, role: "agent" },
  });
  assert.equal(made.status(), 201, await made.text());
}
