// The shipped client code without a browser or a server: the test plays the server, frame by frame.
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

// Copied beside a package.json, because nothing says to node that these files are modules.
const folder = mkdtempSync(join(tmpdir(), "candor-clients-"));
after(() => rmSync(folder, { recursive: true, force: true }));
writeFileSync(join(folder, "package.json"), '{"type":"module"}');
for (const face of ["widget", "console"]) {
  cpSync(fileURLToPath(new URL(`../../../${face}`, import.meta.url)), join(folder, face), { recursive: true });
}

/** Loads a module of the product, such as `widget/connection.js`. */
export const load = (path) => import(pathToFileURL(join(folder, path)).href);

/** Every socket that was opened, in order. */
export const sockets = [];

class FakeSocket {
  static OPEN = 1;
  readyState = 0;
  sent = [];

  constructor() {
    sockets.push(this);
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close() {
    this.readyState = 3;
  }

  /** The connection stands: the client says hello. */
  open() {
    this.readyState = FakeSocket.OPEN;
    this.onopen?.();
  }

  /** The server sends these. */
  tell(...frames) {
    for (const frame of frames) this.onmessage?.({ data: JSON.stringify(frame) });
  }

  /** The connection ends. */
  end(code = 1006) {
    this.onclose?.({ code });
  }

  /** What the client sent of one type. */
  of(type) {
    return this.sent.filter((frame) => frame.type === type);
  }
}

globalThis.WebSocket = FakeSocket;
globalThis.addEventListener = () => {};
globalThis.removeEventListener = () => {};
globalThis.document = { addEventListener() {}, removeEventListener() {}, visibilityState: "visible" };
globalThis.location = { origin: "https://shop.example", pathname: "/", href: "https://shop.example/" };
globalThis.sessionStorage = {
  getItem(key) { return Object.hasOwn(this, key) ? this[key] : null; },
  setItem(key, value) { this[key] = value; },
  removeItem(key) { delete this[key]; },
};

export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
