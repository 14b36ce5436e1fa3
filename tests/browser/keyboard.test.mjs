// The whole story without a mouse and without eyes: the customer's page is driven by keys alone, and what a screen
// reader finds in the chat is written out for each stage. The agent uses the keys of the desk.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { assertClean, launch, openPage, until } from "./helpers/browser.mjs";
import { Chat, Console, MANAGER, becomeManager } from "./helpers/faces.mjs";
import { Keys } from "./helpers/keys.mjs";
import { servePages } from "./helpers/network.mjs";
import { Server, freePort, promptValue } from "./helpers/server.mjs";

const QUESTION = "What would you charge me for posting a scarf to Spain?";
const ANGRY = [
  "Great, and the scarf from last month? I am sick and tired of waiting for it.",
  "This is ridiculous. Nobody tells me anything and I am really angry with you by now.",
  "How many more times do I have to ask? I am furious.",
];
const REPLY = "Hello, your scarf lay in the wrong van. It comes tomorrow.";
const COMMENT = "A person who knew something";

// Where Tab goes on the page of the shop, after the launcher, and on the chat's way into it.
const PAGE = ['link "The first link"', 'textbox "Search"'];
const MENU = 'button "Chat menu"';
const CLOSE = 'button "Close chat"';
const LOG = 'log "Conversation"';
const FIELD = 'textbox "Write a message"';
const SEND = 'button "Send"';

// What a screen reader finds in a message. Words of the bot are for other tests: here they are only words.
const WORDS = "<words>";
const entries = {
  own: (text) => [`- paragraph: ${text}`, "<sent>", "- time: <time>"],
  bot: (...more) => ["- text: AI assistant", WORDS, "- time: <time>", ...more],
  person: (text) => [`- text: ${MANAGER.name} Person`, `- paragraph: ${text}`, "- time: <time>"],
  notice: (text) => [`- paragraph: ${text}`],
};
const HELPFUL = ['- group "Was this helpful?":', '  - button "Helpful"', '  - button "Not helpful"'];
const OFFER = ['- button "Yes, please"', '- button "No, keep going"'];
const BEGINNING = ['- note "About this chat":', `  ${WORDS}`, "- text: AI assistant", WORDS];
const COMPOSER = ['- textbox "Write a message"', '- button "Send" [disabled]', "- paragraph: Enter sends, Shift and Enter starts a new line."];
const WAITING = ['- textbox "Write a message":', "  - /placeholder: Add something while you wait", ...COMPOSER.slice(1)];
const QUESTION_OF_RATING = "How did this go? Your rating helps us to answer better.";
const scores = (chosen) => [
  `- radiogroup "${QUESTION_OF_RATING}":`,
  `  - text: ${QUESTION_OF_RATING}`,
  ...["Very poor", "Poor", "Okay", "Good", "Very good"].map((word, at) => `  - radio "${at + 1} of 5, ${word}"${at + 1 === chosen ? " [checked]" : ""}`),
];

/** The dialog at one stage; `strip` is what is said of who is there, and what can be done about it. */
function panel({ who, strip = [], log, foot }) {
  const indent = (by, lines) => lines.map((line) => `${" ".repeat(by)}${line}`);
  // Only the newest message of the customer says that it is stored.
  const newest = log.lastIndexOf("<sent>");
  const said = log.flatMap((line, at) => (line !== "<sent>" ? [line] : at === newest ? ["- text: Sent"] : []));
  return [
    `- dialog "Juniper & Thread ${who}":`,
    ...indent(2, ['- heading "Juniper & Thread" [level=2]', `- paragraph: ${who}`, `- ${MENU}`, `- ${CLOSE}`, ...strip, "- status", '- log "Conversation":']),
    ...indent(4, said),
    ...indent(2, foot),
  ].join("\n");
}
const BOT = { who: "AI assistant", strip: ["- status: You are talking to an AI.", '- button "Talk to a person"'] };
const CLOSED = { who: "Conversation closed" };

/** Fails unless `found` is `expected`, in which `<words>` is any text without a control, and `<time>` a time. */
function assertSnapshot(found, expected, stage) {
  const pattern = expected
    .replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")
    .replace(/^ *<words>$/gm, String.raw`(?: *- (?:paragraph|text|strong|list|listitem|link|/url)\b.*\n?)+?`)
    .replace(/\)\+\?\n/g, ")+?")
    .replaceAll("<time>", String.raw`\d{1,2}:\d\d`);
  if (!new RegExp(`^${pattern}$`).test(found)) assert.equal(found, expected, stage);
}

