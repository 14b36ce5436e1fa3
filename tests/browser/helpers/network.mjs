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

/** Passes TCP connections on `port` to `target`, until it is cut. */
export class Line {
  #server;
  #open = new Set();
  #cut = false;

  constructor(port, target) {
    this.origin = `http://127.0.0.1:${port}`;
    this.#server = createServer((near) => {
      if (this.#cut) return near.destroy();
      const far = connect(target, "127.0.0.1");
      for (const [one, other] of [[near, far], [far, near]]) {
        this.#open.add(one);
        one.on("error", () => other.destroy());
        one.on("close", () => { this.#open.delete(one); other.destroy(); });
        one.pipe(other);
      }
      return undefined;
    });
    this.#server.listen(port, "127.0.0.1");
  }

  /** Drops every connection and refuses new ones. */
  cut() {
    this.#cut = true;
    for (const socket of this.#open) socket.destroy();
  }

  mend() {
    this.#cut = false;
  }

  close() {
    this.cut();
    this.#server.close();
  }
}
