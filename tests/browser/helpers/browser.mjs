// Chromium, and what every test asks of every page: no script error, no failed request.
import assert from "node:assert/strict";
import { accessSync, mkdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { chromium } from "playwright-core";
import { ROOT } from "./server.mjs";

const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
export const PATIENCE = 20_000; // milliseconds for a condition, on a machine that builds at the same time

/** The installed Chromium; playwright-core brings none. */
function executable() {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const names = ["chromium", "chromium-browser", "google-chrome"].flatMap((name) => folders.map((folder) => join(folder, name)));
  const found = [process.env.CHROMIUM, "/usr/bin/chromium", ...names].find((path) => {
    try {
      accessSync(path);
      return true;
    } catch {
      return false;
    }
  });
  assert.ok(found, "no Chromium: install one, or name it in CHROMIUM");
  return found;
}

/** A headless Chromium. */
export function launch() {
  return chromium.launch({ executablePath: executable(), args: ARGUMENTS, headless: true });
}

/**
 * A page in a context of its own (own cookies, own storage). `problems` collects what went wrong on
 * it; `sockets` its WebSockets with the frames that came, `requests` every address it asked for.
 */
export async function openPage(browser, { width = 1280, height = 860, ...options } = {}) {
  const context = await browser.newContext({
    viewport: { width, height },
    locale: "en-GB",
    timezoneId: "Europe/London",
    colorScheme: "light",
    reducedMotion: "reduce",
    ...options,
  });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  const seen = { page, context, problems: [], sockets: [], requests: [] };
  watch(seen);
  return seen;
}

function watch({ page, problems, sockets, requests }) {
  page.on("pageerror", (error) => problems.push(`error: ${error.stack ?? error}`));
  page.on("console", (message) => {
    if (message.type() === "error" && !expected(message)) problems.push(`console: ${message.text()} (${message.location().url})`);
  });
  page.on("dialog", (dialog) => {
    problems.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("request", (request) => requests.push(request.url()));
  page.on("websocket", (socket) => {
    const record = { url: socket.url(), sent: [], received: [], closed: false };
    sockets.push(record);
    socket.on("framesent", ({ payload }) => record.sent.push(parse(payload)));
    socket.on("framereceived", ({ payload }) => record.received.push(parse(payload)));
    socket.on("close", () => { record.closed = true; });
  });
}

// Asking who is signed in, when nobody is: Chromium writes every 401 into the console.
function expected(message) {
  return message.text().includes("401") && new URL(message.location().url || "about:blank").pathname === "/v1/session";
}

function parse(payload) {
  try {
    return JSON.parse(payload);
  } catch {
    return { raw: String(payload) };
  }
}

/** Fails if anything went wrong on one of the pages. */
export function assertClean(...pages) {
  for (const { page, problems } of pages) assert.deepEqual(problems, [], `problems on ${page.url()}`);
}

/** All events that a page's sockets received, in order of arrival. */
export function eventsOf({ sockets }) {
  return sockets.flatMap((socket) => socket.received).filter((frame) => frame.type === "event");
}

/** Waits until `holds()` is true; `what` says what was waited for. */
export async function until(holds, what, patience = PATIENCE) {
  const end = Date.now() + patience;
  for (;;) {
    const value = await holds();
    if (value) return value;
    if (Date.now() > end) assert.fail(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** A function that writes a page's picture to target/<folder>/<name>.png. */
export function pictures(folder) {
  const path = join(ROOT, "target", folder);
  mkdirSync(path, { recursive: true });
  return async (page, name) => {
    // Web fonts are none, but pictures load late and the panel follows its content.
    await page.evaluate(() => Promise.all(Array.from(document.images, (image) => image.decode().catch(() => {}))));
    await page.screenshot({ path: join(path, `${name}.png`) });
  };
}
