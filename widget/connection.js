// One WebSocket that comes back by itself, for the widget and for the console.
//
// It knows: opening, the hello, back-off, the watchdog, when the server wants to be left alone, and
// requests that are sent again under the same id until the server has answered them.
// It must not know: what frames mean, sequence numbers (see log.js), or the DOM
// beyond the page's network and visibility events.

/** The times in milliseconds. Tests pass smaller ones. */
export const TIMING = {
  connect: 10_000, // from opening the socket to the first ready frame
  ping: 25_000, // between pings
  pong: 10_000, // a ping without an answer for so long: one direction or both are dead
  probe: 4_000, // the same when there is reason to doubt the socket
  resend: 10_000, // a request without an answer is sent again after this
  backoff: 500, // first ceiling of the full-jitter back-off, doubled each time
  backoffMax: 30_000,
  stable: 5_000, // a socket that lived this long resets the back-off
};

/** What a dead socket is closed with: not 1000, which would say that nobody comes back. */
const ABANDONED = 4000;

/** Frames that answer one of ours, and so show that both directions live. */
const ANSWERS = new Set(["pong", "ack", "error", "busy"]);

/** Why a request was refused: `code` is the server's, or `offline`, `closed`. */
export class RequestError extends Error {
  constructor(code, message) {
    super(message || code);
    this.name = "RequestError";
    this.code = code;
  }
}

/** A random UUID; `randomUUID` itself is missing on pages served without TLS. */
export function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/**
 * Events:
 * - `frame`, detail = the parsed frame (every frame, acks and errors included)
 * - `status`, detail = { status, code?, delay? }; status is one of
 *   `connecting`, `online` (the ready frame came), `offline` (waiting to try
 *   again in `delay` ms), `closed` (asked for, or refused for good with `code`)
 */
export class Connection extends EventTarget {
  #url;
  #protocol;
  #hello;
  #ready;
  #pulse;
  #timing;
  #wanted = false;
  #socket = null;
  #status = "closed";
  #attempt = 0;
  #readyAt = 0;
  #comeBackAfter = null; // the server restarts: when it wants us back
  #notBefore = 0; // it could not let us in: how long it wants to be left alone at least
  #holding = false; // the server takes nothing for a moment
  #patience = 0; // of the probe that is under way
  #outbox = new Map(); // id -> { frame, keep, sentAt, resolve, reject }, in order of sending; 0: not on its way
  #timers = { connect: 0, retry: 0, ping: 0, probe: 0, resend: 0, busy: 0 };

  /**
   * @param {object} options
   * @param {string | URL} options.url ws: or wss: address
   * @param {string} options.protocol WebSocket subprotocol
   * @param {() => object} options.hello first frame of each connection, asked for anew each time
   * @param {(frame: object) => boolean} [options.ready] which frame ends the handshake
   * @param {() => object} [options.pulse] what a ping tells of how far the client is
   * @param {Partial<typeof TIMING>} [options.timing]
   */
  constructor({ url, protocol, hello, ready, pulse, timing }) {
    super();
    this.#url = String(url);
    this.#protocol = protocol;
    this.#hello = hello;
    this.#ready = ready ?? ((frame) => frame.type === "welcome" || frame.type === "snapshot");
    this.#pulse = pulse ?? (() => ({}));
    this.#timing = { ...TIMING, ...timing };
  }

  get status() {
    return this.#status;
  }

