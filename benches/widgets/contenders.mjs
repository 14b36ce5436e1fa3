// Who is compared: how each is embedded on the host page, and how its chat is known to be open.
const SHIFTS = `<script>
  window.shifts = [];
  new PerformanceObserver((list) => window.shifts.push(...list.getEntries().map(({ value, hadRecentInput }) => ({ value, hadRecentInput }))))
    .observe({ type: "layout-shift", buffered: true });
</script>`;
const PARAGRAPHS = "<p>Linen shirts, wool socks and a coat that lasts. Made in small numbers, mended for free.</p>".repeat(12);

/** A host page: the same for all, but for `tags` at its end. */
const page = (tags) => `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>A shop</title><link rel="icon" href="data:,"><style>body { font: 16px/1.5 sans-serif; margin: 2rem auto; max-width: 50rem }</style>${SHIFTS}</head>
<body><main><h1>A shop</h1>${PARAGRAPHS}</main>${tags}</body></html>`;

// The launcher that Web Chat does not have; a site owner writes one like it.
const webChat = (file, widgets) => `
<button id="launcher" style="position:fixed;right:20px;bottom:20px;width:60px;height:60px;border-radius:30px" aria-label="Open chat"></button>
<div id="webchat" role="complementary" aria-label="Chat" style="position:fixed;right:20px;bottom:90px;width:380px;height:600px" hidden></div>
<script defer src="${widgets}/assets/${file}"></script>
<script>document.getElementById("launcher").addEventListener("click", () => {
  const place = document.getElementById("webchat");
  place.hidden = false;
  window.WebChat.renderWebChat({ directLine: window.WebChat.createDirectLine({ token: "none", domain: "${widgets}/directline" }) }, place);
}, { once: true });</script>`;

/** The page without any chat, then all that are compared; `launcher` and `composer` are selectors in the page or a frame. */
export function contenders({ candor, widgets }) {
  const inPage = (selector) => (seen) => seen.locator(selector).first();
  const list = [
    { name: "none", tags: "" },
    {
      name: "candor",
      tags: `<script src="${candor}/widget.js" data-site="default" async></script>`,
      launcher: inPage("candor-chat button"),
      composer: (seen) => seen.frameLocator("candor-chat iframe").locator("textarea"),
    },
    {
      name: "rasa-webchat",
      tags: `<script>!(function () {
        const e = document.createElement("script"), t = document.head;
        e.src = "${widgets}/assets/rasa.js";
        e.async = true;
        e.onload = () => window.WebChat.default({ customData: { language: "en" }, socketUrl: "${widgets}" }, null);
        t.insertBefore(e, t.firstChild);
      })();</script>`,
      launcher: inPage(".rw-launcher"),
      composer: inPage("textarea.rw-new-message"),
    },
    {
      name: "botframework-webchat",
      tags: webChat("botframework.js", widgets),
      launcher: inPage("#launcher"),
      composer: inPage(".webchat__send-box-text-box__input"),
    },
    {
      name: "botframework-webchat, minimal",
      tags: webChat("botframework-minimal.js", widgets),
      launcher: inPage("#launcher"),
      composer: inPage(".webchat__send-box-text-box__input"),
    },
    {
      name: "@papercups-io/chat-widget",
      tags: `<script>window.papercupsSettings = { token: "00000000-0000-4000-8000-000000000000", baseUrl: "${widgets}", iframeUrlOverride: "${widgets}/window" };</script>
        <script defer src="${widgets}/assets/papercups.js"></script>`,
      launcher: inPage(".Papercups-toggleButtonContainer button"),
      composer: (seen) => seen.frameLocator(".Papercups-chatWindowContainer").locator("textarea"),
    },
    { name: "@livechat/widget-core", tags: `<script defer src="${widgets}/assets/livechat.js"></script>` },
  ];
  return list.map((one, index) => ({ ...one, path: `/${index}`, html: page(one.tags) }));
}
