// All that a browser sends, seen from outside of it, and all that it keeps, in every origin.
import { once } from "node:events";
import { createServer, request } from "node:http";
import { connect } from "node:net";

const PIECE = 4; // characters in a row by which a secret is known
const QUIET = 400; // milliseconds

/**
 * A proxy through which a context makes every request, whoever asks for it: page, frame, worker, beacon, preload, or
 * the browser by itself. `requests` has the HTTP ones, handshakes of sockets among them; `frames` what went over sockets.
 */
export class Wire {
  requests = []; // { method, url, headers, body, answer: headers }
  frames = []; // { text, frame, control }: what clients said on sockets; `control`: a goodbye, or a ping of the socket itself
  #server = createServer((near, answer) => this.#pass(near, answer));

  static async begin() {
    const wire = new Wire();
    wire.#server.on("connect", (handshake, near, head) => wire.#tunnel(handshake.url, near, head));
    wire.#server.listen(0, "127.0.0.1");
    await once(wire.#server, "listening");
    return wire;
  }

  /** For the options of a context. */
  get proxy() {
    return { server: `http://127.0.0.1:${this.#server.address().port}` };
  }

  close() {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  /** Resolves when nothing was asked for and nothing said for a while. */
  async quiet() {
    for (let before = -1, now = 0; before !== now; ) {
      before = now;
      await new Promise((resolve) => setTimeout(resolve, QUIET));
      now = this.requests.length + this.frames.length;
    }
  }

  /** From now on: what is in `requests` and `frames` beyond what is there by now. */
  mark(requests = this.requests.length, frames = this.frames.length) {
    return {
      requests: () => this.requests.slice(requests),
      frames: () => this.frames.slice(frames).filter(({ control }) => !control).map(({ frame }) => frame),
      texts: () => textsOf(this.requests.slice(requests), this.frames.slice(frames)),
    };
  }

  #record(method, url, headers) {
    const record = { method, url, headers, body: "", answer: null };
    this.requests.push(record);
    return record;
  }

  #pass(near, answer) {
    const record = this.#record(near.method, near.url, near.headers);
    const far = request(near.url, { method: near.method, headers: near.headers, agent: false, family: 4 }, (response) => {
      record.answer = response.headers;
      answer.writeHead(response.statusCode, response.headers);
      response.pipe(answer);
    });
    near.on("data", (chunk) => { record.body += chunk.toString("latin1"); });
    far.on("error", () => answer.destroy());
    near.pipe(far);
  }

  // A socket: Chromium asks for a tunnel.
  #tunnel(target, near, head) {
    const [host, port] = target.split(":");
    const far = connect({ host, port: Number(port), family: 4 });
    const reader = new FrameReader((text, control) => this.frames.push({ text, control, frame: parse(text) }),
      (method, path, headers) => this.#record(method, `http://${target}${path}`, headers));
    const take = (chunk) => {
      reader.take(chunk);
      far.write(chunk);
    };
    near.write("HTTP/1.1 200 OK\r\n\r\n");
    take(head);
    near.on("data", take);
    far.on("data", (chunk) => near.write(chunk));
    for (const [one, other] of [[near, far], [far, near]]) {
      one.on("error", () => other.destroy());
      one.on("close", () => other.destroy());
    }
  }
}

/** Reads what a client sends on a connection: the handshake, then masked frames. */
class FrameReader {
  #rest = Buffer.alloc(0);
  #shaken = false;
  #message = [];
  #said;
  #asked;

  constructor(said, asked) {
    this.#said = said;
    this.#asked = asked;
  }

