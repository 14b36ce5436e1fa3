// What a customer does with the widget and staff do with the console, in their own terms: roles and
// names, as a screen reader would find them. The chat is in a frame within the widget's shadow root.
import assert from "node:assert/strict";
import { PATIENCE, until } from "./browser.mjs";

/** The chat on a page. */
export class Chat {
  constructor(page) {
    this.page = page;
    this.panel = page.frameLocator("candor-chat iframe").getByRole("dialog");
    this.log = this.panel.getByRole("log", { name: "Conversation" });
    this.disclosure = this.log.getByRole("note", { name: "About this chat" });
    this.launcher = page.getByRole("button", { name: /^Open chat/ });
    this.field = this.panel.getByRole("textbox", { name: "Write a message" });
    this.personButton = this.panel.getByRole("button", { name: "Talk to a person" });
    // A message of the bot has no role of its own; its label is asserted where it matters.
    this.answers = this.log.locator(".message.bot:not(.typing) .bubble");
    this.own = this.log.locator(".message.own");
    this.fromPeople = this.log.locator(".message.agent:not(.typing)");
  }

  /** Opens the panel and waits until something can be typed. */
  async open() {
    await this.launcher.click();
    await this.disclosure.waitFor();
    await until(() => this.field.isEnabled(), "the field can be typed into");
  }

  /** Types and sends; resolves when the message is in the log. */
  async say(text) {
    const before = await this.own.count();
    await this.field.fill(text);
    await this.field.press("Enter");
    await until(async () => (await this.own.count()) > before, `"${text}" is in the log`);
  }

  /** Says `text`, waits for the bot's next message and gives its words. */
  async ask(text) {
    const before = await this.answers.count();
    await this.say(text);
    await until(async () => (await this.answers.count()) > before, `an answer to "${text}"`);
    return this.lastAnswer();
  }

  /** The words of the bot's newest message. */
  async lastAnswer() {
    return (await this.answers.last().innerText()).replace(/\s+/g, " ").trim();
  }

  /** Resolves when the newest message of the customer is stored by the server. */
  async stored() {
    await this.own.last().getByText("Sent", { exact: true }).waitFor();
  }
}

/** The chat's own document on a page, once it is loaded. */
export function chatFrame(page) {
  return until(() => page.frames().find((frame) => new URL(frame.url()).pathname === "/chat/"), "the chat's frame");
}

/** The accessible name of what has the focus, also inside the widget and its frame; "" on the page itself. */
export async function focused(page) {
  const name = () => {
    let node = document.activeElement;
    while (node?.shadowRoot?.activeElement) node = node.shadowRoot.activeElement;
    if (node?.localName === "iframe") return null;
    if (!node || node === document.body) return "";
    return node.getAttribute("aria-label") ?? node.labels?.[0]?.textContent ?? (node.textContent.trim() || node.localName);
  };
  return (await page.evaluate(name)) ?? (await chatFrame(page)).evaluate(name);
}

/** The console on a page. */
export class Console {
  constructor(page) {
    this.page = page;
    this.queue = page.getByRole("navigation", { name: "Conversations" });
    this.actions = page.getByRole("toolbar", { name: "Actions" });
    this.messages = page.getByRole("region", { name: "Messages" });
  }

  /** A section of the queue by its heading. */
  section(title) {
    return this.queue.getByRole("group").filter({ has: this.page.getByRole("heading", { name: title, exact: true }) });
  }

  /** The rows of real customers in a section of the queue. */
  rows(title) {
    return this.section(title).getByRole("listitem").filter({ hasNotText: "Sample" });
  }

  /** Goes to one of the pages in the navigation. */
  async go(name) {
    await this.page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name }).click();
    await this.page.getByRole("heading", { level: 1, name, exact: true }).waitFor({ state: "attached" });
  }

  async signIn(origin, { email, password }) {
    await this.page.goto(`${origin}/desk/`);
    await this.page.getByLabel("E-mail").fill(email);
    await this.page.getByLabel("Password").fill(password);
    await this.page.getByRole("button", { name: "Sign in" }).click();
    await this.queue.waitFor();
  }
}

export const MANAGER = { name: "Morgan Vale", email: "morgan@juniperandthread.example", password: "four unrelated green words" };
export const AGENT = { name: "Dana", email: "dana@juniperandthread.example", password: "another set of plain words" };

/**
 * Makes the first manager over HTTP and leaves the session's cookie in `context`; for tests whose
 * subject is not the first run itself.
 */
export async function becomeManager(context, server) {
  const token = new URL(server.setupLink.replace("/#/", "/")).searchParams.get("token");
  const made = await context.request.post(`${server.origin}/v1/setup`, {
    headers: { origin: server.origin },
    data: { token, ...MANAGER },
    timeout: PATIENCE,
  });
  assert.equal(made.status(), 200, await made.text());
}

/** Every event of a conversation as staff see it. */
export async function transcript(context, server, conversation) {
  const answer = await context.request.get(`${server.origin}/v1/transcripts/${conversation}`);
  assert.equal(answer.status(), 200, await answer.text());
  return answer.json();
}
