// A host page that embeds the widget from another origin, and a line that can be cut.
import { once } from "node:events";
import { createServer as createWebServer } from "node:http";
import { connect, createServer } from "node:net";

/** Serves `pages` (path to HTML text) on `port`; `close()` ends it. */
export async function servePages(port, pages) {
  const server = createWebServer((request, response) => {
    const html = pages[new URL(request.url, "http://host").pathname];
    response.writeHead(html ? 200 : 404, { "content-type": "text/html; charset=utf-8" });
    response.end(html ?? "");
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    origin: `http://127.0.0.1:${port}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Passes TCP connections on `port` to `target`, until it is cut, or made to swallow what passes. */
export class Line {
  #server;
  #open = new Set();
  #cut = false;
  #refused = null; // the beginning of requests that are refused

  constructor(port, target) {
    this.origin = `http://127.0.0.1:${port}`;
    this.#server = createServer((near) => {
      if (this.#cut) return near.destroy();
      const far = connect(target, "127.0.0.1");
      const link = { near, far, lost: null };
      this.#open.add(link);
      for (const [one, other, way] of [[near, far, "up"], [far, near, "down"]]) {
        one.on("error", () => this.#end(link));
        one.on("close", () => this.#end(link));
        one.on("data", (data) => {
          if (way === "up" && this.#refused && data.subarray(0, this.#refused.length).toString() === this.#refused) return this.#end(link, true);
          if (!link.lost?.[way]) other.write(data);
          return undefined;
        });
      }
      return undefined;
    });
    this.#server.listen(port, "127.0.0.1");
  }

  // A line that loses everything passes on no goodbye either.
  #end(link, always = false) {
    if (link.lost && !always) return;
    this.#open.delete(link);
    link.near.destroy();
    link.far.destroy();
  }

  /** Drops every connection and refuses new ones. */
  cut() {
    this.#cut = true;
    for (const link of this.#open) this.#end(link, true);
  }

  /** Drops the sockets, and refuses new ones, whose request begins so; everything else passes. */
  refuse(beginning) {
    this.#refused = beginning;
    for (const link of this.#open) this.#end(link, true);
  }

  mend() {
    this.#cut = false;
    this.#refused = null;
  }

  /** From now on the connections that are open lose what goes `up` or `down`, silently; new ones are whole. */
  lose(...ways) {
    for (const link of this.#open) link.lost = { up: ways.includes("up"), down: ways.includes("down") };
  }

  close() {
    this.cut();
    this.#server.close();
  }
}
