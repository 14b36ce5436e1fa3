// One visit of a host page in a fresh context: load, be quiet, open the chat, be quiet; and what that cost.
import { readFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { chromium } from "../../tests/browser/node_modules/playwright-core/index.mjs";
import { CATEGORIES, mainThread } from "./trace.mjs";

const SLOWDOWN = 4;
const QUIET = 1_000; // milliseconds without a new request
const PATIENCE = 60_000; // milliseconds for one step
const AXE = new URL("../../tests/browser/node_modules/axe-core/axe.min.js", import.meta.url);

/** A headless Chromium for which nothing but loopback exists. */
export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
      "--disable-sync", "--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
  });
}

/** A page of its own context, and every request of it and its frames. */
async function begin(browser) {
  const context = await browser.newContext({ viewport: { width: 1_280, height: 860 }, locale: "en-GB", timezoneId: "Europe/London" });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  const seen = { context, page, requests: [], sockets: [], refused: [], lately: Date.now() };
  const note = (list, url) => {
    const { protocol, hostname } = new URL(url);
    if (!["http:", "https:", "ws:", "wss:"].includes(protocol)) return;
    seen.lately = Date.now();
    (hostname === "127.0.0.1" ? list : seen.refused).push(url);
  };
  page.on("request", (request) => note(seen.requests, request.url()));
  page.on("requestfinished", () => { seen.lately = Date.now(); });
  page.on("websocket", (socket) => note(seen.sockets, socket.url()));
  return seen;
}

/** Resolves when nothing was asked for, and the main thread had nothing to do, for a while. */
async function quiet(seen, session) {
  const end = Date.now() + PATIENCE;
  for (let left = QUIET; left > 0; left = seen.lately + QUIET - Date.now()) {
    if (Date.now() > end) throw new Error(`${seen.page.url()} is never quiet`);
    await new Promise((resolve) => setTimeout(resolve, left));
    const asked = Date.now();
    await session.send("Runtime.evaluate", { expression: "1" });
    if (Date.now() - asked > QUIET / 4) seen.lately = Date.now();
  }
}

/** Requests without the host page's own document. */
const count = ({ requests, sockets }) => requests.length - 1 + sockets.length;

const shifts = (page) => page.evaluate(() => window.shifts.filter(({ hadRecentInput }) => !hadRecentInput).reduce((sum, { value }) => sum + value, 0));

async function heap(seen, session) {
  const sessions = [session];
  for (const frame of seen.page.frames().slice(1)) {
    // Only a frame in a process of its own has a session, and a heap, of its own.
    const own = await seen.context.newCDPSession(frame).catch(() => null);
    if (own) sessions.push(own);
  }
  let bytes = 0;
  for (const one of sessions) {
    await one.send("HeapProfiler.collectGarbage");
    await one.send("HeapProfiler.collectGarbage");
    bytes += (await one.send("Runtime.getHeapUsage")).usedSize;
  }
  return bytes;
}

/** Where to click; asked for before anything is measured. */
async function middle(locator) {
  await locator.waitFor();
  const { x, y, width, height } = await locator.boundingBox();
  return [x + width / 2, y + height / 2];
}

async function usable(locator) {
  await locator.waitFor();
  for (const end = Date.now() + PATIENCE; !(await locator.isEnabled()); ) {
    if (Date.now() > end) throw new Error("the composer cannot be typed into");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** What the main thread, the heap and the layout pay, on a processor four times as slow. */
export async function timed(browser, { launcher, composer }, url) {
  const seen = await begin(browser);
  const { page, context } = seen;
  let stop = null;
  const trace = async (act) => {
    await browser.startTracing(page, { categories: CATEGORIES });
    stop = () => browser.stopTracing();
    await act();
    stop = null;
    return browser.stopTracing();
  };
  try {
    const session = await context.newCDPSession(page);
    await session.send("Emulation.setCPUThrottlingRate", { rate: SLOWDOWN });
    const state = async (times) => ({ ...times, shift: await shifts(page), heap: await heap(seen, session) });
    const loading = await trace(async () => {
      await page.goto(url, { waitUntil: "load" });
      await quiet(seen, session);
    });
    const closed = await state(mainThread(loading, url));
    if (!launcher) return { closed, opened: null };
    const at = await middle(launcher(page));
    const opening = await trace(async () => {
      seen.lately = Date.now();
      await page.mouse.click(...at);
      await quiet(seen, session);
    });
    await usable(composer(page));
    return { closed, opened: await state(mainThread(opening)) };
  } finally {
    await stop?.();
    await context.close();
  }
}

/** What is fetched, by address, and what axe-core finds: at full speed, because neither takes time into account. */
export async function counted(browser, { launcher, composer }, url) {
  const seen = await begin(browser);
  const { page, context } = seen;
  try {
    const session = await context.newCDPSession(page);
    const bodies = [];
    page.on("response", (response) => {
      if (response.url() === url || !response.url().startsWith("http://127.0.0.1")) return;
      // An answer without a body, as to a preflight, has none to give.
      bodies.push(response.body().then((body) => ({ url: response.url(), bytes: gzipSync(body, { level: 9 }).length }), () => ({ url: response.url(), bytes: 0 })));
    });
    const axe = await readFile(AXE, "utf8");
    const state = async () => ({ files: await Promise.all(bodies), requests: count(seen), refused: [...seen.refused], violations: await violations(page, axe) });
    await page.goto(url, { waitUntil: "load" });
    await quiet(seen, session);
    await launcher?.(page).waitFor();
    const closed = await state();
    if (!launcher) return { closed, opened: null };
    await page.mouse.click(...(await middle(launcher(page))));
    await usable(composer(page));
    await quiet(seen, session);
    return { closed, opened: await state() };
  } finally {
    await context.close();
  }
}

/** Rules that axe-core finds broken, each with how many elements; across the page and its frames. */
async function violations(page, axe) {
  for (const frame of page.frames()) {
    await frame.evaluate(axe);
    await frame.evaluate(() => window.axe.configure({ allowedOrigins: ["<unsafe_all_origins>"] }));
  }
  const found = await page.evaluate(async () => (await window.axe.run(document)).violations);
  return found.map(({ id, impact, nodes, tags }) => ({ id, impact, elements: nodes.length, practice: tags.includes("best-practice") }));
}
