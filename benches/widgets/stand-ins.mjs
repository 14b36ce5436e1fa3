// Loopback servers: the host pages on one origin; the other widgets' files, and what stands in for their backends, on
// another.
import { once } from "node:events";
import { createServer } from "node:http";

const CONVERSATION = { conversationId: "one", token: "none", expires_in: 3_600 };

// In place of Papercups' chat window, which is not in the package: the smallest page that plays its part.
const WINDOW = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Chat window</title><link rel="icon" href="data:,"></head>
<body><main><h1>Chat</h1><label>Message <textarea></textarea></label></main>
<script>parent.postMessage({ event: "chat:loaded", payload: {} }, "*");</script></body></html>`;

/** Serves `pages` (path to HTML) on a free port. */
export async function serveHost(pages) {
  return listen(createServer((request, response) => {
    const html = pages()[new URL(request.url, "http://host").pathname];
    response.writeHead(html ? 200 : 404, { "content-type": "text/html; charset=utf-8" });
    response.end(html ?? "");
  }));
}

/** Serves the widgets' `files` under /assets/ and their backends; `require` finds socket.io and ws. */
export async function serveWidgets({ files, require }) {
  const web = createServer((request, response) => answer(request, response, files));
  const { Server } = require("socket.io");
  const rasa = new Server(web, { cors: { origin: true, credentials: true }, destroyUpgrade: false });
  rasa.on("connection", (socket) => {
    socket.on("session_request", (asked) => socket.emit("session_confirm", asked?.session_id ?? socket.id));
  });
  const { WebSocketServer } = require("ws");
  const directLine = new WebSocketServer({ noServer: true });
  web.on("upgrade", (request, socket, head) => {
    if (request.url.startsWith("/directline/")) directLine.handleUpgrade(request, socket, head, () => {});
  });
  const server = await listen(web);
  return {
    ...server,
    close() {
      rasa.close();
      for (const client of directLine.clients) client.terminate();
      server.close();
    },
  };
}

async function listen(server) {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function answer(request, response, files) {
  const { pathname } = new URL(request.url, "http://widgets");
  const say = (type, body, status = 200) => {
    response.writeHead(status, {
      "content-type": type,
      "access-control-allow-origin": request.headers.origin ?? "*",
      "access-control-allow-methods": "GET, POST, PUT",
      "access-control-allow-headers": request.headers["access-control-request-headers"] ?? "*",
    });
    response.end(body);
  };
  const json = (value) => say("application/json", JSON.stringify(value));
  if (request.method === "OPTIONS") return say("text/plain", "");
  if (pathname.startsWith("/assets/")) {
    const file = files[pathname.slice("/assets/".length)];
    return file ? say("text/javascript; charset=utf-8", file) : say("text/plain", "", 404);
  }
  if (pathname === "/window") return say("text/html; charset=utf-8", WINDOW);
  if (pathname === "/api/widget_settings" || pathname.startsWith("/api/widget_settings/")) return json({ data: {} });
  if (pathname === "/directline/conversations") return json({ ...CONVERSATION, streamUrl: `ws://${request.headers.host}/directline/stream` });
  if (pathname.startsWith("/directline/")) return json({ id: "one", activities: [], watermark: "0" });
  return say("text/plain", "", 404);
}