  /** Starts, and keeps trying until `close`. Safe to call again: tries at once. */
  open() {
    if (!this.#wanted) {
      this.#wanted = true;
      addEventListener("online", this.#wake);
      addEventListener("pageshow", this.#wake);
      addEventListener("offline", this.#wake);
      document.addEventListener("visibilitychange", this.#wake);
      document.addEventListener("resume", this.#wake); // a page that was frozen
    }
    if (!this.#socket) this.#connect();
  }

  /** Ends for good; what was not answered is rejected with `closed`. */
  close() {
    this.suspend();
    this.cancel("closed");
  }

  /** Ends until `open` is called again; what has to arrive waits until then. */
  suspend() {
    this.#stop("closed", {});
  }

  /** Rejects every request that was not answered yet, and does not send it again. */
  cancel(code = "cancelled") {
    const entries = [...this.#outbox.values()];
    this.#outbox.clear();
    for (const entry of entries) entry.reject(new RequestError(code));
  }

  /** Drops the socket and says hello again: at once, or with back-off if it just began. */
  restart() {
    if (!this.#wanted) return;
    const stable = this.#lived();
    this.#drop(ABANDONED);
    if (stable) {
      this.#attempt = 0;
      this.#connect();
    } else {
      this.#retryLater();
    }
  }

  /** Sends a frame that may be lost (typing, read). False when not online. */
  send(frame) {
    if (this.#status !== "online") return false;
    this.#transmit(frame);
    return true;
  }

  /**
   * Sends a frame that must arrive. It gets an `id` unless it has one, waits for
   * a connection, and is sent again under that id after each reconnect, and when
   * the server was busy or had been sent too much. One at a time is on its way: the
   * server refuses each by itself, and a later one must not be stored before an earlier one.
   * Resolves with the `ack` frame, rejects with a RequestError.
   * `keep: false` rejects with `offline` instead of waiting for a connection, and
   * is not queued behind what waits: it was asked for at a press of a button.
   */
  request(frame, { keep = true } = {}) {
    const withId = frame.id ? frame : { ...frame, id: newId() };
    if (!keep && this.#status !== "online") {
      return Promise.reject(new RequestError("offline"));
    }
    return new Promise((resolve, reject) => {
      const entry = { frame: withId, keep, sentAt: 0, resolve, reject };
      this.#outbox.set(withId.id, entry);
      if (keep) this.#flush();
      else this.#transmitEntry(entry);
    });
  }

  // One bound function, so that the listeners can be removed again.
  #wake = (event) => {
    if (!this.#wanted) return;
    if (event.type === "visibilitychange" && document.visibilityState !== "visible") return;
    if (event.type !== "offline" && !this.#socket) this.#connect();
    else this.#probe(this.#timing.probe);
  };

  #connect() {
    this.#clearTimers();
    this.#setStatus("connecting", {});
    let socket;
    try {
      socket = new WebSocket(this.#url, this.#protocol);
    } catch {
      // A page's own policy can forbid the address; trying again costs nothing.
      this.#retryLater();
      return;
    }
    this.#socket = socket;
    this.#readyAt = 0;
    this.#timers.connect = setTimeout(() => this.#lose(socket, 0), this.#timing.connect);
    socket.onopen = () => this.#transmit(this.#hello());
    socket.onmessage = (event) => this.#receive(socket, event.data);
    socket.onclose = (event) => this.#lose(socket, event.code);
  }

  #receive(socket, data) {
    if (socket !== this.#socket) return;
    let frame;
    try {
      frame = JSON.parse(data);
    } catch {
      return;
    }
    if (!frame || typeof frame.type !== "string") return;
    if (ANSWERS.has(frame.type)) {
      clearTimeout(this.#timers.probe);
      this.#timers.probe = 0;
    }
    const becameReady = !this.#readyAt && this.#ready(frame);
    if (becameReady) {
      this.#readyAt = performance.now();
      clearTimeout(this.#timers.connect);
      this.#timers.ping = setInterval(() => this.#probe(this.#timing.pong), this.#timing.ping);
      this.#setStatus("online", {});
    }
    // Whoever listens sees the frame before the promise of its request settles.
    this.dispatchEvent(new CustomEvent("frame", { detail: frame }));
    if (frame.type === "ack") this.#settle(frame.id, (entry) => entry.resolve(frame));
    if (frame.type === "error" && frame.id) this.#refused(frame);
    if (frame.type === "busy") this.#putBack(frame.id, frame.retry_after_ms);
    if (frame.type === "restarting") this.#comeBackAfter = pause(frame.retry_after_ms, this.#timing.backoffMax);
    // After the listeners: a listener may have restarted the connection.
    if (becameReady && socket === this.#socket) this.#flush();
  }

  #settle(id, finish) {
    const entry = this.#outbox.get(id);
    if (!entry) return;
    this.#outbox.delete(id);
    finish(entry);
    this.#flush();
  }

  // What came too fast is not refused for good: it waits its turn, and nothing overtakes it.
  #refused({ id, code, message, retry_after_ms: after }) {
    if (code === "rate_limited" && this.#outbox.get(id)?.keep) this.#putBack(id, after ?? this.#timing.resend);
    else this.#settle(id, (entry) => entry.reject(new RequestError(code, message)));
  }

  #putBack(id, wait) {
    const entry = this.#outbox.get(id);
    if (entry) entry.sentAt = 0;
    this.#waitForServer(wait);
  }

  // The first that has to arrive, and what was asked for at a press of a button, unless they are on their way.
  #flush() {
    if (this.#status !== "online" || this.#holding) return;
    let isFirst = true;
    for (const entry of this.#outbox.values()) {
      if (!entry.sentAt && (isFirst || !entry.keep)) this.#transmitEntry(entry);
      if (entry.keep) isFirst = false;
    }
  }

  #transmitEntry(entry) {
    entry.sentAt = performance.now();
    this.#transmit(entry.frame);
    clearTimeout(this.#timers.resend);
    this.#timers.resend = setTimeout(() => this.#resendLate(), this.#timing.resend);
  }

  // An ack can be late because the socket is dead, which the probe finds out; the same id makes a second one harmless.
  #resendLate() {
    if (this.#status !== "online" || this.#outbox.size === 0) return;
    const now = performance.now();
    // A press of a button may not be harmless twice, and a socket that lives serves it in its turn.
    const late = [...this.#outbox.values()].filter((entry) => entry.sentAt && now - entry.sentAt >= this.#timing.resend - 50);
    if (!this.#holding) for (const entry of late) if (entry.keep) this.#transmitEntry(entry);
    if (late.length) this.#probe(this.#timing.probe);
    clearTimeout(this.#timers.resend);
    this.#timers.resend = setTimeout(() => this.#resendLate(), this.#timing.resend);
  }

  #waitForServer(milliseconds) {
    const wait = pause(milliseconds, this.#timing.backoffMax);
    // Before the handshake is over it is the connection that has to wait.
    if (this.#status !== "online") {
      this.#notBefore = wait;
      return;
    }
    this.#holding = true;
    clearTimeout(this.#timers.busy);
    this.#timers.busy = setTimeout(() => {
      this.#holding = false;
      this.#flush();
    }, wait);
  }

  #transmit(frame) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(frame));
  }

  // Asks the server for a sign that it hears us: what it sends by itself shows one direction only.
  #probe(patience) {
    if (this.#status !== "online") return;
    if (!this.#timers.probe || patience < this.#patience) {
      const socket = this.#socket;
      this.#patience = patience;
      clearTimeout(this.#timers.probe);
      this.#timers.probe = setTimeout(() => this.#lose(socket, 0), patience);
    }
    this.#transmit({ type: "ping", ...this.#pulse() });
  }

  #lose(socket, code) {
    if (!socket || socket !== this.#socket) return;
    if (this.#lived()) this.#attempt = 0;
    this.#drop(ABANDONED);
    if (code === 4003) {
      this.#stop("closed", { code });
    } else {
      // Too many sockets: another tab has to go first, so no hurry.
      if (code === 4009) this.#attempt = Math.max(this.#attempt, 5);
      this.#retryLater();
    }
  }

  #lived() {
    return this.#readyAt > 0 && performance.now() - this.#readyAt > this.#timing.stable;
  }

  // A half-open socket can take minutes to report its close, so it is let go of at once.
  #drop(code) {
    const socket = this.#socket;
    this.#socket = null;
    this.#clearTimers();
    this.#holding = false;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(code);
    for (const [id, entry] of this.#outbox) {
      entry.sentAt = 0;
      if (entry.keep) continue;
      this.#outbox.delete(id);
      entry.reject(new RequestError("offline"));
    }
  }

  #retryLater() {
    const ceiling = Math.min(this.#timing.backoff * 2 ** this.#attempt, this.#timing.backoffMax);
    const delay = this.#comeBackAfter ?? Math.max(this.#notBefore, Math.round(Math.random() * ceiling));
    // Who was told of a restart starts from there; who was only sent away has tried in vain.
    if (this.#comeBackAfter === null) this.#attempt += 1;
    this.#comeBackAfter = null;
    this.#notBefore = 0;
    clearTimeout(this.#timers.retry);
    this.#timers.retry = setTimeout(() => this.#connect(), delay);
    this.#setStatus("offline", { delay });
  }

  #stop(status, detail) {
    this.#wanted = false;
    removeEventListener("online", this.#wake);
    removeEventListener("pageshow", this.#wake);
    removeEventListener("offline", this.#wake);
    document.removeEventListener("visibilitychange", this.#wake);
    document.removeEventListener("resume", this.#wake);
    this.#drop(1000);
    this.#clearTimers();
    this.#setStatus(status, detail);
  }

  #clearTimers() {
    for (const name of Object.keys(this.#timers)) {
      clearTimeout(this.#timers[name]); // ends intervals as well
      this.#timers[name] = 0;
    }
  }

  #setStatus(status, detail) {
    if (status === this.#status && status !== "offline") return;
    this.#status = status;
    this.dispatchEvent(new CustomEvent("status", { detail: { status, ...detail } }));
  }
}

/** A server's wait in milliseconds, within reason. */
function pause(milliseconds, most) {
  return Math.min(Math.max(Number(milliseconds) || 0, 250), most);
}