  take(chunk) {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    if (!this.#shaken && !this.#handshake()) return;
    while (this.#frame());
  }

  #handshake() {
    const end = this.#rest.indexOf("\r\n\r\n");
    if (end < 0) return false;
    const [first, ...lines] = this.#rest.subarray(0, end).toString("latin1").split("\r\n");
    const [method, path] = first.split(" ");
    this.#asked(method, path, Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()])));
    this.#rest = this.#rest.subarray(end + 4);
    this.#shaken = true;
    return true;
  }

  #frame() {
    if (this.#rest.length < 2) return false;
    const [first, second] = this.#rest;
    const short = second & 0x7f;
    const sizes = short === 126 ? 2 : short === 127 ? 8 : 0;
    const begin = 2 + sizes + 4;
    if (this.#rest.length < begin) return false;
    const length = sizes === 2 ? this.#rest.readUInt16BE(2) : sizes === 8 ? Number(this.#rest.readBigUInt64BE(2)) : short;
    if (this.#rest.length < begin + length) return false;
    const mask = this.#rest.subarray(begin - 4, begin);
    const data = Buffer.from(this.#rest.subarray(begin, begin + length)).map((byte, at) => byte ^ mask[at % 4]);
    this.#rest = this.#rest.subarray(begin + length);
    if (first & 0x70) throw new Error("a packed frame, which cannot be read here");
    if (first & 0x08) {
      this.#said(data.toString("utf8"), true);
      return true;
    }
    this.#message.push(data);
    if (first & 0x80) this.#said(Buffer.concat(this.#message.splice(0)).toString("utf8"), false);
    return true;
  }
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return { raw: text };
  }
}

function textsOf(requests, frames) {
  return [...requests.flatMap(({ method, url, headers, body }) => [`${method} ${url}`, JSON.stringify(headers), body]), ...frames.map(({ text }) => text)];
}

/** Which pieces of `secret` are in the texts: as it is, or as an address, JSON, base64, hexadecimal or UTF-16 would have it. */
export function traces(secret, texts) {
  const pieces = Array.from({ length: secret.length - PIECE + 1 }, (_, at) => secret.slice(at, at + PIECE));
  const all = texts.flatMap(readings);
  return pieces.filter((piece) => all.some((text) => text.includes(piece)));
}

function readings(text) {
  const decoded = text.replace(/(%[0-9a-f]{2})+/gi, (run) => Buffer.from(run.replaceAll("%", ""), "hex").toString("utf8"));
  const plain = decoded.replace(/\\u([0-9a-f]{4})/gi, (_, code) => String.fromCharCode(Number.parseInt(code, 16))).replace(/\\(.)/g, "$1");
  // A run may begin in the middle of what was encoded.
  const runs = (pattern, encoding, steps) => (decoded.match(pattern) ?? []).flatMap((run) => Array.from({ length: steps }, (_, from) => Buffer.from(run.slice(from), encoding)));
  const bytes = [...runs(/[\w+/-]{6,}/g, "base64", 4), ...runs(/[0-9a-f]{8,}/gi, "hex", 2)];
  return [text, plain, plain.replaceAll("\0", ""), ...bytes.flatMap((data) => [data.toString("utf8"), data.toString("utf8").replaceAll("\0", "")])];
}

/** In every document, before its scripts: `window.beyond` names what was made that a proxy does not see, or may not. */
export function watchBeyond() {
  window.beyond = [];
  for (const name of ["RTCPeerConnection", "WebTransport", "Worker", "SharedWorker"]) {
    if (window[name]) window[name] = new Proxy(window[name], { construct: (...args) => window.beyond.push(name) && Reflect.construct(...args) });
  }
}

/** Ways in which a page could tell a secret, to try the capture with. */
export const LEAKS = {
  fetch: (secret) => fetch(`/other?${encodeURIComponent(secret)}`),
  beacon: (secret) => navigator.sendBeacon("/other", JSON.stringify({ [secret]: 1 })),
  picture: (secret) => { new Image().src = `/other?${btoa(`..${secret}`)}`; },
  worker: (secret) => { new Worker(URL.createObjectURL(new Blob([`fetch("${location.origin}/other", { method: "POST", body: "${[...secret].map((one) => one.charCodeAt(0).toString(16)).join("")}" })`]))); },
  socket: (secret) => {
    const socket = new WebSocket(`${document.querySelector("script").src.replace("http", "ws").replace("widget.js", "v1/chat")}`, "candor.v1");
    socket.onopen = () => socket.send(secret.slice(3, 9));
  },
  preload: (secret) => document.head.append(Object.assign(document.createElement("link"), { rel: "prefetch", href: `/other?${encodeURIComponent(secret)}` })),
  header: (secret) => fetch("/other", { headers: { "x-told": secret } }),
};

/** Keeps something in each way there is, on a page; gives what a capture has to find. */
export async function keepEverything() {
  document.cookie = "one=1";
  localStorage.two = sessionStorage.three = "1";
  window.name = "four";
  history.replaceState("five", "");
  await (await caches.open("six")).put("/x", new Response("x"));
  await new Promise((resolve) => { indexedDB.open("seven").onsuccess = resolve; });
  await (await navigator.storage.getDirectory()).getFileHandle("eight", { create: true });
  return ["one=1", "local two", "session three", "name four", 'state "five"', "cache six", "database seven", "file eight"];
}

/** Every thing that the browser keeps for any page of the context, a line each, with its value. */
export async function kept({ page, context }) {
  const lines = (await context.cookies()).map(({ domain, name, value }) => `cookie of ${domain}: ${name}=${value}`);
  const origins = new Set();
  const asked = await Promise.all(page.frames().map((frame) => frame.evaluate(ofDocument).catch((error) => {
    if (!frame.isDetached()) throw error;
    return null;
  })));
  for (const { origin, found } of asked.filter(Boolean)) {
    origins.add(origin);
    lines.push(...found.map((line) => `${origin} ${line}`));
  }
  // Also of origins that no frame shows any more.
  const state = await context.storageState({ indexedDB: true });
  for (const { origin, localStorage: local, indexedDB: databases = [] } of state.origins) {
    lines.push(...local.map(({ name, value }) => `${origin} local ${name}=${value}`), ...databases.map(({ name }) => `${origin} database ${name}`));
  }
  const session = await context.newCDPSession(page);
  for (const origin of origins) {
    const { usageBreakdown } = await session.send("Storage.getUsageAndQuota", { origin });
    lines.push(...usageBreakdown.filter(({ usage }) => usage > 0).map(({ storageType }) => `${origin} uses ${storageType}`));
  }
  await session.detach();
  lines.push(...context.serviceWorkers().map((worker) => `worker ${worker.url()}`));
  return [...new Set(lines)].sort();
}

async function ofDocument() {
  const found = [];
  const list = (kind, storage) => found.push(...Object.keys(storage).map((name) => `${kind} ${name}=${storage.getItem(name)}`));
  const looks = [
    () => list("local", localStorage),
    () => list("session", sessionStorage),
    async () => found.push(...(await indexedDB.databases()).map(({ name }) => `database ${name}`)),
    // Only a secure page has these at all.
    async () => found.push(...((await globalThis.caches?.keys()) ?? []).map((name) => `cache ${name}`)),
    async () => found.push(...((await navigator.serviceWorker?.getRegistrations()) ?? []).map(({ scope }) => `worker ${scope}`)),
    async () => {
      const folder = await navigator.storage?.getDirectory();
      for await (const name of folder?.keys() ?? []) found.push(`file ${name}`);
    },
  ];
  for (const look of looks) {
    try {
      await look();
    } catch (error) {
      // Where it is forbidden, nothing can be kept.
      if (!["SecurityError", "NotSupportedError", "UnknownError"].includes(error.name)) throw error;
    }
  }
  if (window.name) found.push(`name ${window.name}`);
  if (history.state !== null) found.push(`state ${JSON.stringify(history.state)}`);
  return { origin: location.origin, found };
}