describe("by keys alone, from the page to a rating and back", () => {
  let browser;
  let server;
  let site;
  let staff;
  let shop;
  let desk;
  let chat;
  let keys;
  const log = [...BEGINNING];
  let excused = 0; // pictures without a focus that were to be: as the chat opened, and as Tab went through the browser itself

  // Each step stands on the one before it, so after a failure the rest would only repeat it.
  let broken = false;
  const step = (name, act) => test(name, async (context) => {
    if (broken) return context.skip("an earlier step failed");
    broken = true;
    await act();
    broken = false;
    return undefined;
  });

  before(async () => {
    const port = await freePort();
    [server, browser] = await Promise.all([Server.begin({ flags: ["--allow-origin", `http://127.0.0.1:${port}`] }), launch()]);
    const page = `<!doctype html><html lang="en-GB"><head><title>A shop</title><link rel="icon" href="data:,"></head><body><h1>A shop</h1>
      <p><a href="#first">The first link</a></p><p><label>Search <input></label></p><script src="${server.origin}/widget.js" async></script></body></html>`;
    site = await servePages(port, { "/": page });
    [staff, shop] = await Promise.all([openPage(browser), openPage(browser)]);
    await becomeManager(staff.context, server);
    desk = new Console(staff.page);
    await staff.page.goto(`${server.origin}/desk/`);
    await desk.queue.waitFor();
    chat = new Chat(shop.page);
    keys = new Keys(shop.page, await (await browser.newContext()).newPage());
    await keys.watch();
  });

  after(async () => {
    site?.close();
    await browser?.close();
    await server?.stop();
  });

  /** What a stage has to be: where the focus is, what is there to be read, and where Tab goes. */
  async function stage(name, { focus, snapshot, stops }) {
    await keys.arrive(focus);
    assertSnapshot(await chat.panel.ariaSnapshot(), panel({ log, ...snapshot }), name);
    assert.equal((await keys.lost()) - excused, 0, `${name}: nothing had the focus for a moment`);
    const before = await keys.lost();
    assert.deepEqual(turned(await keys.round(), MENU), [MENU, CLOSE, ...stops, CLOSE, ...PAGE], `${name}: where Tab goes`);
    excused += (await keys.lost()) - before;
  }

  /** Types and sends; resolves when the bot has answered. */
  async function ask(text) {
    const before = await chat.answers.count();
    await keys.type(text);
    await keys.press("Enter");
    await until(async () => (await chat.answers.count()) > before, `an answer to "${text}"`);
    await chat.stored();
    log.push(...entries.own(text));
    return chat.lastAnswer();
  }

  step("Tab reaches the launcher; Enter opens the chat, whose log begins with the notice", async () => {
    await shop.page.goto(`${site.origin}/`);
    await chat.launcher.waitFor();
    assert.equal(await shop.page.locator("candor-chat").ariaSnapshot(), '- button "Open chat"');
    await keys.reach('button "Open chat"');
    await keys.press("Enter");
    await chat.disclosure.waitFor();
    await until(() => chat.field.isEnabled(), "the field can be typed into");
    await keys.arrive(FIELD);
    // A frame that is opened has the focus a moment before what is in it can take it.
    excused = await keys.lost();
    const notice = await chat.disclosure.innerText();
    assert.match(notice, /automated AI assistant, not a human/);
    assert.match(notice, /ask for a person at any time/);
    const described = await chat.field.getAttribute("aria-describedby");
    assert.ok(described.split(" ").includes(await chat.disclosure.locator("[id]").getAttribute("id")), "the notice is read with the field");
    assert.equal(await chat.own.count(), 0);
    assert.equal(await shop.page.locator("candor-chat").ariaSnapshot(), `- iframe\n- ${CLOSE} [expanded]`);
    assert.equal(await shop.page.locator("candor-chat iframe").getAttribute("title"), "Chat");
    await stage("opened", { focus: FIELD, snapshot: { ...BOT, foot: COMPOSER }, stops: ['button "Talk to a person"', LOG, FIELD, SEND] });
  });

  step("a routine question is answered", async () => {
    await keys.reach(FIELD);
    const answer = await ask(QUESTION);
    assert.ok(answer.includes(await promptValue("business.toml", "eu_cost")), answer);
    log.push(...entries.bot(...HELPFUL));
    await stage("answered", {
      focus: FIELD,
      snapshot: { ...BOT, foot: COMPOSER },
      stops: ['button "Talk to a person"', LOG, 'button "Helpful"', 'button "Not helpful"', FIELD, SEND],
    });
    log.splice(-HELPFUL.length);
  });

  step("anger brings the offer of a person", async () => {
    await keys.reach(FIELD);
    for (const [turn, text] of ANGRY.entries()) {
      await ask(text);
      log.push(...entries.bot());
      if (await chat.panel.getByRole("button", { name: "Yes, please" }).isVisible()) break;
      assert.ok(turn < ANGRY.length - 1, "no offer");
    }
    log.push(...OFFER);
    await stage("offered", {
      focus: FIELD,
      snapshot: { ...BOT, foot: COMPOSER },
      stops: ['button "Talk to a person"', LOG, 'button "Yes, please"', 'button "No, keep going"', FIELD, SEND],
    });
    log.splice(-OFFER.length);
  });

  step("the offer is accepted; the focus outlives the button, and the place in the queue is said", async () => {
    await keys.reach('button "Yes, please"', "Shift+Tab");
    await keys.press("Space");
    await chat.panel.getByRole("status").filter({ hasText: "You are next in line" }).waitFor();
    await chat.stored();
    log.push(...entries.own("Yes, please"), ...entries.bot(), ...entries.notice("Handed over. A person will join you here."));
    await stage("queued", {
      focus: FIELD,
      snapshot: { who: "Waiting for a person", strip: ["- status: You are next in line"], foot: WAITING },
      stops: [LOG, FIELD, SEND],
    });
  });

  step("an agent claims and answers by the keys of the desk; the customer reads a person's name", async () => {
    const { keyboard } = staff.page;
    const row = desk.rows("Waiting").first();
    await row.waitFor();
    // Samples may be in the list before it.
    await until(async () => {
      await keyboard.press("j");
      return row.evaluate((node) => node.contains(document.activeElement));
    }, "the cursor is on the one who waits");
    await keyboard.press("Enter");
    await desk.actions.getByRole("button", { name: "Claim" }).waitFor();
    await keyboard.press("c");
    await chat.panel.getByText(/You are talking to .*, a person\./).waitFor();
    await staff.page.getByRole("textbox", { name: "Reply" }).waitFor();
    await keyboard.press("r");
    await keyboard.type(REPLY);
    await keyboard.press("Enter");
    await chat.fromPeople.filter({ hasText: REPLY }).waitFor();
    log.push(...entries.notice(`${MANAGER.name} is here now. You are talking with a person.`), ...entries.person(REPLY));
    await stage("with a person", {
      focus: FIELD,
      snapshot: { who: `${MANAGER.name} · person`, strip: [`- status: You are talking to ${MANAGER.name}, a person.`], foot: COMPOSER },
      stops: [LOG, FIELD, SEND],
    });
  });

  step("the agent closes; arrows and Space rate, and a comment is written", async () => {
    await keys.reach(FIELD);
    await staff.page.keyboard.press("Escape");
    await staff.page.keyboard.press("e");
    await chat.panel.getByRole("radiogroup").waitFor();
    log.push(...entries.notice("This chat is closed. To ask something else, start a new one."));
    // The foot has it, whose field is gone: the next Tab is the rating.
    await stage("asked for a rating", {
      focus: "",
      snapshot: { ...CLOSED, foot: [...scores(), '- button "Skip"'] },
      stops: [LOG, 'radio "1 of 5, Very poor"', 'button "Skip"'],
    });
    await keys.reach('radio "1 of 5, Very poor"');
    await keys.press("Space");
    for (const name of ["2 of 5, Poor", "3 of 5, Okay", "4 of 5, Good", "5 of 5, Very good"]) {
      await keys.press("ArrowRight");
      assert.equal(await keys.here(), `radio "${name}"`);
    }
    await keys.press("ArrowLeft");
    const label = "Anything you would like to add? (optional)";
    await stage("rated by arrows", {
      focus: 'radio "4 of 5, Good"',
      snapshot: { ...CLOSED, foot: [...scores(4), `- text: ${label}`, `- textbox "${label}"`, '- button "Skip"', '- button "Send rating"'] },
      stops: [LOG, 'radio "4 of 5, Good"', `textbox "${label}"`, 'button "Skip"', 'button "Send rating"'],
    });
    await keys.reach(`textbox "${label}"`);
    await keys.type(COMMENT);
    await keys.reach('button "Send rating"');
    await keys.press("Enter");
    await chat.panel.getByRole("status").filter({ hasText: "You rated this conversation 4 of 5: Good." }).waitFor();
    await stage("rated", {
      focus: "",
      snapshot: { ...CLOSED, foot: ['- status: "Thank you. You rated this conversation 4 of 5: Good."', '- button "Continue this chat"', '- button "Start a new conversation"'] },
      stops: [LOG, 'button "Continue this chat"', 'button "Start a new conversation"'],
    });
    await staff.page.getByText(COMMENT).waitFor();
  });

  step("a new conversation begins with the notice", async () => {
    await keys.reach('button "Start a new conversation"');
    await keys.press("Space");
    await chat.disclosure.waitFor();
    await until(async () => (await chat.own.count()) === 0, "the old conversation is gone");
    log.splice(BEGINNING.length);
    await stage("begun anew", { focus: FIELD, snapshot: { ...BOT, foot: COMPOSER }, stops: ['button "Talk to a person"', LOG, FIELD, SEND] });
  });

  step("Escape closes it from within, and the focus is on the launcher", async () => {
    await keys.reach(FIELD);
    await keys.press("Escape");
    await keys.arrive('button "Open chat"');
    assert.equal(await chat.panel.isVisible(), false);
    assert.equal(await shop.page.locator("candor-chat").ariaSnapshot(), '- button "Open chat"');
    await keys.press("Space");
    await keys.arrive(FIELD);
    await keys.press("Escape");
    await keys.arrive('button "Open chat"');
    assert.deepEqual(turned(await keys.round(), 'button "Open chat"'), ['button "Open chat"', ...PAGE]);
  });

  step("no page had an error", () => assertClean(staff, shop));
});

/** The same round, begun at `first`. */
function turned(round, first) {
  // Two may have one name, the button in the chat and the launcher: the one behind the page's own comes first.
  const at = round.findIndex((name, index) => name === first && round.at(index - 1) === PAGE.at(-1));
  return [...round.slice(at), ...round.slice(0, at)];
}
