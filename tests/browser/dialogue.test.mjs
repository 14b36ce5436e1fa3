// What the bot does for a customer over several turns, in a real browser against the demo shop: look-ups,
// corrections, follow-ups, side questions, a return from its first word to its number, also when the shop's
// system is slow, wrong or down.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { assertClean, launch, openPage, until } from "./helpers/browser.mjs";
import { Chat } from "./helpers/faces.mjs";
import { Server } from "./helpers/server.mjs";

let browser;
let server;
before(async () => {
  browser = await launch();
  server = await Server.begin();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

/** A visitor with an open chat on the demo shop. */
async function visitor() {
  const visit = await openPage(browser);
  const chat = new Chat(visit.page);
  await visit.page.goto(`${server.origin}/demo/`);
  await chat.open();
  return { visit, chat };
}

/** The buttons under the bot's newest message. */
function options(chat) {
  return chat.log.locator(".options button");
}

/** Presses one of them and gives the bot's next words. */
async function choose(chat, label) {
  const before = await chat.answers.count();
  await options(chat).filter({ hasText: label }).first().click();
  await until(async () => (await chat.answers.count()) > before, `an answer to "${label}"`);
  return chat.lastAnswer();
}

async function leave({ visit }) {
  assertClean(visit);
  await visit.context.close();
}

describe("look-ups", () => {
  test("an order is looked up, corrected, and another one asked for", async () => {
    const guest = await visitor();
    const { chat } = guest;
    assert.match(await chat.ask("where is my order?"), /order number/);
    assert.match(await chat.ask("1042"), /JT-1042.*on its way/);
    assert.match(await chat.ask("no sorry, I meant JT-1043"), /JT-1043.*being prepared/);
    assert.match(await chat.ask("and JT-1044?"), /JT-1044.*delivered/);
    assert.match(await chat.ask("where is JT-1999"), /no order with the number JT-1999/);
    await leave(guest);
  });

  test("no number after two questions brings the offer of a person", async () => {
    const guest = await visitor();
    const { chat } = guest;
    assert.match(await chat.ask("where is my order?"), /order number/);
    assert.match(await chat.ask("I lost it"), /could not find an order number|look like/i);
    await chat.ask("I really do not have it");
    await chat.panel.getByRole("button", { name: "Yes, please", exact: true }).waitFor();
    await leave(guest);
  });

  test("stock is told for an article and a size, and a follow-up asks for another size", async () => {
    const guest = await visitor();
    const { chat } = guest;
    const first = await chat.ask("is the linen shirt in stock in a medium?");
    assert.match(first, /linen shirt/i);
    assert.match(await chat.ask("and in a large?"), /linen shirt/i);
    await leave(guest);
  });

  for (const [number, fault] of [["JT-1090", "answers too late"], ["JT-1091", "answers with HTML"], ["JT-1092", "fails"], ["JT-1093", "sends us elsewhere"], ["JT-1094", "sends too much"]]) {
    test(`the customer is told when the shop's system ${fault}`, async () => {
      const guest = await visitor();
      const { chat } = guest;
      const asked = Date.now();
      assert.match(await chat.ask(`where is ${number}?`), /cannot reach our order system/);
      assert.ok(Date.now() - asked < 15_000, "nobody waits for a system that does not answer");
      assert.match(await chat.ask("what are your opening hours?"), /Monday/, "and the chat goes on");
      await leave(guest);
    });
  }
});

describe("a return in several turns", () => {
  test("buttons, a side question, a reload and a correction lead to a return number", async () => {
    const guest = await visitor();
    const { visit, chat } = guest;
    assert.match(await chat.ask("I want to start a return"), /order number/);
    assert.match(await chat.ask("JT-1048"), /Which item/);
    const aside = await chat.ask("how long does a refund take?");
    assert.match(aside, /working days/);
    assert.match(aside, /Which item/, "the question that is open comes again");
    await chat.stored();
    await visit.page.reload();
    await until(async () => (await chat.answers.count()) >= 3 || (await chat.launcher.isVisible()), "the page is back");
    if (await chat.launcher.isVisible()) await chat.launcher.click();
    await until(async () => (await chat.answers.count()) >= 3, "the conversation is back after the reload");
    await until(async () => (await options(chat).count()) >= 3, "the order's items are buttons");
    const item = await options(chat).first().innerText();
    assert.match(await choose(chat, item), /Why is it going back/);
    assert.match(await choose(chat, "Too big"), /Shall I start the return/);
    const changed = await chat.ask("sorry, actually it is too small");
    assert.match(changed, /Too small/);
    assert.match(await choose(chat, "Yes, start the return"), /Your return is started: RT-\d{4}/);
    const number = /RT-\d{4}/.exec(await chat.lastAnswer())[0];
    assert.match(await chat.ask(`how is return ${number} going?`), /waiting for your parcel/);
    await leave(guest);
  });

  test("never mind sends nothing", async () => {
    const guest = await visitor();
    const { chat } = guest;
    assert.match(await chat.ask("start a return for JT-1044"), /Which item|Why is it going back/);
    assert.match(await chat.ask("never mind"), /no return was started/);
    assert.match(await chat.ask("how do I return something?"), /return/i);
    await leave(guest);
  });

  for (const [number, words] of [["JT-1043", /not been delivered/], ["JT-1092", /cannot reach our order system/]]) {
    test(`a return of ${number} is not started, and why is said`, async () => {
      const guest = await visitor();
      assert.match(await guest.chat.ask(`start a return for ${number}`), words);
      await leave(guest);
    });
  }

  for (const [number, words] of [["JT-1098", /did not take this return/], ["JT-1099", /did not confirm the return/]]) {
    test(`a shop that says no or fails at the end is told as it is (${number})`, async () => {
      const guest = await visitor();
      const { chat } = guest;
      await chat.ask(`start a return for ${number}`);
      for (let step = 0; step < 3 && !/Shall I start/.test(await chat.lastAnswer()); step += 1) {
        await choose(chat, /Why is it/.test(await chat.lastAnswer()) ? "Faulty" : await options(chat).first().innerText());
      }
      assert.match(await choose(chat, "Yes, start the return"), words);
      await leave(guest);
    });
  }
});

describe("context", () => {
  test("a follow-up is read with the question before it", async () => {
    const guest = await visitor();
    const { chat } = guest;
    assert.match(await chat.ask("how much is delivery?"), /£3\.95/);
    assert.match(await chat.ask("and to Canada?"), /£14\.95|world|countries/i);
    await leave(guest);
  });

  test("two questions in one message are both answered", async () => {
    const guest = await visitor();
    const { chat } = guest;
    const both = await chat.ask("What are your opening hours? And how long do refunds take?");
    assert.match(both, /10 am/);
    assert.match(both, /working days/);
    await leave(guest);
  });

  test("thumbs down brings the offer of a person", async () => {
    const guest = await visitor();
    const { chat } = guest;
    await chat.ask("what are your opening hours?");
    await chat.panel.getByRole("button", { name: "Not helpful", exact: true }).click();
    await chat.panel.getByRole("button", { name: "Yes, please", exact: true }).waitFor();
    await leave(guest);
  });

  test("another language gets one sentence of its own, marked for screen readers", async () => {
    const guest = await visitor();
    const { chat } = guest;
    await chat.ask("Guten Tag, ich habe vor zwei Wochen einen Mantel bestellt und er ist noch nicht da.");
    assert.ok(await chat.log.locator('[lang="de"]').count(), "the sentence says which language it is");
    await leave(guest);
  });
});
