// Tells how far a page of the business has come on the way to a chat: allowed, asked for the loader, framed, connected.
// It asks this server what it saw; it must not ask the page.

import { seenOf } from "./api.js";
import { h, replace } from "./dom.js";
import { field, form } from "./form.js";
import { fullTime } from "./format.js";
import { icon } from "./icons.js";
import { originOf } from "./snippet.js";

const EVERY = 2_000; // milliseconds between looks
const FOR = 120_000; // and how long it looks

/** The test: an address, and what was seen of it. */
export function installTest() {
  const address = field("origin", "Address of one of your pages", { type: "text", inputmode: "url", placeholder: "https://shop.example", autocomplete: "url", required: true });
  const result = h("div", { class: "steps-place", role: "status" });
  let timer = 0;
  let drawn = "";

  const look = async (origin, until) => {
    clearTimeout(timer);
    const found = await seenOf(origin);
    // Spoken once for each change, not at every look.
    if (JSON.stringify(found) !== drawn) replace(result, steps(found));
    drawn = JSON.stringify(found);
    const goesOn = !found.socket_at && Date.now() < until && result.isConnected;
    if (goesOn) timer = setTimeout(() => look(origin, until).catch(() => {}), EVERY);
  };
  return h("div", { class: "install-test" },
    form({
      fields: [address],
      action: "Test",
      submit: async ({ origin: typed }) => {
        const origin = originOf(typed);
        address.fail(origin ? null : "This is no address of a page, such as https://shop.example.");
        if (!origin) return;
        drawn = "";
        await look(origin, Date.now() + FOR);
      },
    }),
    result);
}

function steps({ origin, allowed, loader_at: loader, chat_at: chat, socket_at: socket, refused_at: refused }) {
  const done = (at) => `last ${fullTime(at)}`;
  return [
    h("ol", { class: "steps" },
      step(allowed, "May embed the chat", allowed ? origin : ["Start the server with ", h("code", null, `--allow-origin ${origin}`), refused && `; it was refused, ${done(refused)}`, "."]),
      step(Boolean(loader), "Has asked for the script", loader ? done(loader) : "Open the page. If nothing comes: is the tag on it, and does its script-src allow this server? A page that sends no referrer is not recognised here."),
      step(Boolean(chat), "Has opened the chat", chat ? done(chat) : "Press the launcher on the page. If the chat stays empty: does its frame-src allow this server?"),
      step(Boolean(socket), "Is connected", socket ? done(socket) : "Follows by itself. If not, a proxy may not let WebSockets through.")),
    h("p", null, h("a", { href: origin, target: "_blank", rel: "noopener" }, "Open the page"), " in another tab; this list follows for two minutes."),
  ];
}

function step(holds, name, detail) {
  return h("li", { class: holds ? "step done" : "step" }, icon(holds ? "check" : "clock"),
    h("div", null, h("p", { class: "step-name" }, name, h("span", { class: "spoken" }, holds ? ": yes" : ": not yet")), h("p", { class: "quiet-text break" }, detail)));
}
