// A page as somebody has it who uses no mouse: keys alone. It looks at where the focus is and whether that can be
// seen; nothing here clicks, fills, moves the focus or changes a page by anything but a key.
import assert from "node:assert/strict";
import { until } from "./browser.mjs";

const AT_MOST = 40; // presses, far more than a page of these tests has stops
const MARGIN = 8; // px around an element, in which its indicator may be drawn
const CONTRAST = 3; // between what is drawn there with the focus and without (WCAG 2.2, 2.4.13)
const BRIEF = { timeout: 1_000 };
const OUTSIDE = "the browser"; // between the last stop of a page and its first

export class Keys {
  #page;
  #judge;
  #inside;
  #judged = new Set(); // what was seen with and without the focus, and where

  /** @param {import("playwright-core").Page} page @param judge an empty page of any context, which compares pictures */
  constructor(page, judge) {
    this.#page = page;
    this.#judge = judge;
    this.#inside = page.frameLocator("candor-chat iframe").locator(":focus");
  }

  /** Before the page is loaded: counts each picture that is drawn while nothing on it has the focus, though the chat is open. */
  async watch() {
    await this.#page.addInitScript(() => {
      window.unfocused = [];
      const look = () => {
        const chat = document.querySelector("candor-chat");
        const open = chat ? chat.opened : document.querySelector("[role=dialog]");
        if (open && document.hasFocus() && document.activeElement === document.body) window.unfocused.push(performance.now());
        requestAnimationFrame(look);
      };
      look();
    });
  }

  /** How often nothing had the focus so far. */
  async lost() {
    const counts = await Promise.all(this.#page.frames().map((frame) => frame.evaluate(() => window.unfocused.length)));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  press(key) {
    return this.#page.keyboard.press(key);
  }

  type(text) {
    return this.#page.keyboard.type(text);
  }

  /** What has the focus, as a screen reader names it: `button "Send"`; `""` is something without role and name. */
  async here() {
    return (await this.#look()).said;
  }

  async #look() {
    for (;;) {
      try {
        return await this.#lookOnce();
      } catch (error) {
        // It has moved on while it was looked at.
        if (error.name !== "TimeoutError") throw error;
      }
    }
  }

  async #lookOnce() {
    // To its page, a frame that has the focus is the active element and not in focus.
    const framed = await this.#page.evaluate(() => document.activeElement?.shadowRoot?.activeElement?.localName === "iframe");
    const part = framed ? this.#inside : this.#page.locator(":focus").last();
    // A frame has it a moment before something in it takes it.
    if ((await part.count()) === 0) return { said: OUTSIDE };
    const handle = await part.elementHandle(BRIEF);
    const plain = await handle.evaluate((node) => node.matches("div:not([role]), body"));
    const [line] = (await part.ariaSnapshot(BRIEF)).split("\n");
    const [said] = /^- \w+( "(\\.|[^"\\])*")?/.exec(line) ?? [""];
    const ours = framed || (await handle.evaluate((node) => node.getRootNode() !== document));
    return { said: plain ? "" : said.replace(/^- /, ""), handle, ours };
  }

  /** Waits until `wanted` has the focus. */
  async arrive(wanted) {
    await until(async () => (await this.here()) === wanted, "the focus").catch(async () => assert.equal(await this.here(), wanted, "what has the focus"));
  }

  /** Presses `key` until `wanted` has the focus. */
  async reach(wanted, key = "Tab") {
    const passed = [];
    for (let presses = 0; presses < AT_MOST; presses += 1) {
      passed.push(await this.here());
      if (passed.at(-1) === wanted) return;
      await this.press(key);
    }
    assert.fail(`${key} never reaches ${wanted}, only ${passed.join(", ")}`);
  }

  /**
   * Every stop of the page, by Tab once around, and back by Shift and Tab to where it began. Each one of the chat has
   * to be within the window, in front, with an indicator, and where it was without the focus.
   */
  async round() {
    await this.press("Tab");
    if ((await this.here()) === OUTSIDE) await this.press("Tab");
    const stops = [];
    do {
      stops.push(await this.#stop());
      assert.ok(stops.length < AT_MOST, `a trap: Tab does not come back to ${stops[0].said}, after ${stops.map(({ said }) => said).join(", ")}`);
      await this.press("Tab");
    } while (!(await this.#isAt(stops[0])));

    const back = [];
    let judged = false;
    do {
      const { said, ours } = await this.#look();
      back.push(said);
      if (said !== OUTSIDE && !ours && !judged) {
        judged = true;
        for (const stop of stops) await this.#compare(stop);
      }
      await this.press("Shift+Tab");
    } while (back.length <= stops.length && !(await this.#isAt(stops[0])));
    await this.press("Shift+Tab");
    assert.ok(judged, "a trap: Tab reaches nothing of the page's own");
    // Forwards, Chromium has a stop for itself.
    const names = stops.map(({ said }) => said).filter((said) => said !== OUTSIDE);
    assert.deepEqual(back.filter((said) => said !== OUTSIDE), [names[0], ...names.slice(1).reverse()], "Shift and Tab goes the same way back");
    return names;
  }

  // By the node: two buttons may have one name.
  #isAt({ handle }) {
    return handle.evaluate((node) => node.ownerDocument.hasFocus() && node.getRootNode().activeElement === node);
  }

  async #stop() {
    const { said, handle, ours } = await this.#look();
    if (!ours) return { said, handle };
    const box = await handle.boundingBox();
    const { width, height } = this.#page.viewportSize();
    const whole = box && box.x >= 0 && box.y >= 0 && box.x + box.width <= width && box.y + box.height <= height;
    assert.ok(whole, `${said} is not within the window: ${JSON.stringify(box)}`);
    const inFront = await handle.evaluate((node) => {
      const { left, top, width: wide, height: high } = node.getBoundingClientRect();
      const found = node.getRootNode().elementFromPoint(left + wide / 2, top + high / 2);
      return node === found || node.contains(found);
    });
    assert.ok(inFront, `${said} is behind something`);
    const stop = `${said} ${JSON.stringify(box)}`;
    if (this.#judged.has(stop)) return { said, handle };
    this.#judged.add(stop);
    return { said, handle, box, focused: await this.#picture(box) };
  }

  async #compare({ said, handle, box, focused }) {
    if (!focused) return;
    assert.deepEqual(await handle.boundingBox(), box, `${said} has moved by having the focus`);
    const changed = await this.#judge.evaluate(changedPixels, { pictures: [focused, await this.#picture(box)], contrast: CONTRAST });
    // Of an indicator one pixel thick, three quarters of the way around.
    assert.ok(changed >= 1.5 * (box.width + box.height), `the focus on ${said} can hardly be seen: ${changed} pixels differ`);
  }

  async #picture({ x, y, width, height }) {
    const screen = this.#page.viewportSize();
    const left = Math.max(0, Math.floor(x) - MARGIN);
    const top = Math.max(0, Math.floor(y) - MARGIN);
    const clip = {
      x: left,
      y: top,
      width: Math.min(screen.width, Math.ceil(x + width) + MARGIN) - left,
      height: Math.min(screen.height, Math.ceil(y + height) + MARGIN) - top,
    };
    return (await this.#page.screenshot({ clip, caret: "initial" })).toString("base64");
  }
}

/** How many pixels of two pictures differ by at least this contrast. */
async function changedPixels({ pictures, contrast }) {
  const [one, other] = await Promise.all(pictures.map(async (base64) => {
    const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${base64}`)).blob());
    const canvas = new OffscreenCanvas(image.width, image.height).getContext("2d");
    canvas.drawImage(image, 0, 0);
    return canvas.getImageData(0, 0, image.width, image.height).data;
  }));
  const linear = (value) => (value <= 10 ? value / 3294.6 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  const luminance = (data, at) => 0.2126 * linear(data[at]) + 0.7152 * linear(data[at + 1]) + 0.0722 * linear(data[at + 2]);
  let changed = 0;
  for (let at = 0; at < one.length; at += 4) {
    const [dark, light] = [luminance(one, at), luminance(other, at)].sort((a, b) => a - b);
    if ((light + 0.05) / (dark + 0.05) >= contrast) changed += 1;
  }
  return changed;
}
