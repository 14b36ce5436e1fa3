// The manager's page for putting the chat on a site: its looks, the snippet, a test of the site's pages, and what runs.
// Must not change the server.

import { about } from "./api.js";
import { demoBanner } from "./demo-banner.js";
import { h } from "./dom.js";
import { icon } from "./icons.js";
import { looks } from "./install-looks.js";
import { installTest } from "./install-test.js";
import { dataPage } from "./page-data.js";
import { CHOICES, policy, snippet } from "./snippet.js";
import { toast } from "./toast.js";

/** The page. */
export function installView() {
  const data = dataPage(about, draw);
  return h("div", { class: "page-body narrow" }, h("header", { class: "page-head" }, h("h1", null, "Install")), demoBanner(() => data.reload()), data);
}

function draw({ version, model = {}, prompts_version: prompts, prompts_reload: reload, demo_shop: shop, origin }) {
  const tag = copied("Embed snippet");
  const rules = copied("Content-Security-Policy");
  const show = (choices) => {
    tag.say(snippet(origin, choices));
    rules.say(policy(origin, choices));
  };
  show(CHOICES);
  return [
    h("section", { class: "card" }, h("h2", null, "Choose its looks"), looks(show)),
    h("section", { class: "card" },
      h("h2", null, "Add the chat to your site"),
      h("p", null, "Put this line into every page that shall have the chat, before ", h("code", null, "</body>"), "."),
      tag.element,
      h("p", null, "A page with a Content-Security-Policy allows besides:"),
      rules.element,
      h("p", { class: "quiet-text" }, "What the chat says of itself, its name, its greeting and the notice that a bot answers, stands in ", h("code", null, "business.toml"), " of the prompts. ",
        shop && h("a", { href: "/demo/", target: "_blank", rel: "noopener" }, "Try it in the demo shop"))),
    h("section", { class: "card" }, h("h2", null, "Test a page"), installTest()),
    h("section", { class: "card" },
      h("h2", null, "What runs"),
      h("dl", { class: "facts" },
        [["Server", `candor ${version}`], ["Address", origin],
         ["Understanding", model.source === "model" ? `model ${model.version}` : `${model.version} (keyword rules)`],
         ["Prompts", prompts]].map(([name, value]) => [h("dt", null, name), h("dd", { class: "break" }, value)])),
      model.state === "loading" && h("p", { class: "quiet-text" }, "The model is being loaded. Until then messages are read by keyword rules."),
      ["absent", "failed"].includes(model.state) && h("p", { class: "form-problem" }, h("strong", null, "The model is not loaded"), model.reason ? `: ${model.reason}. ` : ". ", "Messages are read by keyword rules."),
      reload?.result === "refused" && refusal(reload.faults)),
  ];
}

/** Why changed prompts do not answer. */
function refusal(faults) {
  const place = ({ file, line }) => (file ? `${file}:${line}: ` : "");
  return h("div", { class: "form-problem" },
    h("p", null, h("strong", null, "The prompts changed and are refused"), "; the version above goes on."),
    h("ul", null, faults.map((fault) => h("li", { class: "break" }, place(fault) + fault.reason))));
}

/** A line of code with a button that copies it. */
function copied(name) {
  const label = h("span", { class: "button-label" }, "Copy");
  const code = h("pre", { class: "snippet", tabindex: "0", "aria-label": name });
  return {
    element: h("div", { class: "snippet-box" }, code, h("button", { class: "button primary", onclick: () => copy(code, label) }, icon("copy"), label)),
    say: (text) => { code.textContent = text; },
  };
}

async function copy(code, label) {
  try {
    await navigator.clipboard.writeText(code.textContent);
    label.textContent = "Copied";
    setTimeout(() => { label.textContent = "Copy"; }, 2000);
  } catch {
    // No clipboard on a page without TLS: select the text, so that one key does it.
    getSelection().selectAllChildren(code);
    toast("Selected: press Ctrl+C to copy it.");
  }
}
